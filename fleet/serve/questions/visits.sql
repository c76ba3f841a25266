-- Visits in and out by hour and entrance, and how long those who left had stayed.
SELECT told.site, told.local_day, told.local_hour, told.entrance, told.came_in, told.went_out, told.stays, told.stay_s,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM dws_visit_hour AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.site, told.local_day, told.local_hour, told.entrance
