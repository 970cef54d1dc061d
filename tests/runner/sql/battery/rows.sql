-- name: made of values
SELECT ROW(1, 'a'), ROW(formula, n_atoms) FROM screening ORDER BY campaign, row;

-- name: fields with names
SELECT CAST(ROW(formula, n_atoms) AS row(f varchar, n bigint)).f, CAST(ROW(1, 2.5e0) AS row(a bigint, b double)) FROM screening ORDER BY campaign, row;

-- name: fields of a column
SELECT r.x, t.r.y FROM (SELECT CAST(ROW(formula, n_atoms) AS row(x varchar, y bigint)) AS r FROM screening) AS t ORDER BY 1, 2;

-- name: fields by place
SELECT ROW(1, 'a')[2], ROW(n_atoms, formula)[1] FROM screening ORDER BY campaign, row;

-- name: an array of rows
SELECT a, b FROM UNNEST(ARRAY[ROW(1, 'x'), ROW(2, 'y')]) AS t (a, b) ORDER BY a;

-- name: rows collected
SELECT stage, array_agg(ROW(formula, n_atoms) ORDER BY formula, key) FROM results WHERE campaign = 'beta' GROUP BY stage ORDER BY stage;

-- name: the row of the best
SELECT max_by(ROW(formula, stage), energy_ev_per_atom) FROM results WHERE campaign = 'alpha' AND stage = 'scf';

-- name: equal rows
SELECT ROW(1, 2) = ROW(1, 2);

-- name: rows in a list
SELECT count(*) FROM results WHERE (stage, outcome) IN (('scf', 'ok'), ('gap', 'failed'));

-- name: transformed to rows
SELECT transform(elements, e -> ROW(e, length(e))) FROM screening ORDER BY campaign, row;

-- name: a mean by reduce over a row
SELECT reduce(ARRAY[5, 6], CAST(ROW(0e0, 0) AS row(total double, n integer)), (s, x) -> CAST(ROW(s.total + x, s.n + 1) AS row(total double, n integer)), s -> s.total / s.n);

-- name: nulls in rows
SELECT ROW(1, NULL) = ROW(1, 2), ROW(1, NULL) = ROW(2, 3), (1, 2) <> (1, 3), (1, 'a') IN ((1, 'b'), (1, 'a'));
