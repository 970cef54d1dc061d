-- name: nulls come last in either direction
SELECT band_gap_ev FROM results WHERE stage = 'gap' ORDER BY 1 DESC;

-- name: nulls come first where that is said
SELECT key, band_gap_ev FROM results ORDER BY band_gap_ev ASC NULLS FIRST, key LIMIT 12;

-- name: NOT IN of a list with null is never true
SELECT count(*) FROM results WHERE big NOT IN (1, NULL);

-- name: NOT IN of a subquery with null is never true
SELECT count(*) FROM screening WHERE formula NOT IN (SELECT failure FROM results);

-- name: sums and counts pass nulls over
SELECT count(*), count(big), sum(tolerance_factor), avg(tolerance_factor) FROM (SELECT tolerance_factor, row AS big FROM screening) AS t;

-- name: three-valued logic
SELECT NULL AND false, NULL OR true, NULL AND true, NOT (NULL = 1), NULL IS NULL, 1 IS NOT NULL;

-- name: comparison with null selects nothing
SELECT count(*) FROM results WHERE failure = NULL OR failure <> NULL;

-- name: distinct from
SELECT count(*) FROM results WHERE failure IS DISTINCT FROM 'out_of_walltime' AND remark IS NOT DISTINCT FROM NULL;

-- name: greatest and least of null
SELECT greatest(1, NULL, 3), least(2e0, NULL), greatest('b', 'a'), least(DATE '2026-01-02', DATE '2026-01-01');

-- name: coalesce and nullif
SELECT coalesce(remark, 'none'), nullif(remark, ''), coalesce(big, 0) FROM results ORDER BY key, campaign;

-- name: concatenation with null
SELECT formula || failure, concat(formula, failure), concat_ws('-', 'a', NULL, 'b'), concat_ws('-', NULL, 'a') FROM results ORDER BY campaign, stage, key;

-- name: a bare null beside text is an array to Trino
SELECT 'a' || NULL;

-- name: aggregates of nothing
SELECT count(*), sum(n_atoms), avg(energy_ev_per_atom), min(formula), max(started_at), bool_and(cached), array_agg(formula) FROM results WHERE campaign = 'no such';

-- name: groups of null
SELECT failure, count(*), count(failure) FROM results GROUP BY failure ORDER BY failure NULLS FIRST;

-- name: nulls in CASE
SELECT CASE failure WHEN NULL THEN 'never' WHEN 'out_of_walltime' THEN 'time' ELSE 'other' END, count(*) FROM results GROUP BY 1 ORDER BY 1;

-- name: if without another value
SELECT if(is_metal, 'metal'), if(is_metal, 1, 0) FROM results ORDER BY campaign, stage, key;

-- name: max_by gives a null that belongs to the largest
SELECT max_by(failure, n_atoms), min_by(remark, started_at) FROM results;

-- name: count of distinct leaves null out
SELECT count(DISTINCT failure), count(DISTINCT remark), count(DISTINCT is_metal) FROM results;
