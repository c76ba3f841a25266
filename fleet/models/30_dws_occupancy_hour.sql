SELECT site, local_day, local_hour, COALESCE(zone_name, '') AS zone_name, MAX(persons_max) AS persons_max,
  ROUND(SUM(persons_mean * (end_s - start_s)), 3) AS person_s, ROUND(SUM(end_s - start_s), 3) AS told_s
FROM dwd_occupancy GROUP BY site, local_day, local_hour, COALESCE(zone_name, '')
