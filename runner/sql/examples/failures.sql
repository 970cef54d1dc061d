-- What failed, and why
-- Which failures were there at which stage, how many candidates did they hit, what did they cost, and which is one to
-- look at?
SELECT campaign, stage, failure, count(*) AS attempts, count(DISTINCT candidate_id) AS candidates,
       sum(core_hours) AS core_hours, sum(cost_usd) AS cost_usd, min(candidate_id) AS example
FROM attempts
WHERE failure IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY campaign, stage, failure
ORDER BY attempts DESC, campaign, stage, failure
