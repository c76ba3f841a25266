SELECT site, local_day, COUNT(*) AS facts, SUM(CASE WHEN received_s - time_s > 900 THEN 1 ELSE 0 END) AS late
FROM (
  SELECT site, local_day, received_s, time_s FROM dwd_footfall
  UNION ALL
  SELECT site, local_day, received_s, time_s FROM dwd_visit
  UNION ALL
  SELECT site, local_day, received_s, time_s FROM dwd_dwell
  UNION ALL
  SELECT site, local_day, received_s, time_s FROM dwd_flip
  UNION ALL
  SELECT site, local_day, received_s, time_s FROM dwd_tryon
) AS told
GROUP BY site, local_day
