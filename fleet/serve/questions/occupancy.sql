-- Persons at a time in each zone by hour; the zone without a name is the whole floor.
SELECT told.site, told.local_day, told.local_hour, told.zone_name, told.persons_max,
  ROUND(told.person_s / told.told_s, 3) AS persons_mean,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM dws_occupancy_hour AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
ORDER BY told.site, told.local_day, told.local_hour, told.zone_name
