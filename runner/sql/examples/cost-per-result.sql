-- Core-hours and cents per useful result
-- What did a result cost that the campaign computed itself, with everything that was spent on failed and repeated
-- attempts? Cents are null where some attempts had no price.
SELECT spent.campaign, spent.stage, spent.attempts, spent.core_hours, spent.wasted_core_hours, spent.cost_usd,
       useful.results, spent.core_hours / nullif(useful.results, 0) AS core_hours_per_result,
       CASE WHEN spent.unpriced = 0 THEN 1e2 * spent.cost_usd / nullif(useful.results, 0) END AS cents_per_result
FROM (
  SELECT campaign, stage, count(*) AS attempts, sum(core_hours) AS core_hours, sum(cost_usd) AS cost_usd,
         count_if(core_hours > 0e0 AND cost_usd IS NULL) AS unpriced,
         coalesce(sum(core_hours) FILTER (WHERE outcome <> 'ok'), 0e0) AS wasted_core_hours
  FROM attempts
  WHERE outcome <> 'running'
    -- AND campaign = 'NAME'
  GROUP BY campaign, stage
) AS spent
LEFT JOIN (
  SELECT campaign, stage, count(*) AS results
  FROM results
  WHERE outcome = 'ok' AND NOT coalesce(cached, false)
    -- AND campaign = 'NAME'
  GROUP BY campaign, stage
) AS useful ON useful.campaign = spent.campaign AND useful.stage = spent.stage
ORDER BY core_hours_per_result DESC, spent.campaign, spent.stage
