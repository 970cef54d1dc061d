-- name: a union keeps one of equal rows
SELECT formula FROM results WHERE campaign = 'alpha' UNION SELECT formula FROM screening WHERE campaign = 'alpha';

-- name: a union of all
SELECT formula, n_atoms FROM screening UNION ALL SELECT formula, n_atoms FROM results ORDER BY 1, 2;

-- name: candidates that were screened and not computed
SELECT formula FROM screening EXCEPT SELECT formula FROM results ORDER BY 1;

-- name: in both
SELECT formula FROM screening INTERSECT SELECT formula FROM results ORDER BY 1;

-- name: with their numbers
SELECT n_atoms FROM screening EXCEPT ALL SELECT n_atoms FROM screening WHERE campaign = 'beta' ORDER BY 1;

-- name: of different numbers
SELECT 1 UNION ALL SELECT 2.5e0 UNION ALL SELECT n_atoms FROM screening ORDER BY 1;

-- name: values
SELECT a, b FROM (VALUES (1, 'x'), (2, NULL)) AS t (a, b) ORDER BY a DESC;

-- name: all columns of campaigns
SELECT * FROM campaigns;

-- name: distinct rows
SELECT DISTINCT campaign, outcome FROM results ORDER BY 1, 2;

-- name: a page
SELECT campaign, row FROM screening ORDER BY campaign, row OFFSET 3 LIMIT 4;

-- name: the first rows
SELECT campaign, row FROM screening ORDER BY campaign, row FETCH FIRST 3 ROWS ONLY;

-- name: the first rows with ties
SELECT n_atoms FROM screening ORDER BY n_atoms FETCH FIRST 2 ROWS WITH TIES;

-- name: text beside numbers
SELECT formula FROM screening UNION SELECT n_atoms FROM screening;

-- name: distinct arrays
SELECT DISTINCT labels FROM results;

-- name: names as they are written
SELECT COUNT(*) AS N, Formula FROM Results GROUP BY FORMULA ORDER BY n DESC, formula;
