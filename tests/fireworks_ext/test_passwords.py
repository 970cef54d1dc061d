"""Passwords are found where the address says, and shown nowhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireworks_ext.database.passwords import credentials
from schemas.errors import UserError
from schemas.location import parse

PASSWORD = "s3cr3t-word"  # noqa: S105  (of nothing)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Return the ARNs of secrets on a server that speaks as AWS Secrets Manager does."""
    import boto3
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "for-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "for-tests")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    whole = {"username": "me", "password": PASSWORD, "host": "c.example", "port": 27018}
    texts = {
        "whole": json.dumps(whole),
        "short": json.dumps({"username": "me", "password": PASSWORD}),
        "plain": PASSWORD,
        "lacking": json.dumps({"user": "me"}),
    }
    arns = {
        name: client.create_secret(Name=name, SecretString=text)["ARN"]
        for name, text in texts.items()
    }
    yield arns
    for arn in arns.values():  # what the server holds outlives it in this process
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    client.close()
    server.stop()


def test_a_secret_holds_user_password_and_host(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = credentials(parse(f"documentdb:///db?secret={secrets['whole']}"))
    assert (found.user, found.password, found.hosts) == ("me", PASSWORD, "c.example:27018")
    assert PASSWORD not in repr(found)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    found = credentials(parse("documentdb://other:1/db?secret=short"))
    assert (found.user, found.password, found.hosts) == ("me", PASSWORD, "other:1")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("plain", "holds no username and password; expected JSON like"),
        ("lacking", "holds no username and password; expected JSON like"),
        ("nowhere", "cannot read the secret 'nowhere'.*check its name, the region and that you"),
        ("short", "neither the address nor the secret 'short' names a host"),
    ],
)
def test_what_is_wrong_with_a_secret_is_told_without_it(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(UserError, match=told) as caught:
        credentials(parse(f"documentdb:///db?secret={name}"))
    assert PASSWORD not in str(caught.value)


def test_without_boto3_its_installation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"pip install 'matcampaign\[aws\]'"):
        credentials(parse("documentdb:///db?secret=x"))


def test_a_variable_holds_the_password() -> None:
    server = parse("mongodb://me@h/db?password_env=DB_PASSWORD")
    assert credentials(server, {"DB_PASSWORD": PASSWORD}).password == PASSWORD
    with pytest.raises(UserError, match="DB_PASSWORD is not set"):
        credentials(server, {})


def test_a_file_holds_the_password_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    server = parse(f"mongodb://me@h/db?password_file={path}")
    with pytest.raises(UserError, match=r"cannot read .*No such file"):
        credentials(server)
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o640)
    with pytest.raises(UserError, match=f"do: chmod 600 {path}") as caught:
        credentials(server)
    assert PASSWORD not in str(caught.value)
    path.chmod(0o600)
    assert credentials(server).password == PASSWORD
    path.write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        credentials(server)


def test_the_password_of_the_same_address_in_the_environment_is_taken() -> None:
    environ = {"MATCAMPAIGN_STORE": "mongodb://me:p%40ss@h:1/db?tlsCAFile=ca.pem"}
    server = parse("mongodb://me@h:1/db?tlsCAFile=/folder/ca.pem")
    assert credentials(server, environ).password == "p@ss"  # noqa: S105  (as above)
    for other in ("mongodb://you@h:1/db", "mongodb://me@other/db", "mongodb://me@h:1/db2"):
        with pytest.raises(UserError, match="no password for"):
            credentials(parse(other), environ)


def test_no_password_is_looked_for_where_none_is_needed() -> None:
    assert credentials(parse("mongodb://h/db"), {}).password == ""
    subject = "mongodb://CN=me@h/db?authMechanism=MONGODB-X509&authSource=$external"
    found = credentials(parse(subject), {})
    assert (found.user, found.password) == ("CN=me", "")
