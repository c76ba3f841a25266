SELECT site, local_day, local_hour, entrance, SUM(CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS came_in,
  SUM(CASE WHEN direction = 'out' THEN 1 ELSE 0 END) AS went_out, COUNT(stay_s) AS stays,
  ROUND(SUM(stay_s), 3) AS stay_s
FROM dwd_visit GROUP BY site, local_day, local_hour, entrance
