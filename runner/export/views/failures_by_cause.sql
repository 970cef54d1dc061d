-- Failures grouped by cause: how many, of how many candidates, and what they cost.
SELECT campaign, stage, failure, count(*) AS attempts, count(DISTINCT candidate_id) AS candidates,
       sum(core_hours) AS core_hours, sum(cost_usd) AS cost_usd, min(candidate_id) AS example
FROM attempts
WHERE failure IS NOT NULL
GROUP BY campaign, stage, failure
