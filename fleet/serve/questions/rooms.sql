-- Fitting rooms in which a garment has been for more than so many minutes and still is.
SELECT told.site, told.local_day, told.device, told.fact_key, told.room, told.sku, told.epc, told.start_s,
  told.start_s + 60 * :minutes AS due_s,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM ads_tryon_end AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
  AND told.is_open AND told.start_s + 60 * :minutes <= :now_s AND told.start_s + 86400 > :now_s
ORDER BY told.site, told.local_day, told.fact_key
