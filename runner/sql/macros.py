"""DuckDB macros that give Trino's answer, or fail, where DuckDB's own function would differ."""

from __future__ import annotations

from runner.sql.array_macros import ARRAYS
from runner.sql.json_macros import JSONS
from runner.sql.time_macros import TIMES

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
_NUMBERS = f"""
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
CREATE MACRO too_deep(n) AS CASE WHEN n > 0 THEN error(
  'WITH RECURSIVE goes deeper than 10 steps, which Athena does not do') ELSE false END;
CREATE MACRO of_one(x) AS CASE WHEN x BETWEEN -1 AND 1 OR x IS NULL THEN x ELSE error(
  'acos and asin take numbers from -1 to 1; leave others out with WHERE or CASE') END;
CREATE MACRO cube_root(x) AS CASE WHEN round(cbrt(x)) * round(cbrt(x)) * round(cbrt(x)) = x
  THEN round(cbrt(x)) ELSE cbrt(x) END;
CREATE MACRO round_to(x, n) AS CASE WHEN n < 0 OR n > 15 THEN error(
  'round() to such digits is not known to agree; round to 0 to 15 digits')
  WHEN abs(x) * power(1e1, n) >= 9e15 THEN x ELSE round(x, n) END;
CREATE MACRO units_rounded(a, b) AS CAST(sign(a) * sign(b) AS HUGEINT)
  * ((abs(a) * 2 + abs(b)) // (abs(b) * 2));
CREATE MACRO whole_round(x, n) AS CASE WHEN n >= 0 THEN CAST(x AS HUGEINT) ELSE
  units_rounded(CAST(x AS HUGEINT), CAST(power(10, -n) AS HUGEINT))
  * CAST(power(10, -n) AS HUGEINT) END;
CREATE MACRO decimal_quotient(a, b) AS CASE WHEN b = 0 THEN error('division by zero')
  ELSE units_rounded(a, b) END;
CREATE MACRO decimal_rest(a, b) AS CASE WHEN b = 0 THEN error('division by zero')
  ELSE a % b END;
CREATE MACRO decimal_round(a, b) AS units_rounded(a, b);
CREATE MACRO decimal_truncate(a, b) AS CAST(sign(a) AS HUGEINT) * (abs(a) // b);
CREATE MACRO decimal_floor(a, b) AS CASE WHEN a >= 0 THEN a // b ELSE -((-a + b - 1) // b) END;
CREATE MACRO decimal_ceil(a, b) AS CASE WHEN a <= 0 THEN -(-a // b) ELSE (a + b - 1) // b END;
CREATE MACRO bits_set(x, n) AS CASE WHEN x IS NULL OR n IS NULL THEN NULL
  WHEN n = 64 THEN bit_count(x) ELSE error('bit_count: only of 64 bits here') END;
CREATE MACRO bucket_of(x, low, high, n) AS CASE
  WHEN x IS NULL OR low IS NULL OR high IS NULL OR n IS NULL THEN NULL
  WHEN n <= 0 OR low = high THEN error('width_bucket: bounds or count do not fit')
  WHEN low < high AND x < low OR low > high AND x > low THEN 0
  WHEN low < high AND x >= high OR low > high AND x <= high THEN n + 1
  ELSE CAST(floor(n * (x - low) / (high - low)) AS BIGINT) + 1 END;
CREATE MACRO shortest(x) AS CAST(x AS VARCHAR);
CREATE MACRO mantissa(s) AS ltrim(replace(regexp_extract(s, '^-?([0-9.]+)', 1), '.', ''), '0');
CREATE MACRO point_at(s) AS
  CASE WHEN contains(s, 'e') THEN CAST(regexp_extract(s, 'e(.*)$', 1) AS INTEGER) ELSE 0 END
  + CASE WHEN regexp_matches(s, '^-?0[.]')
    THEN -length(regexp_extract(s, '^-?0[.](0*)', 1)) - 1
    ELSE length(regexp_extract(s, '^-?([0-9]+)', 1)) - 1 END;
CREATE MACRO double_text(x) AS CASE WHEN x IS NULL THEN NULL WHEN x = 0
  THEN CASE WHEN shortest(x)[1] = '-' THEN error('a negative zero as text') ELSE '0E0' END
  WHEN NOT isfinite(x) THEN error('a number is infinite or no number')
  WHEN length(rtrim(mantissa(shortest(x)), '0')) > 15 THEN error('the last digits of '
    || shortest(x) || ' as text are not known to agree; CAST it AS decimal(38, 10) first')
  ELSE CASE WHEN x < 0 THEN '-' ELSE '' END || left(mantissa(shortest(x)), 1) || '.'
    || coalesce(nullif(rtrim(substr(mantissa(shortest(x)), 2), '0'), ''), '0')
    || 'E' || CAST(point_at(shortest(x)) AS VARCHAR) END;
CREATE MACRO decimal_from_text(x) AS CASE WHEN x IS NULL
  OR regexp_full_match(x, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)') THEN x
  ELSE error('cannot cast ''' || x || ''' to decimal; use TRY_CAST') END;
CREATE MACRO try_decimal_from_text(x) AS CASE
  WHEN regexp_full_match(x, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)') THEN x
  WHEN regexp_matches(x, '^[\\x00-\\x20]|[\\x00-\\x20]$|[eE]')
  THEN error('the text ''' || x || ''' may be a number in Athena; clean it') END;
CREATE MACRO skewness_of(s, n) AS CASE WHEN n < 3 THEN NULL
  ELSE finite(s * (n - 2) / sqrt(n * (n - 1e0))) END;
"""

MACROS = _NUMBERS + TIMES + ARRAYS + JSONS
