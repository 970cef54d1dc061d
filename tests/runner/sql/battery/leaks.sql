-- name: median
SELECT median(walltime_s) FROM results;

-- name: a cast with colons
SELECT n_atoms::varchar FROM results;

-- name: ILIKE
SELECT formula FROM results WHERE formula ILIKE 'b%';

-- name: two equal signs
SELECT formula FROM results WHERE n_atoms == 5;

-- name: LIMIT with two numbers
SELECT formula FROM results LIMIT 1, 2;

-- name: LIMIT before OFFSET
SELECT formula FROM results LIMIT 1 OFFSET 2;

-- name: DISTINCT ON
SELECT DISTINCT ON (formula) formula FROM results;

-- name: GROUP BY ALL
SELECT formula, count(*) FROM results GROUP BY ALL;

-- name: EXCLUDE
SELECT * EXCLUDE (formula) FROM results;

-- name: a trailing comma
SELECT formula, FROM results;

-- name: FROM first
FROM results SELECT formula;

-- name: SEMI JOIN
SELECT formula FROM results SEMI JOIN screening USING (formula);

-- name: an interval without quotes
SELECT started_at + INTERVAL 1 DAY FROM results;

-- name: names of functions of others
SELECT ifnull(failure, 'none') FROM results;

-- name: string_agg
SELECT string_agg(formula, ',') FROM results;

-- name: a list in brackets
SELECT [1, 2];

-- name: names in backquotes
SELECT `formula` FROM results;

-- name: the length of an array
SELECT length(elements) FROM results;

-- name: left
SELECT left(formula, 2) FROM results;

-- name: extract of an epoch
SELECT extract(epoch FROM started_at) FROM results;
