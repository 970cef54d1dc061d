-- name: made of two arrays
SELECT map(ARRAY['a', 'b'], ARRAY[1, 2]), map(elements, amounts) FROM screening WHERE formula IN ('BaTiO3', 'Cu') ORDER BY campaign, row;

-- name: a value by its key
SELECT map(elements, amounts)['O'], element_at(map(elements, amounts), 'H') FROM screening WHERE contains(elements, 'O') ORDER BY campaign, row;

-- name: no such key
SELECT map(ARRAY['a'], ARRAY[1])['b'];

-- name: keys and values
SELECT map_keys(map(elements, amounts)), map_values(map(elements, amounts)), cardinality(map(elements, amounts)) FROM screening ORDER BY campaign, row;

-- name: entries
SELECT map_entries(map(ARRAY['b', 'a'], ARRAY[1, 2])), map_from_entries(ARRAY[ROW('x', 1), ROW('y', 2)]);

-- name: put together
SELECT map_concat(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b', 'c'], ARRAY[3, 4]));

-- name: filtered and transformed
SELECT map_filter(map(elements, amounts), (k, v) -> v > 1), transform_values(map(elements, amounts), (k, v) -> v * 2), transform_keys(map(elements, amounts), (k, v) -> lower(k)) FROM screening ORDER BY campaign, row;

-- name: a key twice
SELECT map(ARRAY['a', 'a'], ARRAY[1, 2]);

-- name: collected
SELECT outcome, map_agg(formula, n_atoms), multimap_agg(stage, n_atoms) FROM results WHERE campaign = 'beta' GROUP BY outcome ORDER BY outcome;

-- name: counted
SELECT histogram(outcome), histogram(n_atoms) FROM results;

-- name: rows of a map
SELECT k, v FROM (SELECT histogram(formula) AS h FROM results) CROSS JOIN UNNEST(h) AS t (k, v) ORDER BY k;

-- name: nulls and nothing
SELECT map(), cardinality(map(ARRAY[], ARRAY[])), map(ARRAY['a'], ARRAY[NULL])['a'];
