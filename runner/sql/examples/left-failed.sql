-- What is still failed
-- Which candidates have no result because a stage failed, with the program's words and where its files are?
SELECT campaign, formula, stage, failure, failure_message, artefacts, candidate_id
FROM results
WHERE outcome IN ('failed', 'held')
  -- AND campaign = 'NAME'
ORDER BY campaign, stage, failure, formula, candidate_id
LIMIT 100
