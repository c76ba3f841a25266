SELECT plan.site, plan.local_day, plan.entered AS plan_entered, counted.entered, plan.sold AS plan_sold, sold.sold
FROM dwd_plan AS plan
LEFT JOIN (SELECT site, local_day, SUM(entered) AS entered FROM dws_footfall_hour GROUP BY site, local_day) AS counted
  ON counted.site = plan.site AND counted.local_day = plan.local_day
LEFT JOIN (SELECT site, local_day, SUM(bought) AS sold FROM dws_sku_stage_day GROUP BY site, local_day) AS sold
  ON sold.site = plan.site AND sold.local_day = plan.local_day
