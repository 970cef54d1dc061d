"""Checkpoints in folders and in S3 (a real server on a port of this machine), and kills between."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.checkpoints.manifests import MANIFEST
from fireworks_ext.checkpoints.places import LocalPlace, Place, new_name, open_place
from fireworks_ext.checkpoints.s3 import S3Place
from schemas.clock import utc_now
from schemas.errors import UserError

KEY = "ab12"
PATTERNS = ("pw.in", "out/*.wfc*", "out/pwscf.save/*")
BUCKET = "campaign"
PATIENCE_S = 30.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run directory with a state in it."""
    directory = tmp_path / "run"
    (directory / "out" / "pwscf.save").mkdir(parents=True)
    (directory / "pw.in").write_text("&CONTROL\n/\n")
    (directory / "pw.out").write_text("not part of it")
    (directory / "out" / "pwscf.wfc1").write_bytes(os.urandom(300_000))
    (directory / "out" / "pwscf.save" / "data-file-schema.xml").write_text("<a/>")
    return directory


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Start a server that speaks S3 and return its URL."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "for-tests")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        _, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
        server.stop()


@pytest.fixture
def client(s3_server: str) -> Iterator[Any]:
    """Return a client of the server, with one empty bucket."""
    import boto3

    client = boto3.client("s3")
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, run: Path) -> Place:
    if request.param == "local":
        return open_place(str(tmp_path / "saved"), run, KEY)
    request.getfixturevalue("client")
    return open_place(f"s3://{BUCKET}/some/prefix/", run, KEY)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def state(run: Path) -> dict[str, bytes]:
    return {
        name: data
        for name, data in content(run).items()
        if name != "pw.out" and not name.startswith("checkpoints")
    }


def test_what_was_saved_comes_back_newest_first(place: Place, run: Path) -> None:
    assert list(place.newest()) == []
    saved = []
    for number in range(3):
        (run / "pw.in").write_text(f"! {number}\n")
        record = place.save(run, PATTERNS)
        assert record is not None
        saved.append((record.name, state(run)))
        assert record.bytes == sum(len(data) for data in state(run).values())
    found = [(folder.name, content(folder)) for folder in place.newest()]
    assert found == saved[::-1]
    assert [name for name, _ in found] == sorted((name for name, _ in found), reverse=True)


def test_the_newest_are_kept(place: Place, run: Path) -> None:
    names = [record.name for _ in range(4) if (record := place.save(run, PATTERNS))]
    place.prune(2)
    assert [folder.name for folder in place.newest()] == names[:1:-1]
    place.prune(2)
    assert len(list(place.newest())) == 2


def test_places_of_other_calculations_are_apart(tmp_path: Path, run: Path, client: Any) -> None:
    for to in (str(tmp_path / "saved"), f"s3://{BUCKET}"):
        open_place(to, run, "one").save(run, PATTERNS)
        assert list(open_place(to, run, "other").newest()) == []
        open_place(to, run, "on").prune(0)
        assert len(list(open_place(to, run, "one").newest())) == 1


def test_without_a_place_they_are_in_the_run_directory(run: Path) -> None:
    place = open_place(None, run, KEY)
    record = place.save(run, PATTERNS)
    assert record is not None
    assert (run / "checkpoints" / record.name / "pw.in").is_file()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scramble(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


@pytest.mark.parametrize("damage", [halve, scramble, Path.unlink])
@pytest.mark.parametrize("file", ["out/pwscf.wfc1", MANIFEST])
def test_a_damaged_checkpoint_is_left_out_by_name(
    tmp_path: Path,
    run: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    file: str,
) -> None:
    place = LocalPlace(tmp_path / "saved")
    older, newer = place.save(run, PATTERNS), place.save(run, PATTERNS)
    assert older is not None
    assert newer is not None
    damage(tmp_path / "saved" / newer.name / file)
    assert [folder.name for folder in place.newest()] == [older.name]
    assert newer.name in caplog.text
    assert Path(file).name in caplog.text


@pytest.mark.parametrize("file", ["out/pwscf.wfc1", MANIFEST])
def test_a_damaged_checkpoint_in_s3_is_left_out(
    run: Path, client: Any, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    place = open_place(f"s3://{BUCKET}/p", run, KEY)
    older, newer = place.save(run, PATTERNS), place.save(run, PATTERNS)
    assert older is not None
    assert newer is not None
    client.put_object(Bucket=BUCKET, Key=f"p/{KEY}/{newer.name}/{file}", Body=b"x" * 300_000)
    assert [folder.name for folder in place.newest()] == [older.name]
    assert newer.name in caplog.text


def test_what_was_fetched_from_s3_does_not_stay(run: Path, client: Any) -> None:
    place = open_place(f"s3://{BUCKET}/p", run, KEY)
    record = place.save(run, PATTERNS)
    assert record is not None
    for folder in place.newest():
        assert (folder / "pw.in").is_file()
        break
    assert not (run / "checkpoints" / record.name).exists()


def test_a_manifest_cannot_write_outside_its_folder(run: Path, client: Any, tmp_path: Path) -> None:
    place = open_place(f"s3://{BUCKET}/p", run, KEY)
    body = b'{"files": {"../../../evil": {"bytes": 1, "sha256": "0"}}}'
    client.put_object(Bucket=BUCKET, Key=f"p/{KEY}/20261121T100000000/{MANIFEST}", Body=body)
    assert list(place.newest()) == []
    assert not list(tmp_path.rglob("evil"))


SAVES = """
import sys, threading
from pathlib import Path
from fireworks_ext.checkpoints.places import open_place
place = open_place(sys.argv[1], Path(sys.argv[2]), "ab12")
print("ready", flush=True)
place.save(Path(sys.argv[2]), ("pw.in", "out/*.wfc*"))
print("saved", flush=True)
"""


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_kill_while_one_is_written_leaves_the_older_one_newest(
    where: str, run: Path, tmp_path: Path, client: Any
) -> None:
    to = str(tmp_path / "saved") if where == "local" else f"s3://{BUCKET}/p"
    place = open_place(to, run, KEY)
    older = place.save(run, PATTERNS)
    assert older is not None
    for number in range(2, 40):
        (run / "out" / f"pwscf.wfc{number}").write_bytes(os.urandom(12_000_000))
    process = subprocess.Popen(
        [sys.executable, "-c", SAVES, to, str(run)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wait_until(lambda: half_written(place, client))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert half_written(place, client)
    assert [folder.name for folder in place.newest()] == [older.name]
    place.prune(3)
    assert not half_written(place, client)
    assert [folder.name for folder in place.newest()] == [older.name]


def half_written(place: Place, client: Any) -> bool:
    if isinstance(place, LocalPlace):
        return bool(list(place.root.glob(".*.part/out/*")))
    assert isinstance(place, S3Place)
    names: dict[str, set[str]] = {}
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        folder, _, name = item["Key"].removeprefix(f"p/{KEY}/").partition("/")
        names.setdefault(folder, set()).add(name)
    uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    return bool(uploads) or any(MANIFEST not in files for files in names.values())


def wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.002)


def test_a_place_that_cannot_be_written_ends_nothing(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    place = open_place(str(tmp_path / "file"), run, KEY)
    assert place.save(run, PATTERNS) is None
    assert list(place.newest()) == []
    place.prune(1)
    assert "no checkpoint in" in caplog.text


def test_a_bucket_that_is_not_there_ends_nothing(
    run: Path, s3_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    place = open_place("s3://nobodys-bucket/p", run, KEY)
    assert place.save(run, PATTERNS) is None
    assert list(place.newest()) == []
    place.prune(1)
    assert "NoSuchBucket" in caplog.text


def test_s3_without_its_package_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"pip install 'matcampaign\[aws\]'"):
        open_place("s3://bucket/prefix", run, KEY)


def test_s3_without_a_bucket_is_refused(run: Path) -> None:
    with pytest.raises(UserError, match="names no bucket"):
        open_place("s3:///prefix", run, KEY)


def test_a_folder_needs_no_package_of_aws() -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from fireworks_ext.checkpoints.places import open_place\n"
        "open_place('/tmp', Path('/tmp'), 'k')\nassert 'boto3' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_names_sort_by_time_even_when_the_clock_is_set_back() -> None:
    now = utc_now()
    names: list[str] = []
    for _ in range(12):
        names.append(new_name(now, names))
    names.append(new_name(now.replace(year=now.year - 1), names))
    assert names == sorted(names)
    assert len(set(names)) == len(names)
