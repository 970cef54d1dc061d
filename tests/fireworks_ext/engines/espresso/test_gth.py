from fireworks_ext.engines.espresso.gth import gth_text, read_table

TABLE = """\
# a comment
Xx GTH-PADE-q4 GTH-LDA
    2    2
     0.44000000    1    -6.26928833
    0
#
Xx GTH-PBE-q4 GTH-PBE
    2    2
     0.43000000    2    -6.26928833    0.5
    2
     0.43563383    2     8.95174150    -2.70627082
                                        3.49378060
     0.49794218    1     2.43127673
Yy GTH-PBE-q11
    1    0   10
     0.53000000    0
    0
"""


def test_only_the_entries_of_the_functional_are_read() -> None:
    found = list(read_table(TABLE, "pbe"))
    assert [(one.element, one.valence) for one in found] == [("Xx", 4), ("Yy", 11)]
    assert [one.valence for one in read_table(TABLE, "PADE")] == [4]


def test_the_triangle_of_h_comes_in_rows_and_zeros_stand_for_spin_orbit() -> None:
    text = gth_text(next(read_table(TABLE, "pbe")), 14)
    assert text.splitlines() == [
        "Xx GTH-PBE-q4",
        "14 4 0",
        "10 11 1 0 2001 0",
        "0.43000000 2 -6.26928833 0.50000000",
        "2",
        "0.43563383 2 8.95174150 -2.70627082",
        "3.49378060",
        "0.49794218 1 2.43127673",
        "0.00000000",
    ]


def test_a_purely_local_potential_has_one_channel_without_projectors() -> None:
    yy = list(read_table(TABLE, "pbe"))[1]
    assert gth_text(yy, 29).splitlines()[3:] == ["0.53000000 0", "1", "0.53000000 0"]
