"""DuckDB macros of times, texts and bytes."""

from __future__ import annotations

TIMES = r"""
CREATE MACRO whole_days(ms) AS CASE WHEN ms % 86400000 = 0 THEN ms // 86400000 ELSE error(
  'a date moves by whole days; CAST it AS timestamp') END;
CREATE MACRO days_text(ms) AS CASE WHEN ms < 0 THEN '-' ELSE '' END
  || CAST(abs(ms) // 86400000 AS VARCHAR) || ' '
  || printf('%02d:%02d:%02d.%03d', (abs(ms) // 3600000) % 24, (abs(ms) // 60000) % 60,
    (abs(ms) // 1000) % 60, abs(ms) % 1000);
CREATE MACRO months_text(m) AS CASE WHEN m < 0 THEN '-' ELSE '' END
  || CAST(abs(m) // 12 AS VARCHAR) || '-' || CAST(abs(m) % 12 AS VARCHAR);
CREATE MACRO moment_of(x) AS make_timestamp(CAST(round(x * 1e3) AS BIGINT) * 1000);
CREATE MACRO moment_from_iso(x) AS CASE WHEN x IS NULL THEN NULL
  WHEN regexp_full_match(x,
    '[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,3})?)?Z?)?')
  THEN coalesce(TRY_CAST(replace(replace(x, 'T', ' '), 'Z', '') AS TIMESTAMP),
    error('there is no such time: ' || x))
  ELSE error('cannot read ''' || x || ''' here: write it like 2026-01-31T10:00:00Z, in UTC') END;
CREATE MACRO try_date_from_text(x) AS CASE
  WHEN regexp_full_match(x, '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN TRY_CAST(x AS DATE)
  WHEN regexp_matches(x, '^\s*[+-]?[0-9]+-[0-9]+-[0-9]+')
  THEN error('the text ''' || x || ''' may be a date in Athena; write YYYY-MM-DD') END;
CREATE MACRO try_timestamp_from_text(x) AS CASE
  WHEN regexp_full_match(x,
    '[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,3})?)?)?')
  THEN TRY_CAST(x AS TIMESTAMP)
  WHEN regexp_matches(x, '^\s*[+-]?[0-9]+-[0-9]+-[0-9]+')
  THEN error('the text ''' || x || ''' may be a time in Athena; write YYYY-MM-DD HH:MM:SS') END;
CREATE MACRO one_date(x) AS CASE WHEN regexp_matches(x, '^\s|\s$') THEN error(
  'a date with blanks around it: write trim(x)') ELSE x END;
CREATE MACRO day_sequence(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
  WHEN abs(b - a) >= 10000 THEN error('sequence: at most 10000 entries')
  ELSE list_transform(CASE WHEN a <= b THEN range(0, date_diff('day', a, b) + 1)
    ELSE range(0, date_diff('day', a, b) - 1, -1) END, lambda n: a + CAST(n AS INTEGER)) END;
CREATE MACRO day_steps(a, b, ms) AS CASE WHEN a IS NULL OR b IS NULL OR ms IS NULL THEN NULL
  WHEN ms = 0 OR (b - a) * ms < 0 THEN error('sequence: the step leads away from its end')
  WHEN abs((b - a) // whole_days(ms)) >= 10000 THEN error('sequence: at most 10000 entries')
  ELSE list_transform(range(0, (b - a) // whole_days(ms) + 1),
    lambda n: a + CAST(n * whole_days(ms) AS INTEGER)) END;
CREATE MACRO month_steps(a, b, m) AS CASE WHEN a IS NULL OR b IS NULL OR m IS NULL THEN NULL
  WHEN m <= 0 OR b < a THEN error('sequence: only forward by months here')
  ELSE list_filter(list_transform(range(0, date_diff('month', a, b) // m + 1),
    lambda n: CAST(a + to_months(CAST(n * m AS INTEGER)) AS DATE)), lambda d: d <= b) END;
CREATE MACRO some_text(x) AS CASE WHEN x = '' THEN error(
  'replace of an empty text: leave such rows out') ELSE x END;
CREATE MACRO one_letter(x) AS CASE WHEN length(x) = 1 OR x IS NULL THEN x ELSE error(
  'codepoint takes one letter') END;
CREATE MACRO code_point(n) AS CASE WHEN n IS NULL THEN NULL WHEN n BETWEEN 1 AND 1114111
  AND NOT n BETWEEN 55296 AND 57343 THEN chr(CAST(n AS INTEGER))
  ELSE error('chr takes a code point') END;
CREATE MACRO in_base(x, n) AS CASE WHEN n BETWEEN 2 AND 36
  THEN CASE WHEN x < 0 THEN '-' ELSE '' END || lower(to_base(abs(x), CAST(n AS INTEGER)))
  WHEN x IS NULL OR n IS NULL THEN NULL ELSE error('to_base takes a base from 2 to 36') END;
CREATE MACRO text_part(s, d, n) AS CASE WHEN n < 1 THEN error('split_part counts from 1')
  ELSE list_extract(str_split(s, d), n) END;
CREATE MACRO split_at_most(s, d, n) AS CASE WHEN s IS NULL THEN NULL
  WHEN len(str_split(s, d)) <= n THEN str_split(s, d)
  ELSE list_append(list_slice(str_split(s, d), 1, n - 1),
    array_to_string(list_slice(str_split(s, d), n, len(str_split(s, d))), d)) END;
CREATE MACRO signed_like(t, x) AS CASE WHEN x < 0 AND t[1] <> '-' THEN '-' || t ELSE t END;
CREATE MACRO zeros_before(t, n) AS CASE WHEN starts_with('null', t) THEN error(
  'format() of NULL with zeros before it') WHEN length(t) >= n THEN t WHEN t[1] = '-'
  THEN '-' || lpad(t[2:], n - 1, '0') ELSE lpad(t, n, '0') END;
CREATE MACRO blanks_before(t, n) AS CASE WHEN length(t) >= n THEN t ELSE lpad(t, n, ' ') END;
"""
