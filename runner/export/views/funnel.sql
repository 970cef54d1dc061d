-- How many candidates came to each step and stage, and how they fared.
SELECT campaign, 'filter' AS part, coalesce(step, 'passed all') AS step, verdict AS outcome, count(*) AS candidates
FROM screening
GROUP BY campaign, coalesce(step, 'passed all'), verdict
UNION ALL
SELECT campaign, 'stage' AS part, stage AS step, outcome, count(*) AS candidates
FROM results
GROUP BY campaign, stage, outcome
