SELECT site, local_day, COUNT(*) AS touches, COUNT(visitor) AS matched, COUNT(DISTINCT visitor) AS visitors,
  ROUND(SUM(probability), 3) AS probability_sum
FROM dwd_touch GROUP BY site, local_day
