-- Distance to the hull
-- Which candidates are stable, or nearly so, and what would the others decompose into?
SELECT campaign, formula, above_hull_ev_per_atom, formation_energy_ev_per_atom, on_hull, decomposition, candidate_id
FROM results
WHERE outcome = 'ok' AND above_hull_ev_per_atom IS NOT NULL
  -- AND campaign = 'NAME'
ORDER BY above_hull_ev_per_atom, formation_energy_ev_per_atom, campaign, candidate_id
LIMIT 50
