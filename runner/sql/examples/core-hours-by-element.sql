-- Core-hours by element
-- Which elements are expensive, and which fail? A calculation counts for each of its elements.
SELECT element, count(*) AS calculations, sum(core_hours) AS core_hours, avg(core_hours) AS mean_core_hours,
       count_if(outcome = 'failed') AS failed
FROM results
CROSS JOIN UNNEST(elements) AS t (element)
WHERE outcome IN ('ok', 'failed')
  AND NOT coalesce(cached, false)
  -- AND campaign = 'NAME'
GROUP BY element
ORDER BY core_hours DESC, element
