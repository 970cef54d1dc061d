-- name: a number as condition
SELECT formula FROM results WHERE n_atoms;

-- name: a number beside text
SELECT formula FROM results WHERE n_atoms = '5';

-- name: a sum of conditions
SELECT sum(cached) FROM results;

-- name: alternatives of several types
SELECT coalesce(formula, 0) FROM results;

-- name: an alias in WHERE
SELECT n_atoms AS n FROM results WHERE n > 1;

-- name: an alias in HAVING
SELECT formula AS f, count(*) AS c FROM results GROUP BY formula HAVING c > 1;

-- name: DISTINCT in another order
SELECT DISTINCT formula FROM results ORDER BY n_atoms;

-- name: an index of zero
SELECT element_at(elements, 0) FROM results;

-- name: an impossible date
SELECT DATE '2026-02-30';

-- name: text that is no date
SELECT CAST(formula AS date) FROM results;

-- name: a part before the first
SELECT split_part('a,b', ',', 0);

-- name: a sum that is too large
SELECT sum(big) FROM (VALUES 9223372036854775807, 1) AS t (big);

-- name: a sequence that leads away
SELECT sequence(1, 5, -1);

-- name: no such table
SELECT 1 FROM nothing;

-- name: no such function
SELECT bandgap(formula) FROM results;

-- name: an aggregate in WHERE
SELECT formula FROM results WHERE count(*) > 1;

-- name: two queries
SELECT 1; SELECT 2;

-- name: comparisons in a chain
SELECT 1 = 1 = true;

-- name: a count inside a sum
SELECT sum(count(*)) FROM results;

-- name: a window in WHERE
SELECT formula FROM results WHERE row_number() OVER (ORDER BY formula) = 1;
