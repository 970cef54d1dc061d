-- name: ranks
SELECT formula, stage, row_number() OVER (PARTITION BY stage ORDER BY walltime_s, key), rank() OVER (ORDER BY n_atoms), dense_rank() OVER (ORDER BY n_atoms) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: neighbours
SELECT key, lag(walltime_s) OVER (PARTITION BY stage ORDER BY key), lead(walltime_s, 2, -1e0) OVER (PARTITION BY stage ORDER BY key) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: neighbours without nulls
SELECT key, lag(remark) IGNORE NULLS OVER (ORDER BY key, campaign), last_value(remark) IGNORE NULLS OVER (ORDER BY key, campaign) FROM results ORDER BY key, campaign;

-- name: running sums
SELECT key, sum(n_atoms) OVER (PARTITION BY stage ORDER BY key), avg(n_atoms) OVER (PARTITION BY stage ORDER BY key ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: shares
SELECT key, walltime_s / sum(walltime_s) OVER (PARTITION BY stage), count(*) OVER () FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: first and last
SELECT key, first_value(formula) OVER (PARTITION BY stage ORDER BY key), last_value(formula) OVER (PARTITION BY stage ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), nth_value(formula, 2) OVER (PARTITION BY stage ORDER BY key) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: frames of values and of groups
SELECT key, sum(n_atoms) OVER (ORDER BY n_atoms RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), count(*) OVER (ORDER BY n_atoms GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: parts of equal size
SELECT row, ntile(3) OVER (ORDER BY row), percent_rank() OVER (ORDER BY row), cume_dist() OVER (ORDER BY row) FROM screening WHERE campaign = 'alpha' ORDER BY row;

-- name: the best of each group
SELECT stage, formula FROM (SELECT stage, formula, row_number() OVER (PARTITION BY stage ORDER BY energy_ev_per_atom, campaign, key) AS place FROM results WHERE outcome = 'ok') WHERE place = 1 ORDER BY stage;

-- name: windows with names
SELECT key, rank() OVER w, sum(n_atoms) OVER w FROM results WHERE campaign = 'alpha' WINDOW w AS (PARTITION BY stage ORDER BY formula) ORDER BY stage, key;

-- name: over groups
SELECT outcome, count(*), sum(count(*)) OVER (), rank() OVER (ORDER BY count(*) DESC) FROM results GROUP BY outcome ORDER BY outcome;

-- name: a filter before OVER
SELECT count(*) FILTER (WHERE n_atoms > 2) OVER () FROM results;

-- name: QUALIFY
SELECT formula FROM results QUALIFY row_number() OVER (ORDER BY formula) = 1;

-- name: a frame of days
SELECT count(*) OVER (ORDER BY started_at RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) FROM results;

-- name: arrays and extremes over windows
SELECT key, array_agg(formula) OVER (PARTITION BY stage ORDER BY key ROWS 1 PRECEDING), max_by(formula, walltime_s) OVER (PARTITION BY stage) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: a frame of numbers around
SELECT key, sum(n_atoms) OVER (ORDER BY n_atoms RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM results WHERE campaign = 'alpha' ORDER BY stage, key;

-- name: a frame after a rank
SELECT rank() OVER (ORDER BY row ROWS 1 PRECEDING) FROM screening;

-- name: a frame that ends before it begins
SELECT sum(n_atoms) OVER (ORDER BY n_atoms ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM screening;
