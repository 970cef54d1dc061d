from fireworks_ext.engines.espresso.convergence import Point, converged, sample_cell, settled


def _points(*errors: tuple[float, float, float]) -> list[Point]:
    """Points with an error in meV and one in GPa, for 15 cubic angstrom per atom."""
    return [
        Point(
            ecutwfc_ry=ecut,
            energy_ev_per_atom=-100 + mev / 1000,
            pressure_gpa=5 + gpa,
            volume_ang3_per_atom=15,
        )
        for ecut, mev, gpa in errors
    ]


def test_a_cutoff_counts_from_which_on_all_higher_ones_agree() -> None:
    points = _points((20, 2, 0), (30, 50, 0), (40, 4, 0.1), (50, 2, 0.1), (60, 0, 0))
    assert converged(points, 5, 1) == 40
    assert converged(points, 1, 1) is None


def test_energy_and_pressure_must_both_agree() -> None:
    points = _points((20, 1, 9), (30, 1, 0.5), (40, 0, 0))
    assert converged(points, 5, 1) == 30


def test_the_series_ends_when_three_points_agree_tightly() -> None:
    points = _points((20, 9, 0), (30, 0.5, 0.1), (40, 0.1, 0), (50, 0, 0))
    assert not settled(points[:3])
    assert settled(points)
    assert not settled(points[-2:])


def test_the_sample_has_neighbours_at_the_distance_of_bonds() -> None:
    silicon = sample_cell("Si")
    assert silicon.lattice_ang[0][1] * 2**0.5 == 2 * 1.1 * 1.10
