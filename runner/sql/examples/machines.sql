-- Machines
-- How do machines compare: attempts, failures, core-hours, the longest attempt?
SELECT machine, count(*) AS attempts, count_if(outcome = 'failed') AS failed,
       count_if(outcome IN ('interrupted', 'lost')) AS interrupted,
       sum(core_hours) AS core_hours, max(walltime_s) / 3600e0 AS longest_hours
FROM attempts
WHERE machine IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY machine
ORDER BY attempts DESC, machine
