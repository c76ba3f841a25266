-- Tried on, and within so many minutes neither bought nor handled at its rack again.
SELECT told.site, told.local_day, told.device, told.fact_key, told.sku, told.epc, told.room, told.end_s,
  told.end_s + 60 * :minutes AS due_s,
  COALESCE(holes.blind_s, 0) AS store_blind_s, COALESCE(holes.missing_events, 0) AS missing_events
FROM ads_tryon_end AS told
LEFT JOIN dws_coverage_day AS holes ON holes.site = told.site AND holes.local_day = told.local_day
JOIN asked ON asked.site = told.site
WHERE told.local_day BETWEEN :first_day AND :last_day
  AND NOT told.is_open AND told.end_s + 60 * :minutes <= :now_s
  AND (told.bought_s IS NULL OR told.bought_s >= told.end_s + 60 * :minutes)
  AND (told.put_back_s IS NULL OR told.put_back_s >= told.end_s + 60 * :minutes)
ORDER BY told.site, told.local_day, told.fact_key
