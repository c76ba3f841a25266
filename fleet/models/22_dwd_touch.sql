SELECT flip.site, flip.device, flip.fact_key, flip.local_day, flip.local_hour, flip.epc, flip.sku, flip.start_s,
  interaction.visitor, interaction.probability
FROM dwd_flip AS flip
LEFT JOIN dwd_interaction AS interaction
  ON interaction.site = flip.site AND interaction.device = flip.device AND interaction.flip_key = flip.fact_key
