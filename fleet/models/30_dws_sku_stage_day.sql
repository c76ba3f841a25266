SELECT site, local_day, sku, SUM(handled) AS handled, SUM(tried_on) AS tried_on, SUM(bought) AS bought
FROM (
  SELECT site, local_day, sku, 1 AS handled, 0 AS tried_on, 0 AS bought FROM dwd_flip WHERE sku IS NOT NULL
  UNION ALL
  SELECT site, local_day, sku, 0 AS handled, 1 AS tried_on, 0 AS bought FROM dwd_tryon WHERE sku IS NOT NULL
  UNION ALL
  SELECT site, local_day, sku, 0 AS handled, 0 AS tried_on, quantity AS bought FROM dwd_sale
) AS stages
GROUP BY site, local_day, sku
