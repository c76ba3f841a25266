-- Cameras, readers and boxes of which nothing was heard for more than so many minutes.
SELECT told.site, told.device, told.process, MAX(told.last_s) AS last_s, MAX(told.last_s) + 60 * :minutes AS due_s
FROM dws_health_day AS told
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
GROUP BY told.site, told.device, told.process
HAVING MAX(told.last_s) + 60 * :minutes <= :now_s
ORDER BY told.site, told.device, told.process
