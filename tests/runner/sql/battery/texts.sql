-- name: parts of a text
SELECT substr(formula, 1, 2), substr(formula, -2), substr('abc', 0), substr('abc', -5), substr('abc', 2, 10), substring(formula, 2) FROM screening ORDER BY campaign, row;

-- name: substring from and for
SELECT substring('abcdef' FROM 2 FOR 3), substring('abcdef' FROM 3), position('cd' IN 'abcdef'), position('x' IN 'abc');

-- name: white space
SELECT trim(remark), ltrim(remark), rtrim(remark), length(remark) FROM results ORDER BY campaign, stage, key;

-- name: split into parts
SELECT split('a,b,,c', ','), split_part('a,b', ',', 2), split_part('a,b', ',', 3), split('a,b,c', ',', 2);

-- name: padding
SELECT lpad('7', 3, '0'), rpad('abc', 2, 'x'), lpad(formula, 8, '.-') FROM screening ORDER BY campaign, row;

-- name: replace and translate
SELECT replace(formula, 'O', '-'), replace(formula, 'Ti'), translate(formula, 'OT', '0') FROM screening ORDER BY campaign, row;

-- name: wildcards
SELECT formula FROM screening WHERE formula LIKE '%O_' OR formula LIKE 'C%' ORDER BY campaign, row;

-- name: wildcards escaped
SELECT count(*) FROM results WHERE remark LIKE '%!%%' ESCAPE '!' AND remark NOT LIKE 'x%';

-- name: case and order of texts
SELECT lower(formula), upper(formula), formula < 'Cs', reverse(formula) FROM screening ORDER BY formula, campaign;

-- name: letters beyond ASCII
SELECT remark, length(remark), substr(remark, 3, 1), remark || '!' FROM results WHERE remark LIKE 'Gr%';

-- name: upper case of sharp s
SELECT upper(remark) FROM results WHERE remark LIKE 'Gr%';

-- name: texts joined with a separator
SELECT concat_ws(', ', formula, outcome, failure), concat(formula, '/', stage) FROM results ORDER BY campaign, stage, key;

-- name: where a text stands
SELECT strpos(formula, 'O'), starts_with(formula, 'Ba'), codepoint('A'), chr(8364) FROM screening ORDER BY campaign, row;

-- name: the second place of a text
SELECT strpos('abcabc', 'b', 2);

-- name: distances
SELECT levenshtein_distance(formula, 'BaTiO3'), hamming_distance('abc', 'abd') FROM screening ORDER BY campaign, row;

-- name: hashes
SELECT to_hex(md5(to_utf8(formula))), to_hex(sha256(to_utf8(formula))), to_base64(to_utf8(formula)) FROM screening ORDER BY campaign, row;

-- name: bytes
SELECT to_utf8('abc'), from_utf8(X'616263'), from_base64('YWJj'), length(to_utf8('é'));

-- name: printed like in C
SELECT format('%s has %d atoms, %.2f', formula, n_atoms, tolerance_factor), format('%05d|%5d|%%', n_atoms, n_atoms) FROM screening ORDER BY campaign, row;

-- name: a text and a number
SELECT formula || n_atoms FROM screening;

-- name: numbers in other bases
SELECT to_base(255, 16), to_base(-5, 2), url_encode('a b&c=d');

-- name: a half printed
SELECT format('%.1f', 0.25e0), format('%.2f', 1.005e0), format('%.0f', 2.5e0), format('%.3f', tolerance_factor) FROM screening ORDER BY campaign, row;

-- name: trimmed of other letters
SELECT trim(BOTH ' ' FROM '  a  '), trim(LEADING 'x' FROM 'xxax'), rtrim('abba', 'ab'), trim(remark) FROM results ORDER BY campaign, stage, key;

-- name: letters by their numbers
SELECT chr(10), chr(65) || chr(127), split('a' || chr(10) || 'b', chr(10)), replace('a,b', chr(44), chr(9)), chr(n_atoms + 64), 'x' = chr(120) FROM screening ORDER BY campaign, row;

-- name: the letter of no number
SELECT chr(CAST(NULL AS integer)), length(chr(0 + 7)) FROM screening ORDER BY campaign, row;
