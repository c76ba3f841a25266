-- What stands where in each store, as it was told last up to a day: JSON of its extent, entrances, zones and fixtures.
SELECT told.site, told.local_day, told.layout
FROM dwd_store AS told
JOIN asked ON asked.site = told.site
WHERE told.layout IS NOT NULL AND told.time_s = (
  SELECT MAX(newest.time_s) FROM dwd_store AS newest
  WHERE newest.site = told.site AND newest.layout IS NOT NULL AND newest.local_day <= :last_day)
GROUP BY told.site
ORDER BY told.site
