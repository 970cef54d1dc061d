-- name: sums and means
SELECT stage, count(*), sum(n_atoms), avg(n_atoms), sum(walltime_s), avg(walltime_s) FROM results GROUP BY stage ORDER BY stage;

-- name: extremes
SELECT min(formula), max(formula), min(started_at), max(energy_ev_per_atom), min(is_metal), max(big) FROM results;

-- name: the several largest
SELECT max(n_atoms, 3), min(walltime_s, 2) FROM results;

-- name: of the largest
SELECT max_by(formula, walltime_s), min_by(formula, walltime_s), max_by(formula, walltime_s, 3) FROM results WHERE campaign = 'alpha' AND stage = 'scf';

-- name: of a condition
SELECT count_if(cached), count(*) FILTER (WHERE outcome = 'failed'), sum(n_atoms) FILTER (WHERE stage = 'scf'), bool_or(cached), every(n_atoms > 0), bool_and(is_metal) FROM results;

-- name: spread
SELECT stddev(walltime_s), stddev_pop(walltime_s), variance(n_atoms), var_pop(n_atoms), geometric_mean(n_atoms), skewness(walltime_s) FROM results;

-- name: of two columns
SELECT corr(walltime_s, core_hours), covar_pop(walltime_s, core_hours), covar_samp(walltime_s, core_hours), regr_slope(core_hours, walltime_s), regr_intercept(core_hours, walltime_s) FROM results;

-- name: collected in order
SELECT outcome, array_agg(formula ORDER BY formula, key), array_agg(DISTINCT stage ORDER BY stage) FROM results GROUP BY outcome ORDER BY outcome;

-- name: collected as text
SELECT outcome, listagg(formula, ', ') WITHIN GROUP (ORDER BY formula, key), listagg(DISTINCT stage, '/') WITHIN GROUP (ORDER BY stage) FROM results GROUP BY outcome ORDER BY outcome;

-- name: distinct
SELECT count(DISTINCT formula), sum(DISTINCT n_atoms), avg(DISTINCT n_atoms) FROM results;

-- name: groups of an expression
SELECT n_atoms / 2, cardinality(elements), count(*) FROM results GROUP BY 1, cardinality(elements) HAVING count(*) > 1 ORDER BY 1, 2;

-- name: subtotals
SELECT campaign, stage, grouping(campaign, stage), count(*), sum(n_atoms) FROM results GROUP BY ROLLUP (campaign, stage) ORDER BY 1, 2, 3;

-- name: all subtotals
SELECT outcome, stage, count(*) FROM results GROUP BY CUBE (outcome, stage) ORDER BY 1, 2, 3;

-- name: chosen subtotals
SELECT outcome, stage, count(*) FROM results GROUP BY GROUPING SETS ((outcome), (stage), ()) ORDER BY 1, 2, 3;

-- name: groups of arrays
SELECT elements, count(*) FROM results GROUP BY elements ORDER BY count(*) DESC, array_join(elements, ',');

-- name: an alias of the same SELECT
SELECT n_atoms AS n, count(*) FROM results GROUP BY n;

-- name: a column outside of the groups
SELECT formula, count(*) FROM results;

-- name: an estimate of distinct values
SELECT approx_distinct(formula) FROM results;

-- name: an estimate of a median
SELECT approx_percentile(walltime_s, 0.5) FROM results;

-- name: a median of sorted values
SELECT stage, element_at(array_sort(array_agg(walltime_s)), (count(walltime_s) + 1) / 2) FROM results GROUP BY stage ORDER BY stage;

-- name: rates
SELECT stage, count_if(outcome = 'ok') * 100 / count(*), count_if(outcome = 'ok') / CAST(count(*) AS double), count_if(outcome = 'ok') * 1.00 / count(*) FROM results GROUP BY stage ORDER BY stage;

-- name: bits of a column
SELECT bitwise_and_agg(n_atoms), bitwise_or_agg(n_atoms) FROM results;
