-- Stores, their time zones, and the first and the last day of which something is told.
SELECT told.site, COALESCE(zones.timezone, 'UTC') AS timezone,
  (SELECT MIN(day.local_day) FROM dws_lateness_day AS day
   WHERE day.site = told.site AND day.local_day BETWEEN :first_day AND :last_day) AS first_day,
  (SELECT MAX(day.local_day) FROM dws_lateness_day AS day
   WHERE day.site = told.site AND day.local_day BETWEEN :first_day AND :last_day) AS last_day
FROM sites AS told
LEFT JOIN zones ON zones.site = told.site
JOIN asked ON asked.site = told.site
ORDER BY told.site
