-- The best candidates
-- Which candidates came out best? Their gap and distance to the hull, the most stable first; as_asked is false where
-- recovery had to change the physics.
SELECT campaign, arbitrary(formula) AS formula,
       max_by(band_gap_ev, finished_at) FILTER (WHERE band_gap_ev IS NOT NULL) AS band_gap_ev,
       min(above_hull_ev_per_atom) AS above_hull_ev_per_atom,
       max_by(energy_ev_per_atom, finished_at) FILTER (WHERE energy_ev_per_atom IS NOT NULL) AS energy_ev_per_atom,
       sum(core_hours) AS core_hours,
       bool_and(deviation IS NULL) AS as_asked,
       candidate_id
FROM results
WHERE outcome = 'ok'
  -- AND campaign = 'NAME'
GROUP BY campaign, candidate_id
HAVING max(band_gap_ev) IS NOT NULL OR max(energy_ev_per_atom) IS NOT NULL
ORDER BY above_hull_ev_per_atom, band_gap_ev DESC, candidate_id
LIMIT 20
