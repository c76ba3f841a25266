SELECT site, local_day, zone_name, COUNT(*) AS stays, COUNT(DISTINCT visitor) AS visitors,
  ROUND(SUM(dwell_s), 3) AS dwell_s
FROM dwd_dwell GROUP BY site, local_day, zone_name
