-- The slowest stages
-- Where does the time go? Minutes of a calculation on average and at most, and the core-hours of the stage.
SELECT campaign, stage, count(*) AS attempts,
       avg(walltime_s) / 60e0 AS mean_min,
       max(walltime_s) / 60e0 AS longest_min,
       sum(core_hours) AS core_hours,
       max(peak_memory_gb) AS peak_memory_gb
FROM attempts
WHERE finished_at IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY campaign, stage
ORDER BY core_hours DESC, campaign, stage
