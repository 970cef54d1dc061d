"""DuckDB macros that give Trino's answer, or fail, where DuckDB's own function would differ."""

from __future__ import annotations

# Code points that Trino's trim() takes off: those of Java's Character.isWhitespace.
_WHITE = (
    *range(9, 14),
    *range(28, 33),
    0x1680,
    *range(0x2000, 0x2007),
    *range(0x2008, 0x200B),
    0x2028,
    0x2029,
    0x205F,
    0x3000,
)
WHITE_SPACE = " || ".join(f"chr({code})" for code in _WHITE)
"""The same as an SQL expression."""

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
# What Java's Double.parseDouble takes beyond plain numbers; refused rather than guessed.
_ODD_NUMBER = r"^[\x00-\x20]|[\x00-\x20]$|[dDfF]$|NaN|Infinity|0[xX]"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?)?"

# DuckDB lifts an expression that occurs twice out of its CASE, so that a plain CAST may fail on
# rows that the CASE keeps away from it: hence TRY_CAST and coalesce(..., error(...)).
MACROS = f"""
CREATE MACRO nonzero(x) AS CASE WHEN x = 0 THEN error(
  'division by zero; Athena answers Infinity or NaN here: write x / nullif(y, 0)') ELSE x END;
CREATE MACRO finite(x) AS CASE WHEN isfinite(x) OR x IS NULL THEN x ELSE error(
  'a result is infinite or not a number; leave such rows out with WHERE or CASE') END;
CREATE MACRO positive(x, what) AS CASE WHEN x <= 0 THEN error(
  what || ' of a number that is not positive; leave such rows out with WHERE or CASE')
  ELSE x END;
CREATE MACRO not_negative(x) AS CASE WHEN x < 0 THEN error(
  'sqrt of a negative number; leave such rows out with WHERE or CASE') ELSE x END;
CREATE MACRO plain(x) AS CASE WHEN regexp_matches(x, '[^\\x00-\\x7F]') THEN error(
  'this function is only known to agree with Athena on plain ASCII text') ELSE x END;
CREATE MACRO one_line(x) AS CASE WHEN regexp_matches(x, '[^\\t\\x20-\\x7E]') THEN error(
  'regular expressions agree with Athena on single lines of plain ASCII text; use LIKE, or '
  || 'replace the line breaks') ELSE x END;
CREATE MACRO whole_from_text(x) AS CASE WHEN regexp_full_match(x, '[+-]?[0-9]+')
  THEN coalesce(TRY_CAST(x AS BIGINT), error('out of range: ' || x))
  WHEN x IS NULL THEN NULL
  ELSE error('cannot cast ''' || x || ''' to bigint; use TRY_CAST') END;
CREATE MACRO try_whole_from_text(x) AS CASE WHEN regexp_full_match(x, '[+-]?[0-9]+')
  THEN TRY_CAST(x AS BIGINT) END;
CREATE MACRO number_from_text(x) AS CASE WHEN regexp_full_match(x, '{_NUMBER}')
  THEN coalesce(finite(TRY_CAST(x AS DOUBLE)), error('out of range: ' || x))
  WHEN x IS NULL THEN NULL
  ELSE error('cannot cast ''' || x || ''' to double; use TRY_CAST') END;
CREATE MACRO try_number_from_text(x) AS CASE WHEN regexp_full_match(x, '{_NUMBER}')
  THEN coalesce(finite(TRY_CAST(x AS DOUBLE)), error('out of range: ' || x))
  WHEN regexp_matches(x, '{_ODD_NUMBER}')
  THEN error('the text ''' || x || ''' may be a number in Athena; clean it with trim') END;
CREATE MACRO try_truth_from_text(x) AS CASE WHEN lower(x) IN ('true', 't', '1') THEN true
  WHEN lower(x) IN ('false', 'f', '0') THEN false END;
CREATE MACRO truth_from_text(x) AS CASE WHEN x IS NULL THEN NULL
  WHEN lower(x) IN ('true', 't', '1') THEN true WHEN lower(x) IN ('false', 'f', '0') THEN false
  ELSE error('cannot cast ''' || x || ''' to boolean; use TRY_CAST') END;
CREATE MACRO date_from_text(x) AS CASE
  WHEN regexp_full_match(x, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')
  THEN coalesce(TRY_CAST(x AS DATE), error('there is no such date: ' || x))
  WHEN x IS NULL THEN NULL ELSE error('cannot cast ''' || x || ''' to date; YYYY-MM-DD') END;
CREATE MACRO timestamp_from_text(x) AS CASE
  WHEN regexp_full_match(x, '{_TIME}')
  THEN coalesce(TRY_CAST(x AS TIMESTAMP), error('there is no such time: ' || x))
  WHEN x IS NULL THEN NULL
  ELSE error('cannot cast ''' || x || ''' to timestamp; YYYY-MM-DD HH:MM:SS') END;
CREATE MACRO substring_from(s, b) AS CASE WHEN s IS NULL OR b IS NULL THEN NULL
  WHEN b = 0 OR b < -length(s) THEN '' ELSE substr(s, b) END;
CREATE MACRO substring_of(s, b, n) AS CASE WHEN s IS NULL OR b IS NULL OR n IS NULL THEN NULL
  WHEN n <= 0 OR b = 0 OR b < -length(s) THEN '' ELSE substr(s, b, n) END;
CREATE MACRO subscript(a, i) AS CASE WHEN a IS NULL OR i IS NULL THEN NULL
  WHEN i < 1 OR i > len(a) THEN error('array subscript out of range; use element_at')
  ELSE list_extract(a, i) END;
CREATE MACRO element(a, i) AS CASE WHEN i = 0 THEN error('array indices start at 1')
  ELSE list_extract(a, i) END;
CREATE MACRO array_contains(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
  WHEN list_contains(a, x) THEN true WHEN len(a) > list_count(a) THEN NULL ELSE false END;
CREATE MACRO joined(a, s) AS CASE WHEN a IS NULL OR s IS NULL THEN NULL
  ELSE coalesce(array_to_string(a, s), '') END;
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
CREATE MACRO whole_sequence(a, b) AS CASE WHEN a <= b THEN generate_series(a, b)
  ELSE generate_series(a, b, -1) END;
CREATE MACRO json_scalar(x, p) AS CASE
  WHEN x IS NULL OR NOT json_valid(x) THEN NULL
  WHEN json_type(x, p) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL
  WHEN json_type(x, p) = 'DOUBLE' AND TRY_CAST(json_extract(x, p) AS DOUBLE) <> 0
    AND (abs(TRY_CAST(json_extract(x, p) AS DOUBLE)) >= 1e15
      OR abs(TRY_CAST(json_extract(x, p) AS DOUBLE)) < 1e-4)
  THEN error('a number in JSON is written otherwise in Athena; read it with '
    || 'CAST(json_extract(x, path) AS double)')
  ELSE json_extract_string(x, p) END;
CREATE MACRO json_number(x, p) AS CASE
  WHEN x IS NULL OR NOT json_valid(x) OR json_type(x, p) IS NULL OR json_type(x, p) = 'NULL'
  THEN NULL WHEN json_type(x, p) IN ('DOUBLE', 'BIGINT', 'UBIGINT')
  THEN TRY_CAST(json_extract(x, p) AS DOUBLE) ELSE error('the JSON value is not a number') END;
CREATE MACRO json_whole(x, p) AS CASE
  WHEN x IS NULL OR NOT json_valid(x) OR json_type(x, p) IS NULL OR json_type(x, p) = 'NULL'
  THEN NULL WHEN json_type(x, p) IN ('BIGINT', 'UBIGINT')
  THEN coalesce(TRY_CAST(json_extract(x, p) AS BIGINT), error('out of range of bigint'))
  ELSE error('the JSON value is not a whole number; CAST it AS double') END;
CREATE MACRO json_numbers(x, p) AS CASE
  WHEN x IS NULL OR NOT json_valid(x) OR json_type(x, p) IS NULL OR json_type(x, p) = 'NULL'
  THEN NULL WHEN json_type(x, p) <> 'ARRAY' THEN error('the JSON value is not an array')
  WHEN regexp_matches(CAST(json_extract(x, p) AS VARCHAR), '["{{tf]')
  THEN error('the JSON array holds other things than numbers')
  ELSE coalesce(TRY_CAST(json_extract(x, p) AS DOUBLE[]),
    error('the JSON array holds other things than numbers')) END;
CREATE MACRO json_length(x, p) AS CASE
  WHEN x IS NULL OR NOT json_valid(x) OR json_type(x, p) IS NULL
    OR json_type(x, p) <> 'ARRAY' THEN NULL
  ELSE CAST(json_array_length(x, p) AS BIGINT) END;
"""
