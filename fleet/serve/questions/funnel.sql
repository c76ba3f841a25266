-- Each article by day: seen near its rack, handled, tried on, bought.
SELECT told.site, told.local_day, told.sku, told.seen_near, told.handled, told.tried_on, told.bought,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM ads_funnel_day AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.site, told.local_day, told.sku
