from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.keywords import KEYWORDS
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.units import BOHR_ANG
from schemas.errors import UserError

HERE = Path(__file__).parent

FOREIGN = """\
 ! it's by hand, with a / and an & in it
 &control
    calculation='relax', outdir='./o' ! don't
    title = 'a ''quoted'' title / with a slash', max_seconds=1.d3
 /
 &System
    ibrav=2, celldm=10.3179844 nat=2, ntyp=1, ecutwfc=25.0d0, nosym=.t.
    starting_magnetization(1)=0.5 ! up
    Starting_Magnetization( 2) = -0.5, Hubbard_U(1)=1.d-8
    report = 3*0, degauss=1.5E-2
 /
 &electrons
    mixing_beta=0.7 /
ATOMIC_SPECIES
 Si 28.086 ../x/Si.UPF ! the usual one
# positions in units of alat
ATOMIC_POSITIONS {alat}
 Si 0.00 0.00 0.00 0 0 0
 Si 0.25 0.25 0.25
K_POINTS tpiba
 1
 0.25 0.25 0.75 3.0
"""
CELL = ((0.0, 2.7, 2.7), (2.7, 0.0, 2.7), (2.7, 2.7, 0.0))
SITES = ((0.0, 0.0, 0.0), (0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("calculation", "relax"),
        ("title", "a 'quoted' title / with a slash"),
        ("max_seconds", 1000.0),
        ("ECUTWFC", 25.0),
        ("nosym", True),
        ("celldm(1)", 10.3179844),
        ("nat", 2),
        ("starting_magnetization(2)", -0.5),
        ("hubbard_u( 1 )", 1e-8),
        ("report(3)", 0),
        ("degauss", 0.015),
        ("mixing_beta", 0.7),
        ("nbnd", None),
        ("celldm(3)", None),
    ],
)
def test_a_deck_by_another_hand_is_read(keyword: str, value: object) -> None:
    found = PwInput(FOREIGN).get(keyword)
    assert found == value
    assert type(found) is type(value)


def test_a_change_leaves_every_other_character_alone() -> None:
    deck = PwInput(FOREIGN)
    deck.set("mixing_beta", 0.3)
    deck.set("starting_magnetization(2)", 0.25)
    expected = FOREIGN.replace("mixing_beta=0.7", "mixing_beta=0.3")
    assert deck.text == expected.replace(") = -0.5,", ") = 0.25,")


def test_new_keywords_go_to_the_end_of_their_namelist_and_missing_namelists_are_made() -> None:
    deck = PwInput(FOREIGN)
    deck.set("mixing_mode", "local-TF")
    deck.set("nosym_evc", value=False)
    deck.set("cell_factor", 3.0)
    deck.set("upscale", 10.0)
    assert "mixing_beta=0.7\n  mixing_mode = 'local-TF'\n/" in deck.text
    assert "degauss=1.5E-2\n  nosym_evc = .false.\n /" in deck.text
    assert deck.text.index("&ELECTRONS".lower()) < deck.text.index("&IONS")
    assert "&IONS\n  upscale = 10.0\n/\n&CELL\n  cell_factor = 3.0\n/\nATOMIC_SP" in deck.text


def test_one_element_of_a_list_is_changed_alone() -> None:
    deck = PwInput("&system\n celldm(1) = 8.0, 1.1, 2*0.2, nat=1\n/\n")
    deck.set("celldm(3)", 0.9)
    assert [deck.get(f"celldm({n})") for n in (1, 2, 3, 4)] == [8.0, 1.1, 0.9, 0.2]
    deck.unset("celldm(2)")
    assert deck.keywords() == ("celldm(1)", "celldm(3)", "celldm(4)", "nat")
    deck.unset("celldm")
    assert deck.keywords() == ("nat",)


def test_a_keyword_on_its_own_line_goes_with_its_line() -> None:
    deck = PwInput("&electrons\n  startingpot = 'file'\n  mixing_beta = 0.4\n/\n")
    deck.unset("startingpot")
    assert deck.text == "&electrons\n  mixing_beta = 0.4\n/\n"


def test_an_unknown_keyword_is_refused_unless_the_deck_has_it() -> None:
    deck = PwInput("&system\n  of_a_later_version = 1\n/\n")
    deck.set("of_a_later_version", 2)
    assert deck.text == "&system\n  of_a_later_version = 2\n/\n"
    with pytest.raises(UserError, match="no keyword 'mixing_bta'"):
        deck.set("mixing_bta", 0.1)


def test_a_new_structure_replaces_the_lengths_and_keeps_what_is_fixed() -> None:
    deck = PwInput(FOREIGN)
    deck.set_structure(CELL, ("Si", "Si"), SITES)
    assert deck.get("ibrav") == 0
    assert deck.get("celldm(1)") is None
    assert deck.lattice_ang() == CELL
    option, lines = deck.card("ATOMIC_POSITIONS") or ("", ())
    assert option == "crystal"
    assert [line.split() for line in lines] == [
        ["Si", "0." + "0" * 16, "0." + "0" * 16, "0." + "0" * 16, "0", "0", "0"],
        ["Si", "0.25" + "0" * 14, "0.25" + "0" * 14, "0.25" + "0" * 14],
    ]
    assert "! the usual one\n# positions in units of alat\nATOMIC_POSITIONS" in deck.text
    assert deck.labels() == ("Si", "Si")


def test_kpoints_in_units_of_alat_stay_the_same_points_of_the_reciprocal_lattice() -> None:
    deck = PwInput(FOREIGN)
    deck.set_structure(CELL, ("Si", "Si"), SITES)
    option, lines = deck.card("K_POINTS") or ("", ())
    assert option == "crystal"
    # k.a of the old vectors (-1,0,1), (0,1,1), (-1,1,0), each by half of alat
    assert [float(word) for word in lines[1].split()] == [0.25, 0.5, 0.0, 3.0]


def test_a_structure_of_another_size_frees_its_sites() -> None:
    deck = PwInput(FOREIGN)
    deck.set_structure(CELL, ("Si",), SITES[:1])
    assert deck.get("nat") == 1
    assert deck.card("ATOMIC_POSITIONS") == ("crystal", ("Si " + 3 * f" {0:21.16f}",))


@pytest.mark.parametrize("name", ["feo-relax.in", "si-scf.in", "si-vc-relax.in"])
def test_decks_of_the_engine_are_read_whole(name: str) -> None:
    deck = PwInput.read(HERE / "golden" / name)
    assert deck.lattice_ang() is not None
    assert deck.get("nat") == len(deck.labels())


def test_a_deck_is_written_as_it_was_read(tmp_path: Path) -> None:
    source = tmp_path / "pw.in"
    source.write_bytes(FOREIGN.replace("it's", "it\xb4s").encode("latin-1"))
    PwInput.read(source).write(tmp_path / "copy.in")
    assert (tmp_path / "copy.in").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff\x00 & no", b"&a\n'"])
def test_what_is_no_deck_is_refused_or_read_and_never_a_traceback(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "pw.in"
    if content is not None:
        path.write_bytes(content)
    if content == b"&a\n'":
        assert PwInput.read(path).get("nat") is None
        return
    with pytest.raises(UserError):
        PwInput.read(path)


# Lengths in the deck, and the vectors in bohr that pw.x 6.7 printed for it ("crystal axes").
LATTICES = [
    (1, "celldm(1)=8.0", [8, 0, 0, 0, 8, 0, 0, 0, 8]),
    (2, "celldm(1)=8.0", [-4, 0, 4, 0, 4, 4, -4, 4, 0]),
    (3, "A=4.2", [3.9684, 3.9684, 3.9684, -3.9684, 3.9684, 3.9684, -3.9684, -3.9684, 3.9684]),
    (-3, "celldm(1)=8.0", [-4, 4, 4, 4, -4, 4, 4, 4, -4]),
    (4, "celldm(1)=8.0, celldm(3)=1.6", [8, 0, 0, -4, 6.9282, 0, 0, 0, 12.8]),
    (
        5,
        "celldm(1)=8.0,celldm(4)=0.3",
        [4.73286, -2.73252, 5.84238, 0, 5.46504, 5.84238, -4.73286, -2.73252, 5.84238],
    ),
    (
        -5,
        "A=4.2,cosAB=0.3",
        [-1.08048, 5.55992, 5.55992, 5.55992, -1.08048, 5.55992, 5.55992, 5.55992, -1.08048],
    ),
    (6, "A=4.2,C=5.0", [7.9368, 0, 0, 0, 7.9368, 0, 0, 0, 9.44857]),
    (7, "celldm(1)=8.0,celldm(3)=1.3", [4, -4, 5.2, 4, 4, 5.2, -4, -4, 5.2]),
    (8, "celldm=8.0,1.1,1.3", [8, 0, 0, 0, 8.8, 0, 0, 0, 10.4]),
    (9, "celldm(1)=8.0,1.1,1.3", [4, 4.4, 0, -4, 4.4, 0, 0, 0, 10.4]),
    (-9, "A=4.2,B=4.6,C=5", [3.9684, -4.34634, 0, 3.9684, 4.34634, 0, 0, 0, 9.44857]),
    (91, "celldm(1)=8.0,1.1,1.3", [8, 0, 0, 0, 4.4, -5.2, 0, 4.4, 5.2]),
    (10, "celldm(1)=8.0,1.1,1.3", [4, 0, 5.2, 4, 4.4, 0, 0, 4.4, 5.2]),
    (11, "celldm(1)=8.0,1.1,1.3", [4, 4.4, 5.2, -4, 4.4, 5.2, -4, -4.4, 5.2]),
    (12, "celldm(1)=8.0,1.1,1.3,0.2", [8, 0, 0, 1.76, 8.6222, 0, 0, 0, 10.4]),
    (-12, "celldm(1)=8.0,1.1,1.3,0,0.2", [8, 0, 0, 0, 8.8, 0, 2.08, 0, 10.18988]),
    (
        13,
        "A=4.2,B=4.6,C=5,cosAB=0.2",
        [3.9684, 0, -4.72428, 1.73854, 8.51706, 0, 3.9684, 0, 4.72428],
    ),
    (-13, "celldm(1)=8.0,1.1,1.3,0,0.2", [4, 4.4, 0, -4, 4.4, 0, 2.08, 0, 10.18988]),
    (
        14,
        "celldm(1)=8.0,1.1,1.3,0.1,0.2,0.3",
        [8, 0, 0, 2.64, 8.39466, 0, 2.08, 0.43609, 10.18054],
    ),
]


@pytest.mark.parametrize(("ibrav", "lengths", "bohr"), LATTICES)
def test_lattices_by_ibrav_are_those_of_the_program(
    ibrav: int, lengths: str, bohr: list[float]
) -> None:
    lattice = PwInput(f"&system\n ibrav = {ibrav}, {lengths}\n/\n").lattice_ang()
    assert lattice is not None
    # alat is printed with four decimals.
    assert [x / BOHR_ANG for row in lattice for x in row] == pytest.approx(bohr, abs=1e-4)


@pytest.mark.parametrize(
    ("head", "option", "unit"),
    [("", "angstrom", 1.0), ("", "{bohr}", BOHR_ANG), ("celldm(1)=2.0", "(alat)", 2 * BOHR_ANG)],
)
def test_lattices_by_vectors_are_read_in_any_unit(head: str, option: str, unit: float) -> None:
    deck = f"&system\n ibrav=0 {head}\n/\nCELL_PARAMETERS {option}\n 1 0 0\n 0 1 0\n 0 0 1.d0\n"
    lattice = PwInput(deck).lattice_ang()
    assert lattice == ((unit, 0, 0), (0, unit, 0), (0, 0, unit))


@pytest.mark.parametrize(
    "text", ["&system\n/\n", "&system\n ibrav=0\n/\n", "&system\n ibrav=77 a=1\n/"]
)
def test_a_lattice_that_the_deck_does_not_tell_is_none(text: str) -> None:
    assert PwInput(text).lattice_ang() is None


_VALUES = {
    "character": st.text("ab'!/& ", max_size=5),
    "logical": st.booleans(),
    "integer": st.integers(-99, 99),
    "real": st.floats(allow_nan=False, allow_infinity=False),
}
_CHANGES = st.sampled_from([one for one in KEYWORDS.values() if not one.indexed]).flatmap(
    lambda one: st.tuples(st.just(one.name), st.none() | _VALUES[one.type])
)


@given(st.lists(_CHANGES, max_size=12))
def test_any_changes_are_read_back_and_touch_nothing_else(
    changes: list[tuple[str, bool | int | float | str | None]],
) -> None:
    deck, before = PwInput(FOREIGN), PwInput(FOREIGN)
    for keyword, value in changes:
        if value is None:
            deck.unset(keyword)
        else:
            deck.set(keyword, value)
    wanted = dict(changes)
    for keyword, value in wanted.items():
        assert deck.get(keyword) == value
    for keyword in before.keywords():
        if keyword.split("(")[0] not in wanted:
            assert deck.get(keyword) == before.get(keyword)
    assert deck.text.endswith(FOREIGN[FOREIGN.index("ATOMIC_SPECIES") :])
