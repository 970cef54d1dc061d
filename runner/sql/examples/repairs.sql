-- Repaired failures
-- Which failures were repaired on the way, by what, and did that change the physics of the result?
SELECT campaign, stage,
       json_extract_scalar(recovery, '$[0].failure') AS failure,
       json_extract_scalar(recovery, '$[0].action') AS first_remedy,
       count(*) AS results,
       max(json_array_length(recovery)) AS most_changes,
       count_if(deviation IS NOT NULL) AS with_other_physics
FROM results
WHERE json_array_length(recovery) > 0
  -- AND campaign = 'NAME'
GROUP BY campaign, stage, json_extract_scalar(recovery, '$[0].failure'), json_extract_scalar(recovery, '$[0].action')
ORDER BY results DESC, campaign, stage, failure, first_remedy
