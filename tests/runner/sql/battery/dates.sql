-- name: complete units between times
SELECT date_diff('day', started_at, finished_at), date_diff('hour', started_at, finished_at), date_diff('minute', started_at, finished_at), date_diff('millisecond', started_at, finished_at) FROM results ORDER BY campaign, stage, key;

-- name: months between dates at ends of months
SELECT date_diff('month', DATE '2026-01-31', DATE '2026-02-28'), date_diff('month', DATE '2026-02-28', DATE '2026-01-31'), date_diff('quarter', DATE '2025-11-30', DATE '2026-02-28'), date_diff('year', DATE '2024-02-29', DATE '2025-02-28');

-- name: added units
SELECT date_add('month', 1, DATE '2026-01-31'), date_add('day', -1, DATE '2026-03-01'), date_add('hour', 5, TIMESTAMP '2026-01-31 22:00:00'), date_add('quarter', 1, started_at) FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: intervals
SELECT started_at + INTERVAL '1' MONTH, started_at - INTERVAL '36' HOUR, DATE '2026-03-31' - INTERVAL '1' MONTH, DATE '2026-01-31' + INTERVAL '1' DAY FROM results ORDER BY campaign, stage, key;

-- name: truncated times
SELECT date_trunc('hour', started_at), date_trunc('week', started_at), date_trunc('month', CAST(started_at AS date)), date_trunc('quarter', started_at), date_trunc('year', started_at) FROM results ORDER BY campaign, stage, key;

-- name: fields
SELECT year(started_at), month(started_at), day(started_at), hour(started_at), minute(started_at), second(started_at), millisecond(started_at), quarter(started_at), week(started_at), day_of_week(started_at), day_of_year(started_at), year_of_week(started_at) FROM results ORDER BY campaign, stage, key;

-- name: extract
SELECT extract(year FROM started_at), extract(dow FROM started_at), extract(doy FROM DATE '2026-12-31'), extract(day FROM DATE '2026-01-31') FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: formatted as in MySQL
SELECT date_format(started_at, '%Y-%m-%d %H:%i:%s'), date_format(started_at, '%e %M %y, %l:%i %p'), date_format(started_at, '%a %b %j %f %W') FROM results ORDER BY campaign, stage, key;

-- name: formatted as in Joda
SELECT format_datetime(started_at, 'yyyy-MM-dd HH:mm:ss.SSS'), format_datetime(started_at, 'EEE d MMM yy') FROM results ORDER BY campaign, stage, key;

-- name: parsed
SELECT date_parse('31.01.2026 10:05', '%d.%m.%Y %H:%i'), parse_datetime('2026-01-31 10:05', 'yyyy-MM-dd HH:mm'), from_iso8601_date('2026-01-31'), from_iso8601_timestamp('2026-01-31T10:05:06Z');

-- name: differences of times
SELECT finished_at - started_at, CAST(finished_at - started_at AS varchar), to_milliseconds(finished_at - started_at) FROM results ORDER BY campaign, stage, key;

-- name: differences of dates
SELECT DATE '2026-03-01' - DATE '2026-02-01', DATE '2026-03-01' - DATE '2026-02-01' > INTERVAL '27' DAY;

-- name: sums of differences
SELECT stage, sum(finished_at - started_at), max(finished_at - started_at) FROM results GROUP BY stage ORDER BY stage;

-- name: seconds since 1970
SELECT to_unixtime(started_at), from_unixtime(0), from_unixtime(1.5e9), CAST(from_unixtime(86400) AS timestamp) FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: rows of a day
SELECT count(*) FROM results WHERE started_at >= TIMESTAMP '2026-01-31 00:00:00' AND started_at < TIMESTAMP '2026-02-01 00:00:00';

-- name: rows since a date
SELECT count(*) FROM results WHERE started_at > DATE '2026-01-31' OR CAST(finished_at AS date) = DATE '2024-03-01';

-- name: a time beside text
SELECT count(*) FROM results WHERE started_at > '2026-01-01';

-- name: ends of months and sequences
SELECT last_day_of_month(started_at), sequence(DATE '2026-02-27', DATE '2026-03-02'), sequence(DATE '2026-01-31', DATE '2026-04-30', INTERVAL '1' MONTH) FROM results WHERE campaign = 'beta' ORDER BY stage, key;

-- name: a time in another zone
SELECT started_at AT TIME ZONE 'Europe/Berlin' FROM results;

-- name: as ISO 8601
SELECT to_iso8601(DATE '2026-01-31'), to_iso8601(started_at) FROM results ORDER BY campaign, stage, key;

-- name: a time is not a number
SELECT DATE '2026-01-31' + 1;

-- name: moments with a zone
SELECT from_unixtime(1e9), hour(from_unixtime(3600)), from_unixtime(1e9) + INTERVAL '1' DAY, from_unixtime(1e9) - from_unixtime(0), CAST(from_unixtime(1e9) AS varchar), from_unixtime(0) = TIMESTAMP '1970-01-01 00:00:00';

-- name: digits of seconds
SELECT CAST(TIMESTAMP '2026-01-31 10:00:00' + INTERVAL '1' DAY AS varchar), CAST(date_add('day', 1, TIMESTAMP '2026-01-31 10:00:00') AS varchar), CAST(date_trunc('month', TIMESTAMP '2026-01-31 10:00:00') AS varchar), to_iso8601(date_trunc('day', TIMESTAMP '2026-01-31 10:00:00.120'));

-- name: parts of intervals
SELECT INTERVAL '3' DAY - INTERVAL '5' HOUR, -INTERVAL '1' DAY, INTERVAL '-14' MONTH, extract(day FROM INTERVAL '50' HOUR), extract(minute FROM INTERVAL '90' MINUTE), extract(year FROM INTERVAL '14' MONTH), extract(hour FROM INTERVAL '-26' HOUR), CAST(INTERVAL '-90' MINUTE AS varchar);
