-- The funnel
-- How many candidates came to each filter step and stage, and how did they fare?
SELECT campaign, 'filter' AS part, coalesce(step, 'passed all') AS step, verdict AS outcome, count(*) AS candidates
FROM screening
WHERE verdict IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY campaign, coalesce(step, 'passed all'), verdict
UNION ALL
SELECT campaign, 'stage' AS part, stage AS step, outcome, count(*) AS candidates
FROM results
WHERE outcome IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY campaign, stage, outcome
ORDER BY campaign, part, step, candidates DESC, outcome
