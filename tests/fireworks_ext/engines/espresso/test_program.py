from collections.abc import Callable

import pytest

from fireworks_ext.engines.espresso import plugin, program
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.program import pw_command
from schemas.profile import Code, Site
from schemas.protocols import Calculation
from schemas.resources import Resources
from schemas.structure import Structure


def test_one_core_runs_pw_without_mpi(site: Site) -> None:
    assert pw_command(site, ranks=1, n_kpoints=10).argv == ("pw.x", "-in", "pw.in")


def test_several_cores_share_the_k_points(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.shutil, "which", lambda name: f"/usr/bin/{name}")
    argv = pw_command(site, ranks=4, n_kpoints=3).argv
    assert argv == ("mpirun", "--bind-to", "none", "-n", "4", "pw.x", "-nk", "2", "-in", "pw.in")


def test_the_site_decides_program_launcher_flags_and_environment() -> None:
    code = Code(
        command="/opt/qe/bin/pw.x",
        mpi=("srun", "--mpi=pmix", "-n", "{ranks}"),
        flags=("-nk", "1"),
        environment={"OMP_NUM_THREADS": "2"},
    )
    command = pw_command(Site(codes={"pw": code}), ranks=8, n_kpoints=8)
    assert command.argv == (
        *("srun", "--mpi=pmix", "-n", "8", "/opt/qe/bin/pw.x", "-nk", "1"),
        *("-nd", "1", "-in", "pw.in"),
    )
    assert command.environment["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(("user", "allowed"), [(0, ["1"]), (1000, [])])
def test_only_root_tells_open_mpi_that_it_may_run_as_root(
    site: Site, monkeypatch: pytest.MonkeyPatch, user: int, allowed: list[str]
) -> None:
    monkeypatch.setattr(program.os, "geteuid", lambda: user)
    environment = pw_command(site, ranks=2, n_kpoints=2).environment
    assert [v for name, v in environment.items() if name == "OMPI_ALLOW_RUN_AS_ROOT"] == allowed
    assert environment["OMP_NUM_THREADS"] == "1"


def test_pools_follow_from_the_symmetry_of_the_structure(
    silicon: Structure, make_params: Callable[..., EspressoParams], site: Site
) -> None:
    params = make_params(kmesh=(2, 2, 2))  # three points are left of eight
    resources = Resources(nodes=2, cores=4)
    calculation = Calculation("scf", silicon, params, resources)
    argv = plugin.command(calculation, site).argv
    assert argv[argv.index("-nk") + 1] == "2"
    assert argv[argv.index("-n") + 1] == "8"


def test_spin_up_and_down_have_pools_of_their_own(
    silicon: Structure, make_params: Callable[..., EspressoParams], site: Site
) -> None:
    settings = {"kmesh": (1, 1, 1), "spin": "collinear", "moments_bohr": {"Si": 1.0}}
    calculation = Calculation("scf", silicon, make_params(**settings), Resources(cores=2))
    argv = plugin.command(calculation, site).argv
    assert argv[argv.index("-nk") + 1] == "2"
