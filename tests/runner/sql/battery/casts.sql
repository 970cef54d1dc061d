-- name: doubles to whole numbers go away from zero at halves
SELECT CAST(2.5e0 AS bigint), CAST(-2.5e0 AS integer), CAST(3.5e0 AS integer), CAST(2.4999e0 AS bigint);

-- name: doubles as text
SELECT CAST(2.5e0 AS varchar), CAST(1e0 AS varchar), CAST(-20.25e0 AS varchar), CAST(1e-7 AS varchar), CAST(1.5e20 AS varchar);

-- name: energies as text
SELECT CAST(energy_ev_per_atom AS varchar) FROM results ORDER BY campaign, stage, key;

-- name: doubles to decimals
SELECT CAST(1.005e0 AS decimal(10, 2)), CAST(2.675e0 AS decimal(10, 2)), CAST(walltime_s AS decimal(12, 1)) FROM results ORDER BY campaign, stage, key;

-- name: decimals as text
SELECT CAST(1.50 AS varchar), CAST(-0.5 AS varchar), CAST(CAST(12 AS decimal(10, 3)) AS varchar);

-- name: text to numbers
SELECT CAST('12' AS bigint), CAST('-4.5' AS double), CAST('1.555' AS decimal(10, 2)), TRY_CAST('4.2' AS bigint), TRY_CAST('x' AS double), TRY_CAST('' AS integer);

-- name: text that is no number
SELECT CAST('4.2' AS bigint);

-- name: text to booleans
SELECT CAST('true' AS boolean), CAST('F' AS boolean), TRY_CAST('yes' AS boolean), TRY_CAST('1' AS boolean);

-- name: booleans and numbers
SELECT CAST(true AS integer), CAST(false AS double), CAST(0 AS boolean), CAST(is_metal AS varchar) FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: times as text
SELECT CAST(started_at AS varchar), CAST(CAST(started_at AS date) AS varchar) FROM results ORDER BY campaign, stage, key;

-- name: text to times
SELECT CAST('2026-01-31' AS date), CAST('2026-01-31 10:05:06' AS timestamp), TRY_CAST('2026-02-30' AS date), TRY_CAST('soon' AS timestamp);

-- name: a time with a T
SELECT CAST('2026-01-31T10:00:00' AS timestamp);

-- name: text is cut to a length
SELECT CAST(formula AS varchar(2)), CAST('abc' AS varchar(10)) FROM screening ORDER BY campaign, row;

-- name: padded text
SELECT CAST('ab' AS char(5)) || '!';

-- name: arrays to arrays
SELECT CAST(ARRAY[1, 2] AS array(varchar)), CAST(ARRAY[1.5e0, -2.5e0] AS array(bigint)), CAST(forces_of_sites AS array(varchar)) FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: small whole numbers
SELECT CAST(300 AS tinyint);

-- name: out of range of an integer
SELECT CAST(3000000000 AS integer);

-- name: single precision
SELECT CAST(1.1e0 AS real);

-- name: literals of times as text
SELECT CAST(TIMESTAMP '2026-01-31 10:00:00' AS varchar), CAST(TIMESTAMP '2026-01-31 10:00:00.5' AS varchar), CAST(CAST('2026-01-31 10:00:00' AS timestamp) AS varchar);

-- name: attempts that may fail
SELECT try(CAST(x AS bigint)), try(1 / n) FROM (VALUES ('1', 0), ('a', 2)) AS t (x, n);
