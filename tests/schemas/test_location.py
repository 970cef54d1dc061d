"""A store's location in one line: what it means, and that it never holds a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.location import Server, absolute, is_embedded, parse
from schemas.store_address import StoreAddress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb://host:27017/name", "mongodb://host:27017/name"),
        ("mongodb://me:secret@host/name", "mongodb://me@host/name"),
        ("mongodb://me:me@host/me", "mongodb://me@host/me"),
        ("mongodb+srv://me:p%40ss@host/name?w=majority", "mongodb+srv://me@host/name?w=majority"),
        ("mongodb://a:1,b:2/?replicaSet=x", "mongodb://a:1,b:2/?replicaSet=x"),
        ("documentdb:///db?secret=arn:aws:x", "documentdb:///db?secret=arn:aws:x"),
        ("mongodb://m%40e@[::1]:27017/", "mongodb://m%40e@[::1]:27017/"),
    ],
)
def test_an_address_is_written_without_its_password(text: str, shown: str) -> None:
    assert parse(text).text == shown
    assert "secret" not in repr(parse(text)).replace("secret', 'arn", "")


@given(
    user=st.text(min_size=1),
    password=st.text(min_size=1),
    option=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_what_is_written_is_read_again(user: str, password: str, option: str) -> None:
    try:
        user.encode()
        password.encode()
    except UnicodeEncodeError:
        return
    server = Server("mongodb", "host:1", "db", user, password, {"appname": option})
    again = parse(server.text)
    assert (again.user, again.password, again.options) == (user, "", {"appname": option})
    assert again.text == server.text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mongodb://host/x", "mongodb"),
        ("mongodb+srv://host/x", "mongodb"),
        ("documentdb://tunnel:27018/x", "documentdb"),
        ("mongodb://c.cluster-abc.eu-west-1.docdb.amazonaws.com:27017/x", "documentdb"),
        ("mongodb://docdb.amazonaws.com.example.org/x", "mongodb"),
    ],
)
def test_documentdb_is_known_by_its_name(text: str, kind: str) -> None:
    assert parse(text).kind == kind


def test_a_path_is_no_address() -> None:
    assert is_embedded("/data/store.db")
    assert is_embedded("relative.db")
    assert not is_embedded("mongodb://h")


def test_paths_in_an_address_start_at_the_folder(tmp_path: Path) -> None:
    server = parse("documentdb://h/x?tlsCAFile=ca.pem&password_file=/etc/pw")
    assert absolute(server, tmp_path).text == (
        f"documentdb://h/x?tlsCAFile={tmp_path}/ca.pem&password_file=/etc/pw"
    )


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ({"mongodb": {"host": "h"}}, "mongodb://h:27017/matcampaign"),
        (
            {"mongodb": {"host": "a,b:1", "replica_set": "rs", "user": "me", "password_env": "P"}},
            "mongodb://me@a:27017,b:1/matcampaign?replicaSet=rs&authSource=admin&password_env=P",
        ),
        (
            {"mongodb": {"host": "h", "certificate_file": "/c.pem", "ca_file": "/ca.pem"}},
            "mongodb://h:27017/matcampaign?tlsCAFile=/ca.pem&tlsCertificateKeyFile=/c.pem&tls=true",
        ),
        (
            {"documentdb": {"secret": "db", "ca_file": "/ca.pem", "database": "x"}},
            "documentdb:///x?tlsCAFile=/ca.pem&secret=db",
        ),
        (
            {"documentdb": {"host": "localhost", "direct": True, "options": {"w": 1}}},
            "documentdb://localhost:27017/matcampaign?directConnection=true&w=1",
        ),
    ],
)
def test_fields_become_one_line(address: dict[str, object], text: str) -> None:
    assert StoreAddress.model_validate(address).location == text
    assert parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "mongodb://me:hun/ter2@host/name",
        "mongodb://me:hun?ter2@host/name",
        "mongodb://me:7?hunter2@host/name",
        "mongodb://me:hunter2/name",
        "mongodb://host/name?tlsCertificateKeyFile=a.pem&tlsCertificateKeyFilePassword=hunter2",
        "mongodb://host/name?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
    ],
)
def test_what_may_be_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        parse(text)
    assert not any(part in str(refused.value) for part in ("hun", "ter2"))
