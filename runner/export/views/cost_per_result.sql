-- Core-hours and dollars of all attempts, failed ones too, over the ok results that the campaign computed itself.
SELECT spent.campaign, spent.stage, spent.core_hours, spent.cost_usd, spent.attempts, useful.results,
       spent.core_hours / nullif(useful.results, 0) AS core_hours_per_result,
       CASE WHEN spent.unpriced = 0 THEN 1e2 * spent.cost_usd / nullif(useful.results, 0) END AS cents_per_result
FROM (
  SELECT campaign, stage, sum(core_hours) AS core_hours, sum(cost_usd) AS cost_usd, count(*) AS attempts,
         count_if(core_hours > 0e0 AND cost_usd IS NULL) AS unpriced
  FROM attempts GROUP BY campaign, stage
) AS spent
LEFT JOIN (
  SELECT campaign, stage, count(*) AS results
  FROM results WHERE outcome = 'ok' AND NOT coalesce(cached, false) GROUP BY campaign, stage
) AS useful ON useful.campaign = spent.campaign AND useful.stage = spent.stage
