"""DuckDB macros of JSON, which is held as text."""

from __future__ import annotations

# Numbers in JSON that Athena prints otherwise than DuckDB: 1.50, 1e3, more than 15 digits.
_ODD_NUMBER = r"[0-9][eE]|[.][0-9]+0([^0-9]|$)|[0-9]{16}|[0-9.]{17}"

# Text that does not even begin like JSON: Athena finds nothing in it, and in other text what
# stands before the mistake.
_NO_JSON = "^[a-zA-Z]|^$"

JSONS = f"""
CREATE MACRO json_document(x) AS CASE WHEN x IS NULL OR json_valid(x) THEN x
  ELSE error('not valid JSON: ' || x) END;
CREATE MACRO json_known(x) AS CASE WHEN x IS NULL OR json_valid(x) THEN x
  WHEN regexp_matches(x, '{_NO_JSON}') AND NOT regexp_matches(x, '^(true|false|null)') THEN NULL
  ELSE error('not valid JSON: ' || x) END;
CREATE MACRO json_part(x, p) AS CAST(json_extract(json_known(x), p) AS VARCHAR);
CREATE MACRO json_item_text(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) IN ('ARRAY', 'OBJECT') THEN error('JSON of several values is no text')
  WHEN json_type(x) = 'DOUBLE' AND regexp_matches(x, '{_ODD_NUMBER}')
  THEN error('a number in JSON is written otherwise in Athena; read it AS double')
  WHEN json_type(x) = 'DOUBLE' THEN double_text(TRY_CAST(x AS DOUBLE))
  ELSE json_extract_string(x, '$') END;
CREATE MACRO json_scalar_of(x, whole) AS CASE
  WHEN x IS NULL OR json_type(x) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL
  WHEN json_type(x) = 'DOUBLE' AND (regexp_matches(whole, '{_ODD_NUMBER}')
    OR abs(TRY_CAST(x AS DOUBLE)) >= 1e15
    OR TRY_CAST(x AS DOUBLE) <> 0 AND abs(TRY_CAST(x AS DOUBLE)) < 1e-4)
  THEN error('a number in JSON is written otherwise in Athena; read it with '
    || 'CAST(json_extract(x, path) AS double)')
  ELSE json_extract_string(x, '$') END;
CREATE MACRO json_scalar(x, p) AS json_scalar_of(json_part(x, p), x);
CREATE MACRO json_scalar_canonical(x, p) AS json_scalar_of(json_part(x, p), '');
CREATE MACRO json_of_text(x) AS CASE WHEN regexp_matches(x, '[^\\x20-\\x7E]') THEN error(
  'JSON of a text with line breaks or letters beyond ASCII is not known to agree')
  ELSE CAST(to_json(x) AS VARCHAR) END;
CREATE MACRO json_of_number(x) AS CASE WHEN x = 0 OR abs(x) BETWEEN 1e-3 AND 9999999
  AND length(mantissa(shortest(x))) <= 15 THEN shortest(x) WHEN x IS NULL THEN NULL
  ELSE error('a number in JSON is written otherwise in Athena: ' || shortest(x)) END;
CREATE MACRO json_of_list(a) AS CASE WHEN a IS NULL THEN NULL ELSE '[' || coalesce(
  array_to_string(list_transform(a, lambda e: coalesce(e, 'null')), ','), '') || ']' END;
CREATE MACRO json_item_number(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) IN ('DOUBLE', 'BIGINT', 'UBIGINT') THEN TRY_CAST(x AS DOUBLE)
  WHEN json_type(x) = 'VARCHAR' THEN number_from_text(json_extract_string(x, '$'))
  WHEN json_type(x) = 'BOOLEAN' THEN CASE WHEN x = 'true' THEN 1e0 ELSE 0e0 END
  ELSE error('the JSON value is not a number') END;
CREATE MACRO json_item_whole(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) IN ('BIGINT', 'UBIGINT')
  THEN coalesce(TRY_CAST(x AS BIGINT), error('out of range of bigint'))
  WHEN json_type(x) = 'VARCHAR' THEN whole_from_text(json_extract_string(x, '$'))
  WHEN json_type(x) = 'BOOLEAN' THEN CASE WHEN x = 'true' THEN 1 ELSE 0 END
  ELSE error('the JSON value is not a whole number; CAST it AS double') END;
CREATE MACRO json_item_truth(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) = 'BOOLEAN' THEN x = 'true'
  WHEN json_type(x) = 'VARCHAR' THEN truth_from_text(json_extract_string(x, '$'))
  ELSE error('the JSON value is not true or false') END;
CREATE MACRO json_items(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) <> 'ARRAY' THEN error('the JSON value is not an array')
  ELSE list_transform(json_extract(x, '$[*]'), lambda e: CAST(e AS VARCHAR)) END;
CREATE MACRO json_is_object(x) AS CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
  WHEN json_type(x) <> 'OBJECT' THEN error('the JSON value is not an object') ELSE true END;
CREATE MACRO json_names(x) AS CASE WHEN json_is_object(x) THEN json_keys(x) END;
CREATE MACRO json_member(x, k) AS CAST(json_extract(x,
  '/' || replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR);
CREATE MACRO json_length(x) AS CASE WHEN x IS NULL OR json_known(x) IS NULL
  OR json_type(json_known(x)) <> 'ARRAY' THEN NULL
  ELSE CAST(json_array_length(json_known(x)) AS BIGINT) END;
CREATE MACRO json_members_of(x) AS CASE WHEN x IS NULL THEN NULL
  WHEN json_type(x) = 'ARRAY' THEN CAST(json_array_length(x) AS BIGINT)
  WHEN json_type(x) = 'OBJECT' THEN CAST(len(json_keys(x)) AS BIGINT) ELSE 0 END;
CREATE MACRO json_members(x, p) AS json_members_of(json_part(x, p));
"""
