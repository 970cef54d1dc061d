"""What the head node runs: its script, with programs that refuse what they do not expect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.parallelcluster.settings_file import BOOTSTRAP, shipped

SOURCE = "s3://bucket/folder"
ROOT = Path(__file__).parents[3]
APT = "apt-get -o DPkg::Lock::Timeout=300"
PROGRAMS = {
    "aws": """
[ "$*" = "s3 sync --only-show-errors s3://bucket/folder/ $SHARED/matcampaign/incoming/" ] || exit 97
cp -R "$BUCKET/." "$SHARED/matcampaign/incoming/"
""",
    "apt-get": f"""
case "apt-get $*" in
"{APT} update --quiet=2") ;;
"{APT} install --yes --quiet=2 --no-install-recommends "*quantum-espresso*cp2k-data) ;;
*) exit 97 ;;
esac
""",
    # What is installed is this very checkout; what pip is asked for is recorded.
    "python3": """
[ "$1 $2" = "-m venv" ] && [ $# = 3 ] || exit 97
mkdir -p "$3/bin"
cat >"$3/bin/python" <<'PYTHON'
#!/bin/sh
if [ "$1 $2 $3" = "-m pip install" ]; then
    shift 3
    echo "$*" >>"$PIP_LOG"
    exit "${PIP_FAILS:-0}"
fi
exec "$REAL_PYTHON" "$@"
PYTHON
chmod 755 "$3/bin/python"
""",
    "chown": "[ $# = 3 ] || exit 97",
}


@dataclass
class HeadNode:
    """A machine with a shared file system, on which the script runs."""

    folder: Path

    @property
    def bucket(self) -> Path:
        return self.folder / "bucket"

    @property
    def home(self) -> Path:
        return self.folder / "fsx" / "matcampaign"

    @property
    def login(self) -> str:
        return (self.folder / "login" / "matcampaign.sh").read_text()

    @property
    def installed(self) -> list[str]:
        log = self.folder / "pip.log"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, *families: str, **environ: str) -> subprocess.CompletedProcess[str]:
        script = self.folder / "bootstrap.sh"
        script.write_text(shipped(BOOTSTRAP))
        path = [str(self.folder / "programs"), os.environ["PATH"]]
        return subprocess.run(
            ["bash", str(script), SOURCE, str(self.folder / "fsx"), *families],
            check=False,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PATH": os.pathsep.join(path),
                "SHARED": str(self.folder / "fsx"),
                "BUCKET": str(self.bucket),
                "PIP_LOG": str(self.folder / "pip.log"),
                "REAL_PYTHON": sys.executable,
                "PYTHONPATH": str(ROOT),
                "MATCAMPAIGN_LOGIN_SCRIPTS": str(self.folder / "login"),
                **environ,
            },
        )


@pytest.fixture
def head_node(tmp_path: Path) -> HeadNode:
    """Return a head node with a bucket that holds a wheel, and a pw.x that does nothing."""
    for name in ("programs", "bucket", "fsx", "login"):
        (tmp_path / name).mkdir()
    for name, text in PROGRAMS.items():
        program = tmp_path / "programs" / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    does_nothing = shutil.which("true")
    assert does_nothing
    shutil.copy(does_nothing, tmp_path / "programs" / "pw.x")
    (tmp_path / "bucket" / "matcampaign-0.1.0-py3-none-any.whl").write_text("a wheel")
    return HeadNode(tmp_path)


def own_family(bucket: Path, *, md5: str | None = None) -> None:
    """Put a family of one element into a bucket."""
    from hashlib import md5 as digest

    folder = bucket / "pseudopotentials" / "mine"
    folder.mkdir(parents=True)
    content = b'<UPF version="2.0.1"></UPF>'
    (folder / "Si.upf").write_bytes(content)
    right = digest(content, usedforsecurity=False).hexdigest()
    (folder / "family.yaml").write_text(
        "name: mine\nfunctional: pbe\nsource: of my own\n"
        f"elements: {{Si: {{file: Si.upf, md5: '{md5 or right}'}}}}\n"
    )


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    script = tmp_path / "bootstrap.sh"
    script.write_text(shipped(BOOTSTRAP))
    done = subprocess.run(["shellcheck", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_everything_is_put_on_the_shared_file_system(head_node: HeadNode) -> None:
    own_family(head_node.bucket)
    (head_node.bucket / "requirements.lock").write_text("numpy==2.4.6 --hash=sha256:00\n")
    done = head_node.run()
    assert done.returncode == 0, done.stderr
    home = head_node.home
    assert (home / "environment" / "bin" / "python").exists()
    assert head_node.installed == [
        f"--quiet --require-hashes --requirement {home}/incoming/requirements.lock",
        f"--quiet --no-deps {home}/incoming/matcampaign-0.1.0-py3-none-any.whl",
    ]
    assert (home / "pseudopotentials" / "mine" / "Si.upf").exists()
    assert "mine: 1 elements" in done.stdout
    assert subprocess.run([home / "espresso" / "bin" / "pw.x"], check=False).returncode == 0
    assert head_node.login == (f"PATH={home}/environment/bin:{home}/espresso/bin:$PATH\n")


def test_a_second_run_makes_nothing_anew_and_takes_in_what_is_new(head_node: HeadNode) -> None:
    assert head_node.run().returncode == 0
    first = (head_node.home / "environment").resolve()
    own_family(head_node.bucket)
    done = head_node.run()
    assert done.returncode == 0, done.stderr
    assert len(head_node.installed) == 1
    assert (head_node.home / "environment").resolve() == first
    assert "mine: 1 elements" in done.stdout


def test_a_new_wheel_gets_an_environment_of_its_own_and_the_old_one_stays(
    head_node: HeadNode,
) -> None:
    assert head_node.run().returncode == 0
    first = (head_node.home / "environment").resolve()
    (head_node.bucket / "matcampaign-0.1.0-py3-none-any.whl").write_text("another wheel")
    assert head_node.run().returncode == 0
    second = (head_node.home / "environment").resolve()
    assert first != second
    assert first.exists()


def test_an_installation_that_failed_is_made_again(head_node: HeadNode) -> None:
    assert head_node.run(PIP_FAILS="1").returncode == 1
    assert not (head_node.home / "environment").exists()
    assert head_node.run().returncode == 0
    assert len(head_node.installed) == 2


@pytest.mark.parametrize("wheels", [0, 2])
def test_a_folder_without_one_wheel_is_refused(head_node: HeadNode, wheels: int) -> None:
    wheel = head_node.bucket / "matcampaign-0.1.0-py3-none-any.whl"
    if wheels:
        shutil.copy(wheel, head_node.bucket / "matcampaign-0.2.0-py3-none-any.whl")
    else:
        wheel.unlink()
    done = head_node.run()
    assert done.returncode == 1
    assert ("several wheels" if wheels else "no wheel") in done.stderr


def test_a_file_that_is_not_the_familys_fails_the_bootstrap(head_node: HeadNode) -> None:
    own_family(head_node.bucket, md5="0" * 32)
    done = head_node.run()
    assert done.returncode == 2
    assert "the content is not the one that family.yaml names" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_family_that_nobody_knows_fails_the_bootstrap(head_node: HeadNode) -> None:
    done = head_node.run("gth-pbee")
    assert done.returncode == 2
    assert "did you mean 'gth-pbe'" in done.stderr


def test_without_the_shared_file_system_nothing_is_done(head_node: HeadNode) -> None:
    (head_node.folder / "fsx").rmdir()
    done = head_node.run()
    assert done.returncode == 1
    assert "is the shared file system mounted?" in done.stderr


def libraries(program: Path) -> str:
    done = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.pw
def test_pw_runs_from_the_shared_file_system_with_the_nodes_own_open_mpi(
    head_node: HeadNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (head_node.folder / "programs" / "pw.x").unlink()
    done = head_node.run("debian-lda")
    assert done.returncode == 0, done.stderr
    espresso = head_node.home / "espresso"
    monkeypatch.setenv("LD_LIBRARY_PATH", str(espresso / "lib"))
    linked = libraries(espresso / "programs" / "pw.x")
    assert f"{espresso}/lib/libfftw3.so.3" in linked
    assert f"{espresso}/lib/libmpi" not in linked
    assert not list((espresso / "lib").glob("libopen-*"))
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert _energy(head_node, tmp_path) == pytest.approx(-15.8, abs=0.2)


def _energy(head_node: HeadNode, folder: Path) -> float:
    """Return the energy in Ry of silicon with few plane waves, by two ranks."""
    potentials = head_node.home / "pseudopotentials" / "debian-lda"
    (folder / "pw.in").write_text(
        f"&control pseudo_dir='{potentials}' outdir='{folder}/out' /\n"
        "&system ibrav=2 celldm(1)=10.26 nat=2 ntyp=1 ecutwfc=12 /\n&electrons /\n"
        "ATOMIC_SPECIES\nSi 28 Si.pz-vbc.UPF\nATOMIC_POSITIONS alat\nSi 0 0 0\n"
        "Si 0.25 0.25 0.25\nK_POINTS automatic\n1 1 1 1 1 1\n"
    )
    done = subprocess.run(
        ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "2",
         head_node.home / "espresso" / "bin" / "pw.x", "-in", folder / "pw.in"],
        check=False,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        },
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("!")]
    return float(line.split()[-2])


@pytest.mark.skipif(
    not Path("/usr/share/cp2k/GTH_POTENTIALS").exists(), reason="cp2k-data is not installed"
)
def test_families_are_made_once(head_node: HeadNode) -> None:
    done = head_node.run("gth-pbe")
    assert done.returncode == 0, done.stderr
    family = head_node.home / "pseudopotentials" / "gth-pbe" / "family.yaml"
    made = family.stat().st_mtime_ns
    assert "gth-pbe: 87 elements" in done.stdout
    assert head_node.run("gth-pbe").returncode == 0
    assert family.stat().st_mtime_ns == made
