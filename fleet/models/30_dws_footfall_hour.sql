SELECT site, local_day, local_hour, entrance, SUM(entered) AS entered, SUM(went_out) AS went_out,
  COUNT(*) AS intervals, SUM(CASE WHEN quality = 'blind' THEN 1 ELSE 0 END) AS blind_intervals,
  ROUND(SUM(blind_s), 3) AS blind_s
FROM dwd_footfall GROUP BY site, local_day, local_hour, entrance
