-- Persons and pieces by day, counted and planned.
SELECT told.site, told.local_day, told.plan_entered, told.entered,
  ROUND(100.0 * told.entered / NULLIF(told.plan_entered, 0), 1) AS entered_percent, told.plan_sold, told.sold,
  ROUND(100.0 * told.sold / NULLIF(told.plan_sold, 0), 1) AS sold_percent,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM ads_plan_day AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.site, told.local_day
