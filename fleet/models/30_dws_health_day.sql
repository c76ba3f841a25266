SELECT site, device, local_day, process, COUNT(*) AS reports,
  SUM(CASE WHEN state IN ('live', 'ok') THEN 0 ELSE 1 END) AS not_well, MAX(time_s) AS last_s
FROM dwd_health GROUP BY site, device, local_day, process
