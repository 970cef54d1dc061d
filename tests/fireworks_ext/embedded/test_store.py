"""The file: what is refused, what survives, what forks and threads may do."""

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from fireworks_ext.embedded import EmbeddedClient, StoreFullError, turns
from fireworks_ext.embedded.store import APPLICATION_ID, STORE_VERSION
from schemas.errors import UserError


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    EmbeddedClient(path)["db"]["c"].insert_one({})
    assert path.exists()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and not a database\n" * 100)
    with pytest.raises(UserError, match=r"notes\.txt.*not a usable embedded store"):
        EmbeddedClient(path)
    assert path.read_text().startswith("these are my notes")


def test_another_programs_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match="not an embedded store"):
        EmbeddedClient(path)
    assert path.read_bytes() == before


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    EmbeddedClient(path).close()
    later = sqlite3.connect(path)
    assert later.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    later.execute(f"PRAGMA user_version = {STORE_VERSION + 1}")
    later.close()
    with pytest.raises(UserError, match=f"version {STORE_VERSION + 1}"):
        EmbeddedClient(path)


def test_a_directory_and_a_forbidden_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory"):
        EmbeddedClient(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        EmbeddedClient(tmp_path / "file" / "store.db")


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    client = EmbeddedClient(path)
    client["db"]["c"].insert_many([{"x": "y" * 500} for _ in range(200)])
    client.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="restore it from a backup"):
        list(EmbeddedClient(path)["db"]["c"].find())


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    client = EmbeddedClient(tmp_path / "store.db")
    collection = client["db"]["c"]
    collection.create_index("n")
    collection.insert_one({"_id": 1, "n": [1, 2]})
    with client.file.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StoreFullError, match="disk is full") as caught:
        collection.insert_many([{"n": [3, 4], "x": "y" * 3000} for _ in range(50)])
    assert isinstance(caught.value, PyMongoError)
    assert list(collection.find()) == [{"_id": 1, "n": [1, 2]}]
    assert list(collection.find({"n": 3})) == []
    with client.file.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    collection.insert_many([{"n": [3, 4]} for _ in range(50)])
    assert collection.count_documents({"n": 3}) == 50


def test_one_file_has_one_store_whichever_way_its_path_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    one = EmbeddedClient(tmp_path / "store.db")
    other = EmbeddedClient(str(tmp_path / "link" / "store.db"))
    assert one == other
    one["db"]["c"].insert_one({"x": 1})
    assert other["db"]["c"].count_documents({}) == 1


def test_a_closed_client_opens_again_when_used(tmp_path: Path) -> None:
    client = EmbeddedClient(tmp_path / "store.db")
    client["db"]["c"].insert_one({"x": 1})
    client.close()
    assert client["db"]["c"].find_one({"x": 1}) is not None


def test_threads_share_a_client(tmp_path: Path) -> None:
    collection = EmbeddedClient(tmp_path / "store.db")["db"]["c"]
    collection.insert_one({"_id": 0, "n": 0})

    def count() -> None:
        for _ in range(50):
            collection.find_one_and_update({"_id": 0}, {"$inc": {"n": 1}})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collection.find_one({"_id": 0}) == {"_id": 0, "n": 200}


def _child(client: EmbeddedClient, number: int) -> None:
    for step in range(30):
        client["db"]["c"].insert_one({"_id": f"{number}-{step}"})


def test_a_forked_child_writes_on_while_its_parent_closes_the_store(tmp_path: Path) -> None:
    client = EmbeddedClient(tmp_path / "store.db")
    client["db"]["c"].insert_one({"_id": "parent"})
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_child, args=(client, number)) for number in range(3)]
    for child in children:
        child.start()
    for step in range(10):
        client["db"]["c"].insert_one({"_id": f"parent-{step}"})
        client.close()  # would delete the log if the children did not hold locks of their own
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert client["db"]["c"].count_documents({}) == 1 + 10 + 3 * 30


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_waits_for_the_write_of_another_thread(tmp_path: Path) -> None:
    client = EmbeddedClient(tmp_path / "store.db")
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with client["db"]["c"].writing():
            inside.set()
            leave.wait(10)
            client["db"]["c"].insert({"_id": "thread"})

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(10)
    threading.Timer(0.2, leave.set).start()
    child = multiprocessing.get_context("fork").Process(target=_child, args=(client, 1))
    child.start()
    child.join(30)
    thread.join()
    assert child.exitcode == 0
    assert client["db"]["c"].count_documents({}) == 31


BUSY = """
import sys, time
from fireworks_ext.embedded import EmbeddedClient
collection = EmbeddedClient(sys.argv[1])["db"]["c"]
print("here", flush=True)
sys.stdin.readline()
done, ended = 0, time.monotonic() + 2
while time.monotonic() < ended:
    collection.update_one({"_id": 0}, {"$inc": {"n": 1}})
    done += 1
print(done)
"""


def test_busy_writers_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    collection = EmbeddedClient(path)["db"]["c"]
    collection.insert_one({"_id": 0, "n": 0})
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", BUSY, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    done = [int(writer.communicate("go\n", timeout=60)[0]) for writer in writers]
    assert collection.find_one({"_id": 0}) == {"_id": 0, "n": sum(done)}
    assert (
        min(done) > sum(done) / 20
    )  # an equal share would be a third; SQLite alone gives one none


def test_a_writer_that_is_stopped_in_the_line_does_not_stop_the_others_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_S", 0.2)
    path = tmp_path / "store.db"
    EmbeddedClient(path)["db"]["c"].insert_one({"_id": 0})
    program = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); "
    program += "print('held', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"{path}-turn"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        EmbeddedClient(path)["db"]["c"].insert_one({"_id": 1})
        holder.communicate(b"\n")
    assert EmbeddedClient(path)["db"]["c"].count_documents({}) == 2


WRITER = """
import sys
from fireworks_ext.embedded import EmbeddedClient
collection = EmbeddedClient(sys.argv[1])["db"]["c"]
number = 0
while True:
    collection.insert_one({"_id": number, "parts": [number, -number], "x": "y" * 300})
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("after", [1, 20, 150])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path, after: int) -> None:
    path = tmp_path / "store.db"
    EmbeddedClient(path)["db"]["c"].create_index("parts")
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= after:
                writer.send_signal(signal.SIGKILL)
                break
        last = max([after, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
    client = EmbeddedClient(path)
    stored = client["db"]["c"].distinct("_id")
    assert stored[: last + 1] == list(range(last + 1))
    assert len(stored) <= last + 2  # at most one was stored and not yet acknowledged
    with client.file.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
