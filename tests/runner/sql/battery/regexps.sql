-- name: matches
SELECT formula, regexp_like(formula, '^[A-Z][a-z]?O'), regexp_like(formula, '[0-9]$') FROM screening ORDER BY campaign, row;

-- name: extracted
SELECT regexp_extract(formula, '[0-9]+'), regexp_extract(formula, '([A-Z][a-z]?)([0-9])', 1), regexp_extract(formula, 'X') FROM screening ORDER BY campaign, row;

-- name: all that match
SELECT regexp_extract_all(formula, '[A-Z][a-z]?'), regexp_extract_all(formula, '([A-Z])([a-z])', 2) FROM screening ORDER BY campaign, row;

-- name: replaced
SELECT regexp_replace(formula, '[0-9]+', '<$0>'), regexp_replace(formula, '([A-Z])([a-z])', '$2$1'), regexp_replace(formula, '[a-z]') FROM screening ORDER BY campaign, row;

-- name: split
SELECT regexp_split('a1b22c', '[0-9]+'), regexp_split(formula, 'O') FROM screening ORDER BY campaign, row;

-- name: counted and found
SELECT regexp_count(formula, '[A-Z]'), regexp_position(formula, '[0-9]') FROM screening ORDER BY campaign, row;

-- name: without regard to case
SELECT formula FROM screening WHERE regexp_like(formula, '(?i)^b') ORDER BY row, campaign;

-- name: classes of letters
SELECT regexp_extract('a_1 B-2', '\w+'), regexp_extract_all('a_1 B-2', '\d'), regexp_replace('a  b', '\s+', ' ');

-- name: alternatives
SELECT regexp_extract(formula, 'Ti|Zr|Pb'), regexp_replace('abab', 'a|b', 'c') FROM screening ORDER BY campaign, row;

-- name: empty matches
SELECT regexp_replace('abc', 'x*', '-'), regexp_extract_all('aXb', '[a-z]*');

-- name: looking ahead
SELECT regexp_extract(formula, '[A-Z](?=O)') FROM screening;

-- name: references back
SELECT regexp_like('aa', '(a)\1');

-- name: a group that took no part
SELECT regexp_extract('b', '(a)|(b)', 1);

-- name: a text of two lines
SELECT regexp_like(failure_message, 'time') FROM results;
