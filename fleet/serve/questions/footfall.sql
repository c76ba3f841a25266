-- Persons through each entrance by hour; blind_s is what its own cameras did not see.
SELECT told.site, told.local_day, told.local_hour, told.entrance, told.entered, told.went_out, told.intervals, told.blind_intervals, told.blind_s,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM dws_footfall_hour AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.site, told.local_day, told.local_hour, told.entrance
