"""`campaign lpad`, and what it writes for FireWorks' own lpad, on a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fireworks import Firework, ScriptTask, Workflow
from fireworks.utilities.fw_serializers import SAVED_FW_MODULES

from fireworks_ext.store import open_store
from runner.fireworks_cli import run_lpad, write_description
from runner.place import Place, place_of

STOCK = "from fireworks.scripts.lpad_run import lpad; lpad()"


@pytest.fixture
def place(any_server: str, tmp_path: Path) -> Place:
    environ = {
        "MATCAMPAIGN_DATA_DIR": str(tmp_path),
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
        "MATCAMPAIGN_STORE": any_server,
    }
    store = open_store(any_server)
    for name in ("one", "two"):
        store.launchpad.add_wf(Workflow([Firework(ScriptTask.from_str("true"), name=name)]))
    return place_of(None, environ=environ)


def test_lpad_shows_what_the_server_holds(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    # Else FireWorks looks through all of its modules, its own tests among them.
    monkeypatch.setitem(SAVED_FW_MODULES, "ScriptTask", ScriptTask.__module__)
    assert run_lpad(place, ["get_wflows"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert run_lpad(place, ["get_fws", "--rsort", "created_on"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["two", "one"]


def test_stock_lpad_works_with_the_file_that_is_written(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    assert run_lpad(place, ["get_wflows", "-d", "ids"]) == 0
    file = place.data / "my_launchpad.yaml"
    command = [sys.executable, "-c", STOCK, "-l", str(file), "get_wflows"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.data)
    assert len(json.loads(done.stdout)) == 2


def test_the_file_keeps_tls_and_holds_no_password(tmp_path: Path) -> None:
    from fireworks_ext.database.passwords import Credentials
    from fireworks_ext.database.servers import _launchpad, uri_of
    from schemas.location import parse

    server = parse("documentdb://me@127.0.0.1:1/x?tlsAllowInvalidHostnames=true&secret=s")
    launchpad = _launchpad(server, uri_of(server), Credentials("me", "s3cr3t"))
    write_description(launchpad, tmp_path / "lp.yaml")
    text = (tmp_path / "lp.yaml").read_text()
    for part in (
        "tls=true",
        "tlsAllowInvalidHostnames=true",
        "retryWrites=false",
        "replicaSet=rs0",
    ):
        assert part in text
    assert "s3cr3t" not in text
    assert "me@" not in text
    assert [one.name for one in tmp_path.iterdir()] == ["lp.yaml"]
