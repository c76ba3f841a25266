SELECT site, local_day, sku, SUM(seen_near) AS seen_near, SUM(handled) AS handled, SUM(tried_on) AS tried_on,
  SUM(bought) AS bought
FROM (
  SELECT site, local_day, sku, seen_near, 0 AS handled, 0 AS tried_on, 0 AS bought FROM dws_sku_view_day
  UNION ALL
  SELECT site, local_day, sku, 0 AS seen_near, handled, tried_on, bought FROM dws_sku_stage_day
) AS stages
GROUP BY site, local_day, sku
