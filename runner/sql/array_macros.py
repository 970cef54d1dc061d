"""DuckDB macros of arrays and maps."""

from __future__ import annotations

ARRAYS = """
CREATE MACRO subscript(a, i) AS CASE WHEN a IS NULL OR i IS NULL THEN NULL
  WHEN i < 1 OR i > len(a) THEN error('array subscript out of range; use element_at')
  ELSE list_extract(a, i) END;
CREATE MACRO element(a, i) AS CASE WHEN i = 0 THEN error('array indices start at 1')
  ELSE list_extract(a, i) END;
CREATE MACRO array_contains(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
  WHEN list_contains(a, x) THEN true WHEN len(a) > list_count(a) THEN NULL ELSE false END;
CREATE MACRO joined(a, s) AS CASE WHEN a IS NULL OR s IS NULL THEN NULL
  ELSE coalesce(array_to_string(a, s), '') END;
CREATE MACRO joined_by(a, s) AS CASE WHEN a IS NULL OR s IS NULL THEN NULL ELSE substr(
  list_reduce(list_filter(a, lambda e: e IS NOT NULL), lambda x, y: x || s || y, ''),
  length(s) + 1) END;
CREATE MACRO array_place(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
  ELSE coalesce(list_position(a, x), 0) END;
CREATE MACRO array_largest(a) AS CASE WHEN len(a) = list_count(a) THEN list_max(a) END;
CREATE MACRO array_smallest(a) AS CASE WHEN len(a) = list_count(a) THEN list_min(a) END;
CREATE MACRO array_first_seen(a) AS
  list_filter(a, lambda x, i: list_position(a, x) = i);
CREATE MACRO array_slice_of(a, b, n) AS CASE WHEN a IS NULL OR b IS NULL OR n IS NULL THEN NULL
  WHEN b = 0 THEN error('array indices start at 1')
  WHEN n < 0 THEN error('slice: length must not be negative')
  WHEN n = 0 OR b > len(a) OR b < -len(a) THEN a[1:0]
  WHEN b > 0 THEN list_slice(a, b, b + n - 1)
  ELSE list_slice(a, len(a) + b + 1, len(a) + b + n) END;
CREATE MACRO whole_sequence(a, b) AS CASE WHEN abs(a - b) >= 10000
  THEN error('sequence: at most 10000 entries') WHEN a <= b THEN generate_series(a, b)
  ELSE generate_series(a, b, -1) END;
CREATE MACRO whole_steps(a, b, s) AS CASE WHEN a IS NULL OR b IS NULL OR s IS NULL THEN NULL
  WHEN s = 0 OR (b - a) * s < 0 THEN error('sequence: the step leads away from its end')
  WHEN abs((b - a) // s) >= 10000 THEN error('sequence: at most 10000 entries')
  ELSE generate_series(a, b, s) END;
CREATE MACRO filled(a, missing) AS CASE WHEN a IS NULL OR missing IS NULL THEN NULL
  ELSE list_transform(a, lambda x: coalesce(x, missing)) END;
CREATE MACRO same_array(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN len(a) <> len(b) THEN false
  WHEN list_contains(list_transform(range(1, len(a) + 1),
    lambda i: list_extract(a, i) = list_extract(b, i)), false) THEN false
  WHEN len(a) > list_count(a) OR len(b) > list_count(b) THEN NULL ELSE true END;
CREATE MACRO arrays_joined(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  ELSE list_concat(a, b) END;
CREATE MACRO arrays_flat(a) AS CASE WHEN a IS NULL THEN NULL ELSE flatten(a) END;
CREATE MACRO array_less(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
  ELSE list_filter(a, lambda e: e IS DISTINCT FROM x) END;
CREATE MACRO array_without(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN len(b) = 0 THEN a
  ELSE list_filter(array_first_seen(a), lambda e: list_position(b, e) IS NULL) END;
CREATE MACRO array_of_both(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN len(a) < len(b)
  THEN list_filter(array_first_seen(b), lambda e: list_position(a, e) IS NOT NULL)
  ELSE list_filter(array_first_seen(a), lambda e: list_position(b, e) IS NOT NULL) END;
CREATE MACRO arrays_share(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN list_has_any(list_filter(a, lambda e: e IS NOT NULL),
    list_filter(b, lambda e: e IS NOT NULL)) THEN true
  WHEN len(a) > list_count(a) AND len(b) > 0 OR len(b) > list_count(b) AND len(a) > 0
  THEN NULL ELSE false END;
CREATE MACRO repeated(x, n) AS CASE WHEN n IS NULL THEN NULL
  WHEN n < 0 THEN error('repeat: the count must not be negative')
  ELSE list_transform(range(0, n), lambda i: x) END;
CREATE MACRO any_true(a) AS CASE WHEN a IS NULL THEN NULL WHEN list_contains(a, true) THEN true
  WHEN len(a) > list_count(a) THEN NULL ELSE false END;
CREATE MACRO all_true(a) AS CASE WHEN a IS NULL THEN NULL WHEN list_contains(a, false) THEN false
  WHEN len(a) > list_count(a) THEN NULL ELSE true END;
CREATE MACRO map_item(m, k) AS CASE WHEN m IS NULL OR k IS NULL THEN NULL
  WHEN NOT map_contains(m, k) THEN error('the map has no such key; use element_at')
  ELSE map_extract_value(m, k) END;
CREATE MACRO map_of(k, v) AS CASE WHEN k IS NULL OR v IS NULL THEN NULL
  WHEN len(k) <> len(v) THEN error('map: as many keys as values') ELSE map(k, v) END;
CREATE MACRO keyed(p) AS list_filter(p, lambda e: e.k IS NOT NULL);
CREATE MACRO map_of_pairs(p) AS CASE WHEN p IS NULL THEN NULL ELSE map_from_entries(
  list_filter(keyed(p), lambda e, i:
    list_position(list_transform(keyed(p), lambda o: o.k), e.k) = i)) END;
CREATE MACRO map_of_many(p) AS CASE WHEN p IS NULL THEN NULL ELSE map_from_entries(
  list_transform(array_first_seen(list_transform(keyed(p), lambda o: o.k)), lambda key:
    struct_pack(k := key, v := list_transform(list_filter(keyed(p), lambda o: o.k = key),
      lambda o: o.v)))) END;
"""
