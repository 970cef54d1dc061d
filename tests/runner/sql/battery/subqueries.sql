-- name: in a subquery
SELECT formula FROM screening WHERE formula IN (SELECT formula FROM results WHERE outcome = 'failed') ORDER BY campaign, row;

-- name: exists
SELECT campaign, row FROM screening s WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.candidate_id = s.candidate_id) ORDER BY 1, 2;

-- name: as a value
SELECT formula, walltime_s - (SELECT avg(walltime_s) FROM results) FROM results WHERE walltime_s = (SELECT max(walltime_s) FROM results);

-- name: that looks outside
SELECT campaign, stage, formula FROM results r WHERE walltime_s = (SELECT max(walltime_s) FROM results o WHERE o.stage = r.stage AND o.campaign = r.campaign) ORDER BY 1, 2, 3;

-- name: that counts for each row
SELECT s.campaign, s.row, (SELECT count(*) FROM results r WHERE r.candidate_id = s.candidate_id) AS n FROM screening s ORDER BY 1, 2;

-- name: any and all
SELECT formula FROM screening WHERE n_atoms >= ALL (SELECT n_atoms FROM results) OR n_atoms = ANY (SELECT cardinality(elements) FROM results) ORDER BY campaign, row;

-- name: with names
WITH ok AS (SELECT * FROM results WHERE outcome = 'ok'), n (stage, number) AS (SELECT stage, count(*) FROM ok GROUP BY stage) SELECT * FROM n ORDER BY number DESC, stage;

-- name: that reads itself
WITH RECURSIVE t (n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, n * n FROM t ORDER BY n;

-- name: more than one row as a value
SELECT (SELECT formula FROM screening);

-- name: the funnel
SELECT coalesce(step, 'passed') AS step, count(*) AS candidates, sum(count(*)) OVER () AS enumerated FROM screening WHERE campaign = 'alpha' GROUP BY step ORDER BY step NULLS LAST;

-- name: cost of a useful result
SELECT campaign, sum(core_hours) / nullif(count_if(outcome = 'ok'), 0) FROM results GROUP BY campaign ORDER BY campaign;

-- name: conditions on groups
SELECT stage, failure, count(*) AS n FROM results WHERE outcome = 'failed' GROUP BY stage, failure HAVING sum(core_hours) > 0 ORDER BY n DESC, stage;

-- name: that reads itself too often
WITH RECURSIVE t (n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM t WHERE n < 12) SELECT max(n) FROM t;

-- name: that reads itself as often as it may
WITH RECURSIVE f (n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < 11) SELECT n, a FROM f ORDER BY n;

-- name: one row of those outside
SELECT formula, (SELECT o.formula FROM results o WHERE o.n_atoms > r.n_atoms ORDER BY o.key LIMIT 1) FROM screening r;

-- name: of an array
SELECT formula, (SELECT sum(x) FROM UNNEST(r.amounts) AS t (x)) FROM screening r ORDER BY campaign, row;
