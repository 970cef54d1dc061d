-- name: a value by its path
SELECT json_extract_scalar(choice, '$.A'), json_extract_scalar(choice, '$.n'), json_extract_scalar(choice, '$.x'), json_extract_scalar(choice, '$.none') FROM screening ORDER BY campaign, row;

-- name: values of any kind
SELECT json_extract_scalar(details, '$.mesh'), json_extract_scalar(details, '$.kind'), json_extract_scalar(details, '$.spin'), json_extract_scalar(details, '$[0]'), json_extract_scalar(details, '$[1]') FROM results ORDER BY campaign, stage, key;

-- name: numbers
SELECT CAST(json_extract(details, '$.cutoff_ry') AS double), CAST(json_extract(details, '$.n') AS bigint), CAST(json_extract(choice, '$.x') AS double) FROM results, screening WHERE screening.row = 2 AND screening.campaign = 'alpha' ORDER BY results.campaign, stage, key;

-- name: parts
SELECT json_extract(details, '$.nested'), json_extract(details, '$.list'), json_extract(structure, '$.species') FROM results ORDER BY campaign, stage, key;

-- name: arrays
SELECT CAST(json_extract(details, '$.mesh') AS array(bigint)), CAST(json_extract(details, '$.list') AS array(varchar)), CAST(json_extract(structure, '$.lattice_ang') AS array(array(double))) FROM results ORDER BY campaign, stage, key;

-- name: maps and rows
SELECT CAST(json_parse('{"a": 1, "b": null}') AS map(varchar, bigint)), CAST(json_parse('{"a": 1, "b": "x"}') AS row(a bigint, b varchar)).b, CAST(json_parse(choice) AS map(varchar, varchar)) FROM screening WHERE row = 4 ORDER BY campaign;

-- name: lengths
SELECT json_array_length(recovery), json_array_length(details), json_size(details, '$.nested'), json_size(details, '$.mesh') FROM results ORDER BY campaign, stage, key;

-- name: rows of an array
SELECT r.key, json_extract_scalar(t.step, '$.failure') FROM results r CROSS JOIN UNNEST(CAST(json_parse(r.recovery) AS array(json))) AS t (step) ORDER BY r.campaign, r.stage, r.key;

-- name: columns of JSON as they are
SELECT recovery, structure, json_parse(details), json_format(json_parse(details)) FROM results ORDER BY campaign, stage, key;

-- name: literals
SELECT JSON '{"b": 1, "a": [1, 2]}', json_extract('{"a": {"b": "c"}}', '$.a.b') IS NULL, json_format(JSON '[1, "x", null, true]'), CAST(JSON '"x"' AS varchar);

-- name: values to JSON
SELECT json_format(CAST(ARRAY[1, 2] AS json)), json_format(CAST(formula AS json)), json_format(CAST(tolerance_factor AS json)) FROM screening ORDER BY campaign, row;

-- name: no JSON
SELECT json_extract_scalar('not JSON', '$.a'), json_array_length('x');

-- name: parsing of what is no JSON
SELECT json_parse('not JSON');

-- name: a path with a name in brackets
SELECT json_extract_scalar(details, '$["a b"]'), json_extract_scalar(details, '$[1]') FROM results ORDER BY campaign, stage, key;

-- name: a path of the standard
SELECT json_value(details, 'lax $.kind') FROM results;

-- name: text beside JSON
SELECT json_extract(details, '$.kind') = 'gamma' FROM results;

-- name: numbers written otherwise
SELECT json_extract_scalar('{"a": 1.50, "b": 1e3}', '$.a');

-- name: arrays of arrays of numbers
SELECT CAST(JSON '[[1, 2.5], [], [-1, null]]' AS array(array(double))), CAST(json_extract(structure, '$.lattice_ang') AS array(array(double))), element_at(element_at(CAST(json_extract(structure, '$.lattice_ang') AS array(array(double))), 2), 1), CAST(json_extract(structure, '$.frac_coords') AS array(array(double))) FROM results ORDER BY campaign, stage, key;
