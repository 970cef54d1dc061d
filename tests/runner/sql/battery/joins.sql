-- name: a join of screening and results
SELECT s.row, r.stage, r.outcome FROM screening AS s JOIN results AS r ON r.candidate_id = s.candidate_id AND r.campaign = s.campaign WHERE s.campaign = 'beta';

-- name: a left join
SELECT s.campaign, s.row, r.outcome FROM screening s LEFT JOIN results r ON r.candidate_id = s.candidate_id AND r.stage = 'scf' ORDER BY 1, 2;

-- name: a full join by a column
SELECT formula, a.n, b.n FROM (SELECT formula, count(*) AS n FROM screening WHERE campaign = 'alpha' GROUP BY formula) a FULL JOIN (SELECT formula, count(*) AS n FROM screening WHERE campaign = 'beta' GROUP BY formula) b USING (formula) ORDER BY 1;

-- name: a cross join
SELECT a.campaign, b.stage FROM campaigns a CROSS JOIN (SELECT DISTINCT stage FROM results) b ORDER BY 1, 2;

-- name: attempts of results
SELECT a.stage, a.outcome, count(*), sum(a.walltime_s) FROM attempts a JOIN results r ON a.key = r.key AND a.campaign = r.campaign GROUP BY a.stage, a.outcome ORDER BY 1, 2;

-- name: stages beside each other
SELECT s.formula, s.energy_ev_per_atom, g.band_gap_ev FROM results s JOIN results g ON s.candidate_id = g.candidate_id WHERE s.stage = 'scf' AND g.stage = 'gap' AND s.campaign = 'alpha' ORDER BY 1;

-- name: rows from a lateral subquery
SELECT c.campaign, t.n FROM campaigns c CROSS JOIN LATERAL (SELECT count(*) AS n FROM results r WHERE r.campaign = c.campaign) AS t ORDER BY 1;

-- name: natural
SELECT count(*) FROM campaigns NATURAL JOIN results;

-- name: an ambiguous column
SELECT formula FROM screening, results;

-- name: no such column
SELECT formla FROM screening;
