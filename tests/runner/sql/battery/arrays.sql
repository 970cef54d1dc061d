-- name: elements
SELECT elements[1], element_at(elements, -1), element_at(elements, 9), cardinality(elements) FROM screening ORDER BY campaign, row;

-- name: no such element
SELECT elements[9] FROM screening;

-- name: contained
SELECT contains(elements, 'O'), contains(labels, 'oxide'), array_position(elements, 'O'), contains(ARRAY[1, NULL], 2) FROM results ORDER BY campaign, stage, key;

-- name: largest and smallest
SELECT array_max(forces_of_sites), array_min(forces_of_sites), array_max(elements) FROM results ORDER BY campaign, stage, key;

-- name: sorted and distinct
SELECT array_sort(labels), array_distinct(labels), array_sort(forces_of_sites), reverse(elements) FROM results ORDER BY campaign, stage, key;

-- name: filtered and transformed
SELECT filter(forces_of_sites, f -> f > 0), transform(elements, e -> lower(e)), transform(filter(labels, l -> l IS NOT NULL), l -> length(l)) FROM results ORDER BY campaign, stage, key;

-- name: any, all and none
SELECT any_match(forces_of_sites, f -> f > 1), all_match(forces_of_sites, f -> f > -2), none_match(labels, l -> l = 'oxide') FROM results ORDER BY campaign, stage, key;

-- name: reduced
SELECT reduce(forces_of_sites, 0e0, (s, f) -> s + coalesce(f, 0), s -> s), reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 10) FROM results ORDER BY campaign, stage, key;

-- name: joined
SELECT array_join(elements, '-'), array_join(labels, ',', '?'), array_join(forces_of_sites, '; ') FROM results ORDER BY campaign, stage, key;

-- name: slices and sequences
SELECT slice(elements, 2, 2), slice(elements, -1, 5), sequence(1, 5), sequence(5, 1), sequence(1, 10, 4) FROM screening ORDER BY campaign, row;

-- name: put together
SELECT elements || ARRAY['X'], elements || 'Y', concat(ARRAY[1], ARRAY[2, 3]), flatten(ARRAY[ARRAY[1], NULL, ARRAY[2]]) FROM screening ORDER BY campaign, row;

-- name: sets
SELECT array_union(elements, ARRAY['O', 'H']), array_except(elements, ARRAY['O']), array_intersect(elements, ARRAY['Ti', 'O']), arrays_overlap(elements, ARRAY['Cl']) FROM screening ORDER BY campaign, row;

-- name: equal arrays
SELECT elements = ARRAY['Cu'], ARRAY[1, NULL] = ARRAY[1, 2], ARRAY[1, 2] <> ARRAY[1, 3] FROM screening ORDER BY campaign, row;

-- name: zipped
SELECT zip(elements, amounts), zip_with(elements, amounts, (e, n) -> e || CAST(CAST(n AS bigint) AS varchar)) FROM screening ORDER BY campaign, row;

-- name: rows of elements
SELECT s.formula, t.element, t.place FROM screening AS s CROSS JOIN UNNEST(s.elements) WITH ORDINALITY AS t (element, place) ORDER BY s.campaign, s.row, t.place;

-- name: rows of two arrays
SELECT s.row, t.e, t.n FROM screening s CROSS JOIN UNNEST(s.elements, s.amounts) AS t (e, n) WHERE s.campaign = 'alpha' ORDER BY s.row, t.e;

-- name: rows of elements that may be missing
SELECT r.key, t.l FROM results r LEFT JOIN UNNEST(r.labels) AS t (l) ON true ORDER BY r.campaign, r.stage, r.key, t.l;

-- name: elements counted
SELECT e, count(*) FROM screening CROSS JOIN UNNEST(elements) AS t (e) GROUP BY e ORDER BY 2 DESC, 1;

-- name: sorted by a lambda
SELECT array_sort(elements, (a, b) -> if(a < b, 1, if(a = b, 0, -1))) FROM screening;

-- name: nothing in an array
SELECT cardinality(ARRAY[]), repeat('a', 3), array_remove(labels, 'oxide') FROM results ORDER BY campaign, stage, key;

-- name: joined by letters that are not written
SELECT array_join(elements, chr(10)), array_join(labels, chr(9), chr(63)), array_join(elements, stage), array_join(labels, '-' || stage, outcome), concat_ws(chr(32), elements), concat_ws(stage, labels) FROM results ORDER BY campaign, stage, key;

-- name: joined by nothing and by null
SELECT array_join(ARRAY['a', 'b'], ''), array_join(ARRAY['a', NULL], CAST(NULL AS varchar)), array_join(ARRAY['a', NULL], ',', CAST(NULL AS varchar)), array_join(filter(elements, e -> e = 'none'), stage) FROM results ORDER BY campaign, stage, key;

-- name: numbered elements with rounded values
SELECT zip_with(elements, sequence(1, least(cardinality(elements), 2)), (e, n) -> e || CAST(n AS varchar)), transform(forces_of_sites, f -> CAST(CAST(-1 * f AS decimal(38, 8)) AS varchar)) FROM results ORDER BY campaign, stage, key;
