-- Stability: every candidate with an energy above the hull, and what it would decompose into.
SELECT campaign, stage, candidate_id, formula, elements, formation_energy_ev_per_atom,
       above_hull_ev_per_atom, on_hull, decomposition
FROM results
WHERE outcome = 'ok' AND above_hull_ev_per_atom IS NOT NULL
