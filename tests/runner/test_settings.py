from pathlib import Path

import pytest

from runner.settings import read_profile, settings, site
from schemas.errors import InvalidFile, UserError
from schemas.profile import Code, Paths, Profile


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config" / "profiles").mkdir(parents=True)
    return {
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
        "MATCAMPAIGN_DATA_DIR": str(tmp_path / "data"),
    }


def test_without_any_setting_the_store_is_a_file_in_the_data_folder(
    environ: dict[str, str], tmp_path: Path
) -> None:
    profile = settings(folder=tmp_path, environ=environ)
    assert profile.store == str(tmp_path / "data" / "store.db")
    assert profile.paths.artefacts == tmp_path / "data" / "artefacts"
    assert profile.launcher == {"kind": "local"}


def test_flag_environment_profile_run_and_settings_precede_in_this_order(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config"

    def store(*, flag: str | None = None, run: Profile | None = None) -> str:
        found = settings(run, folder=tmp_path, environ=environ, store=flag, here=tmp_path)
        assert found.store is not None
        return Path(found.store).name

    assert store() == "store.db"
    (config / "settings.yaml").write_text("store: user.db\n")
    assert store() == "user.db"
    run = Profile(store="run.db")
    assert store(run=run) == "run.db"
    (config / "profiles" / "cluster.yaml").write_text("store: profile.db\n")
    environ["MATCAMPAIGN_PROFILE"] = "cluster"
    assert store(run=run) == "profile.db"
    environ["MATCAMPAIGN_STORE"] = "environment.db"
    assert store(run=run) == "environment.db"
    assert store(run=run, flag="flag.db") == "flag.db"


def test_relative_paths_start_at_the_file_that_names_them(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config" / "settings.yaml").write_text(
        "paths: {pseudopotentials: [families]}\ncodes: {pw: {command: ../bin/pw.x}}\nstore: s.db\n"
    )
    run = Profile(paths=Paths(pseudopotentials=(Path("mine"),)))
    profile = settings(run, folder=tmp_path / "campaign", environ=environ)
    assert profile.paths.pseudopotentials == (
        tmp_path / "campaign" / "mine",
        tmp_path / "config" / "families",
    )
    assert profile.codes["pw"].command == str(tmp_path / "bin" / "pw.x")
    assert profile.store == str(tmp_path / "config" / "s.db")
    assert profile.paths.artefacts == tmp_path / "config" / "artefacts"
    assert site(profile).pseudopotentials == profile.paths.pseudopotentials


def test_a_program_on_path_stays_a_name(environ: dict[str, str], tmp_path: Path) -> None:
    run = Profile(codes={"pw": Code(command="pw.x")})
    assert settings(run, folder=tmp_path, environ=environ).codes["pw"].command == "pw.x"


def test_folders_of_the_environment_are_a_path_list(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["MATCAMPAIGN_PSEUDOPOTENTIALS"] = "/one:two"
    profile = settings(folder=tmp_path, environ=environ, here=tmp_path)
    assert profile.paths.pseudopotentials == (Path("/one"), tmp_path / "two")


def test_only_the_environment_may_hold_a_password_and_it_stays_there(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["MATCAMPAIGN_STORE"] = "mongodb://user:secret@host/name"
    assert settings(folder=tmp_path, environ=environ).store == "mongodb://user@host/name"
    with pytest.raises(UserError, match="--store: expected an address without a") as told:
        settings(folder=tmp_path, environ=environ, store="mongodb://user:secret@host/name")
    assert "secret" not in str(told.value)
    path = tmp_path / "p.yaml"
    path.write_text("launcher: {kind: local}\nstore: mongodb://user:secret@host/name\n")
    with pytest.raises(InvalidFile, match=r"p\.yaml:2: store: expected a URI without") as caught:
        read_profile(path)
    assert "secret" not in str(caught.value)


def test_the_fields_of_a_server_become_one_line_with_absolute_paths(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "store: {documentdb: {host: c.example, ca_file: ca.pem, user: me, password_file: ../pw}}\n"
    )
    assert settings(folder=tmp_path, environ=environ, profile=str(path)).store == (
        f"documentdb://me@c.example:27017/matcampaign?tlsCAFile={tmp_path}/ca.pem"
        f"&password_file={tmp_path.parent}/pw"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{documentdb: {}}", "store.documentdb: expected a `host`, or a `secret` that holds one"),
        ("{documentdb: {host: h, password: p}}", "password: unknown key; did you mean 'password_"),
        ("{mongodb: {host: h}, documentdb: {host: h}}", "store: expected one of `mongodb` and"),
        ("{mongo: {host: h}}", "store.mongo: unknown key; did you mean 'mongodb'?"),
        ("{mongodb: {host: h, port: 0}}", "store.mongodb.port: found 0, expected a whole number"),
        ("{mongodb: {host: h, secret: s, password_env: P}}", "expected a single source of the"),
        ("{mongodb: {host: h, password_env: P}}", "expected a `user` beside `password_env`"),
        ("postgres://h/x", "store: expected a path, or an address that begins with one of mong"),
        ("mongodb:///x", "store: expected an address with a host: mongodb://host/name"),
        ("mongodb://h/x?readPreference=secondary", "store: expected an address without readPref"),
        ("mongodb://x.docdb.amazonaws.com/?retryWrites=true", "address without retryWrites=true"),
    ],
)
def test_mistakes_in_the_address_of_a_server_are_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"store: {text}\n")
    with pytest.raises(InvalidFile) as caught:
        read_profile(path)
    assert told in str(caught.value)
    assert len(caught.value.lines) == 1


def test_a_profile_that_is_not_there_is_told_with_the_nearest(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config" / "profiles" / "cluster.yaml").write_text("store: x.db\n")
    with pytest.raises(UserError, match=r"no profile 'clutser'.*did you mean 'cluster'\?"):
        settings(folder=tmp_path, environ=environ, profile="clutser")


def test_a_profile_may_be_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("store: x.db\n")
    profile = settings(folder=tmp_path, environ=environ, profile="mine.yaml", here=tmp_path)
    assert profile.store == str(tmp_path / "x.db")


def test_all_mistakes_of_a_profile_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("launcher: {kind: nowhere}\nstroe: 3\ncodes: {pw: {comand: x}}\n")
    with pytest.raises(InvalidFile) as caught:
        read_profile(path)
    assert [line.split(":")[1] for line in caught.value.lines] == ["1", "2", "3", "3"]
