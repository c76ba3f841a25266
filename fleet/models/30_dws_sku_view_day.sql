SELECT dwell.site, dwell.local_day, place.sku, COUNT(DISTINCT dwell.visitor) AS seen_near
FROM dwd_dwell AS dwell
JOIN dim_sku_zone AS place ON place.site = dwell.site AND place.zone_name = dwell.zone_name
WHERE dwell.dwell_s >= 5
GROUP BY dwell.site, dwell.local_day, place.sku
