-- Cells of ok results: lengths, angles and volume to six decimals, and the cell as CIF with all its atoms (P1).
SELECT campaign, stage, candidate_id, formula, n_atoms, finished_at,
       a_ang, b_ang, c_ang, alpha_deg, beta_deg, gamma_deg, volume_ang3,
       CASE WHEN volume_ang3 > 0 AND none_match(sites, site -> site IS NULL) THEN array_join(ARRAY[
         'data_' || formula,
         '_chemical_formula_sum ''' || array_join(amounts, ' ') || '''',
         '_cell_length_a ' || CAST(CAST(a_ang AS decimal(38, 6)) AS varchar),
         '_cell_length_b ' || CAST(CAST(b_ang AS decimal(38, 6)) AS varchar),
         '_cell_length_c ' || CAST(CAST(c_ang AS decimal(38, 6)) AS varchar),
         '_cell_angle_alpha ' || CAST(CAST(alpha_deg AS decimal(38, 6)) AS varchar),
         '_cell_angle_beta ' || CAST(CAST(beta_deg AS decimal(38, 6)) AS varchar),
         '_cell_angle_gamma ' || CAST(CAST(gamma_deg AS decimal(38, 6)) AS varchar),
         '_cell_volume ' || CAST(CAST(volume_ang3 AS decimal(38, 6)) AS varchar),
         '_symmetry_space_group_name_H-M ''P 1''', '_symmetry_Int_Tables_number 1',
         'loop_', '_symmetry_equiv_pos_as_xyz', '''x, y, z''',
         'loop_', '_atom_site_label', '_atom_site_type_symbol', '_atom_site_fract_x', '_atom_site_fract_y',
         '_atom_site_fract_z', '_atom_site_occupancy', array_join(sites, chr(10)), ''
       ], chr(10)) END AS cif
FROM (
  SELECT campaign, stage, candidate_id, formula, n_atoms, finished_at,
         round(a, 6) AS a_ang, round(b, 6) AS b_ang, round(c, 6) AS c_ang,
         round(degrees(acos(greatest(-1e0, least(1e0, bc / nullif(b * c, 0e0))))), 6) AS alpha_deg,
         round(degrees(acos(greatest(-1e0, least(1e0, ca / nullif(c * a, 0e0))))), 6) AS beta_deg,
         round(degrees(acos(greatest(-1e0, least(1e0, ab / nullif(a * b, 0e0))))), 6) AS gamma_deg,
         round(abs(volume), 6) AS volume_ang3,
         transform(elements, e -> e || CAST(cardinality(filter(species, s -> s = e)) AS varchar)) AS amounts,
         -- Read back from lengths and angles, a left-handed cell would be its mirror image: its vectors are turned round.
         zip_with(labels, coordinates, (label, x) -> label
           || ' ' || CAST(CAST(sign(volume) * element_at(x, 1) AS decimal(38, 8)) AS varchar)
           || ' ' || CAST(CAST(sign(volume) * element_at(x, 2) AS decimal(38, 8)) AS varchar)
           || ' ' || CAST(CAST(sign(volume) * element_at(x, 3) AS decimal(38, 8)) AS varchar) || ' 1') AS sites
  FROM (
    SELECT campaign, stage, candidate_id, formula, n_atoms, finished_at, species, coordinates,
           sqrt(a_x * a_x + a_y * a_y + a_z * a_z) AS a, sqrt(b_x * b_x + b_y * b_y + b_z * b_z) AS b,
           sqrt(c_x * c_x + c_y * c_y + c_z * c_z) AS c, b_x * c_x + b_y * c_y + b_z * c_z AS bc,
           c_x * a_x + c_y * a_y + c_z * a_z AS ca, a_x * b_x + a_y * b_y + a_z * b_z AS ab,
           a_x * (b_y * c_z - b_z * c_y) + a_y * (b_z * c_x - b_x * c_z) + a_z * (b_x * c_y - b_y * c_x) AS volume,
           -- By the alphabet; where there is carbon, it and hydrogen come first.
           array_sort(filter(array_distinct(species), e -> contains(species, 'C') AND e IN ('C', 'H')))
             || array_sort(filter(array_distinct(species), e -> NOT (contains(species, 'C') AND e IN ('C', 'H'))))
             AS elements,
           -- No sequence is longer in Athena; a cell of more atoms has no CIF.
           zip_with(species, sequence(1, least(cardinality(species), 10000)),
                    (s, n) -> s || CAST(n AS varchar) || ' ' || s) AS labels
    FROM (
      SELECT campaign, stage, candidate_id, formula, n_atoms, finished_at, species, coordinates,
             element_at(element_at(lattice, 1), 1) AS a_x, element_at(element_at(lattice, 1), 2) AS a_y,
             element_at(element_at(lattice, 1), 3) AS a_z, element_at(element_at(lattice, 2), 1) AS b_x,
             element_at(element_at(lattice, 2), 2) AS b_y, element_at(element_at(lattice, 2), 3) AS b_z,
             element_at(element_at(lattice, 3), 1) AS c_x, element_at(element_at(lattice, 3), 2) AS c_y,
             element_at(element_at(lattice, 3), 3) AS c_z
      FROM (
        SELECT campaign, stage, candidate_id, formula, n_atoms, finished_at,
               CAST(json_extract(structure, '$.species') AS array(varchar)) AS species,
               CAST(json_extract(structure, '$.frac_coords') AS array(array(double))) AS coordinates,
               CAST(json_extract(structure, '$.lattice_ang') AS array(array(double))) AS lattice
        FROM results
        WHERE outcome = 'ok' AND structure IS NOT NULL
      ) AS read
    ) AS vectors
  ) AS metric
) AS cells
