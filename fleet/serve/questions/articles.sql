-- Each article over all stores asked about, by day: in how many stores it was near somebody or sold, and the funnel's sums.
SELECT told.local_day, told.sku, COUNT(*) AS stores, SUM(told.seen_near) AS seen_near, SUM(told.handled) AS handled,
  SUM(told.tried_on) AS tried_on, SUM(told.bought) AS bought,
  SUM(COALESCE(holes.blind_s, 0)) AS store_blind_s, SUM(COALESCE(holes.missing_events, 0)) AS missing_events
FROM ads_funnel_day AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
GROUP BY told.local_day, told.sku
ORDER BY told.local_day, told.sku
