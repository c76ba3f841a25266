SELECT site, local_day, ROUND(SUM(blind_s), 3) AS blind_s, SUM(missing) AS missing_events
FROM (
  SELECT site, local_day, blind_s, 0 AS missing FROM dwd_heatmap
  UNION ALL
  SELECT site, local_day, 0.0 AS blind_s, missing FROM dwd_gap
) AS holes
GROUP BY site, local_day
