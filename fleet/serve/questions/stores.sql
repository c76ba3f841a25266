-- Stores beside one another, a day a row: persons in, visitors, garments handled, tried on, bought, and shares of it.
SELECT told.site, told.local_day, told.entered, COALESCE(people.visitors, 0) AS visitors,
  COALESCE(goods.handled, 0) AS handled, COALESCE(goods.tried_on, 0) AS tried_on, COALESCE(goods.bought, 0) AS bought,
  ROUND(100.0 * COALESCE(goods.bought, 0) / NULLIF(told.entered, 0), 1) AS bought_per_100_entered,
  ROUND(100.0 * COALESCE(goods.bought, 0) / NULLIF(goods.tried_on, 0), 1) AS bought_per_100_tried_on,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM (SELECT site, local_day, SUM(entered) AS entered FROM dws_footfall_hour GROUP BY site, local_day) AS told
LEFT JOIN dws_visitor_day AS people ON people.site = told.site AND people.local_day = told.local_day
LEFT JOIN (
  SELECT site, local_day, SUM(handled) AS handled, SUM(tried_on) AS tried_on, SUM(bought) AS bought
  FROM dws_sku_stage_day GROUP BY site, local_day
) AS goods ON goods.site = told.site AND goods.local_day = told.local_day
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.local_day, told.site
