-- What was computed of every candidate: the last ok value of each number people rank by, and its stage.
SELECT campaign, candidate_id, arbitrary(formula) AS formula,
       max_by(band_gap_ev, finished_at) FILTER (WHERE band_gap_ev IS NOT NULL) AS band_gap_ev,
       max_by(stage, finished_at) FILTER (WHERE band_gap_ev IS NOT NULL) AS band_gap_stage,
       min(above_hull_ev_per_atom) AS above_hull_ev_per_atom,
       max_by(energy_ev_per_atom, finished_at) FILTER (WHERE energy_ev_per_atom IS NOT NULL) AS energy_ev_per_atom,
       max_by(stage, finished_at) FILTER (WHERE energy_ev_per_atom IS NOT NULL) AS energy_stage,
       sum(core_hours) AS core_hours, sum(cost_usd) AS cost_usd,
       bool_and(deviation IS NULL) AS as_asked
FROM results
WHERE outcome = 'ok'
GROUP BY campaign, candidate_id
