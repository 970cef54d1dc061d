-- name: whole numbers divide to whole numbers
SELECT 7 / 2, -7 / 2, n_atoms / 2 FROM screening WHERE campaign = 'alpha';

-- name: division of a whole number by zero
SELECT n_atoms / (n_atoms - n_atoms) FROM screening;

-- name: a decimal literal in a division by a column of doubles
SELECT sum(walltime_s) / 3600.0 FROM results WHERE campaign = 'alpha' AND stage = 'relax';

-- name: average of decimals
SELECT avg(x) FROM (VALUES 1.0, 2.5, 2.5) AS t (x);

-- name: division of decimals keeps the digits of the operands
SELECT 1.0 / 3, 10.0 / 4, 7.00 / 2.0, -1.5 / 0.4, 1 / 3.00;

-- name: a count divided by a decimal
SELECT count(*) / 2.0, sum(n_atoms) / 3.00 FROM screening;

-- name: arithmetic of decimals
SELECT 1.50 + 2, 0.1 - 1, 1.5 * 2.25, 5.5 % 2, -7.5 % 2, 2.50 * 3;

-- name: rounding of decimals
SELECT round(2.5), round(-2.55, 1), round(123.456, -1), ceil(2.1), floor(-2.1), truncate(2.99), truncate(123.456, 1), abs(-1.50), sign(-2.5);

-- name: rounding of doubles
SELECT round(2.5e0), round(-2.5e0), round(energy_ev_per_atom, 1), ceil(energy_ev_per_atom), floor(energy_ev_per_atom), truncate(energy_ev_per_atom) FROM results ORDER BY key, campaign;

-- name: remainders
SELECT 7 % 4, -7 % 4, mod(7, -4), mod(7.5e0, 2e0), n_atoms % 3 FROM screening ORDER BY campaign, row;

-- name: a whole number beyond 2 to the 53rd
SELECT big, big + 1, big / 3, big % 10, -big, abs(big) FROM results ORDER BY campaign, stage, key;

-- name: an overflow
SELECT 9223372036854775807 + n_atoms FROM screening;

-- name: roots and logarithms
SELECT sqrt(16), cbrt(27), exp(0), ln(1), log2(8), log10(1000), log(2, 32), power(2, 10);

-- name: trigonometry
SELECT acos(1), asin(0), atan(1), atan2(1, 2), cos(0), sin(1), tan(1), sinh(1), cosh(1), tanh(1), degrees(pi()), radians(180);

-- name: the square root of a negative number
SELECT sqrt(-1);

-- name: doubles divided by zero
SELECT 1e0 / 0, 0e0 / 0e0;

-- name: signs and extremes
SELECT sign(-2), sign(0e0), abs(-2.5e0), greatest(1, 2.5e0), least(1, 0.5);

-- name: buckets
SELECT width_bucket(tolerance_factor, 0.7, 1.3, 6), count(*) FROM screening WHERE tolerance_factor IS NOT NULL GROUP BY 1 ORDER BY 1;

-- name: bits
SELECT bitwise_and(12, 10), bitwise_or(12, 10), bitwise_xor(12, 10), bitwise_not(5), bit_count(7, 64);

-- name: large and small literals
SELECT 1e10, 1.5E-7, .5, 5., 123456789012, 2147483648, 0.000001;

-- name: types that meet
SELECT 1 = 1.0, 2 > 1.5, 0.1 + 0.2 = 0.3, 0.1e0 + 0.2e0 = 0.3e0, 3 / 2 * 1.0, 1.0 * 3 / 2, 7 % 2.5, truncate(n_atoms), round(n_atoms, -1) FROM screening ORDER BY campaign, row;

-- name: doubles to eight places as text
SELECT CAST(CAST(-1e-17 AS decimal(38, 8)) AS varchar), CAST(CAST(5e-9 AS decimal(38, 8)) AS varchar), CAST(CAST(-4.999e-9 AS decimal(38, 8)) AS varchar), CAST(CAST(-1.5e-8 AS decimal(38, 8)) AS varchar), CAST(CAST(-0e0 AS decimal(38, 8)) AS varchar), CAST(CAST(1e0 / 3 AS decimal(38, 8)) AS varchar), CAST(CAST(1.0000000001e2 AS decimal(38, 6)) AS varchar);

-- name: angles between vectors
SELECT round(degrees(acos(greatest(-1e0, least(1e0, 1.0000000000000002e0)))), 6), round(degrees(acos(-0.5e0)), 6), round(degrees(acos(0e0)), 6), degrees(acos(greatest(-1e0, least(1e0, 1e0 / nullif(0e0, 0e0))))), acos(2e0 / 3), round(sqrt(2e0), 6);
