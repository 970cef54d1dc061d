-- What the filters rejected
-- Which filter step rejected how many candidates, and with which reason for example?
SELECT campaign, step, verdict, count(*) AS candidates, min(formula) AS example, min_by(reason, formula) AS why
FROM screening
WHERE verdict <> 'pass'
  -- AND campaign = 'NAME'
GROUP BY campaign, step, verdict
ORDER BY candidates DESC, campaign, step, verdict
