-- What was known before
-- How many results of each stage did another campaign compute already, and how many core-hours was that worth?
SELECT campaign, stage, count(*) AS results, count_if(cached) AS known_before,
       coalesce(sum(core_hours) FILTER (WHERE cached), 0e0) AS core_hours_saved
FROM results
WHERE outcome = 'ok' AND cached IS NOT NULL
  -- AND campaign = 'NAME'
GROUP BY campaign, stage
ORDER BY core_hours_saved DESC, campaign, stage
