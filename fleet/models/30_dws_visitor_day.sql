SELECT site, local_day, COUNT(DISTINCT visitor) AS visitors FROM dwd_visit GROUP BY site, local_day
