-- The funnel by where articles hang: each zone's articles by day, and the share of those seen near that were handled.
SELECT told.site, told.local_day, place.zone_name, COUNT(*) AS articles, SUM(told.seen_near) AS seen_near,
  SUM(told.handled) AS handled, SUM(told.tried_on) AS tried_on, SUM(told.bought) AS bought,
  ROUND(100.0 * SUM(told.handled) / NULLIF(SUM(told.seen_near), 0), 2) AS handled_per_100_seen,
  MAX(COALESCE(holes.blind_s, 0)) AS store_blind_s, MAX(COALESCE(holes.missing_events, 0)) AS missing_events
FROM ads_funnel_day AS told
JOIN dim_sku_zone AS place ON place.site = told.site AND place.sku = told.sku
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
GROUP BY told.site, told.local_day, place.zone_name
ORDER BY told.site, told.local_day, place.zone_name
