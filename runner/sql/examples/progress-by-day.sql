-- Progress by day
-- How many results were computed on each day (UTC), and what did they cost?
SELECT campaign, date_trunc('day', finished_at) AS day, count(*) AS results, sum(core_hours) AS core_hours
FROM results
WHERE outcome = 'ok' AND finished_at IS NOT NULL
  AND NOT coalesce(cached, false)
  -- AND campaign = 'NAME'
GROUP BY campaign, date_trunc('day', finished_at)
ORDER BY campaign, day
