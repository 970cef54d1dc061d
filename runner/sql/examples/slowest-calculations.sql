-- The slowest calculations
-- Which single calculations took longest, and how many atoms do they have?
SELECT campaign, stage, formula, n_atoms, walltime_s / 3600e0 AS hours, core_hours, candidate_id
FROM results
WHERE walltime_s IS NOT NULL
  AND NOT coalesce(cached, false)
  -- AND campaign = 'NAME'
ORDER BY walltime_s DESC, campaign, stage, candidate_id
LIMIT 20
