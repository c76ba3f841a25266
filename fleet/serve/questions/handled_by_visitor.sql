-- What each anonymous visitor of a day handled: how often, how many articles, how surely; gone after the retention.
SELECT told.site, told.local_day, told.visitor, COUNT(*) AS touches, COUNT(DISTINCT told.sku) AS articles,
  ROUND(AVG(told.probability), 3) AS mean_probability,
  MAX(COALESCE(holes.blind_s, 0)) AS store_blind_s, MAX(COALESCE(holes.missing_events, 0)) AS missing_events
FROM dwd_interaction AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
  AND told.visitor IS NOT NULL
GROUP BY told.site, told.local_day, told.visitor
ORDER BY told.site, told.local_day, told.visitor
