SELECT site, local_day, local_hour, origin, destination, SUM(transitions) AS transitions
FROM dwd_flow GROUP BY site, local_day, local_hour, origin, destination
