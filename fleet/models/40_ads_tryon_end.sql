SELECT tryon.site, tryon.device, tryon.fact_key, tryon.local_day, tryon.sku, tryon.epc, tryon.room, tryon.start_s,
  tryon.end_s, tryon.is_open, MIN(sold.time_s) AS bought_s, MIN(handled.start_s) AS put_back_s
FROM dwd_tryon AS tryon
LEFT JOIN dwd_sale AS sold
  ON sold.site = tryon.site AND sold.sku = tryon.sku AND sold.time_s >= tryon.end_s
  AND sold.time_s < tryon.end_s + 86400
LEFT JOIN dwd_flip AS handled
  ON handled.site = tryon.site AND handled.epc = tryon.epc AND handled.start_s >= tryon.end_s
  AND handled.start_s < tryon.end_s + 86400
WHERE tryon.end_s < tryon.start_s + 86400
GROUP BY tryon.site, tryon.device, tryon.fact_key, tryon.local_day, tryon.sku, tryon.epc, tryon.room, tryon.start_s,
  tryon.end_s, tryon.is_open
