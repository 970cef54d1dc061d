import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.document import decode, read_document, read_file
from schemas.errors import InvalidFile, Problem, UserError


def data(text: str) -> dict[str, object]:
    document = read_document(text, "f.yaml")
    document.check()
    return dict(document.data)


SCALARS = {
    "No": "No", "no": "no", "Y": "Y", "on": "on", "2026-01-01": "2026-01-01", "1_000": "1_000",
    "12:30": "12:30", "0o17": 15, "0x1F": 31, "017": 17, "1e-6": 1e-6, "0.80": 0.8, ".5": 0.5,
    "-3": -3, "+3": 3, "1.": 1.0, "true": True, "False": False, "null": None, "~": None, "": None,
    "'5'": "5", '"5"': "5", "!!str 5": "5", "!!int 5": 5, "1.2.3": "1.2.3", "=": "=",
}  # fmt: skip


@pytest.mark.parametrize(("written", "value"), SCALARS.items(), ids=list(SCALARS))
def test_a_scalar_is_read_by_the_core_schema(written: str, value: object) -> None:
    found = data(f"a: {written}\n")["a"]
    assert found == value
    assert type(found) is type(value)


def test_positions_are_those_of_values_and_keys() -> None:
    document = read_document("a:\n  b: [1, {c: 2}]\n  'd': |\n    text\n", "f.yaml")
    assert document.position(("a",), key=True) == (1, 1)
    assert document.position(("a",)) == (2, 3)
    assert document.position(("a", "b", 1, "c")) == (2, 14)
    assert document.position(("a", "b", 1, "c"), key=True) == (2, 11)
    assert document.position(("a", "d"), key=True) == (3, 3)
    assert document.position(("a", "d")) == (3, 8)


def test_what_is_missing_is_placed_at_what_it_is_missing_from() -> None:
    document = read_document("x: 1\na:\n  b: 1\n", "f.yaml")
    assert document.position(("a", "c")) == (2, 1)
    assert document.position(("y",)) == (1, 1)


def test_an_alias_stands_for_its_value_and_its_mistakes_are_where_it_is_written() -> None:
    document = read_document("a: &x\n  b: 1\nc: *x\n", "f.yaml")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.position(("c",)) == (3, 4)
    assert document.position(("c", "b")) == (2, 6)


REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", "3: a: the key stands here for the second time, first"),
    "python object": ("a: !!python/object/apply:os.system [ls]\n", "1: a: found the tag !!python/"),
    "own tag": ("a:\n  b: !foo 1\n", "2: a.b: found the tag !foo"),
    "binary": ("a: !!binary aGk=\n", "1: a: found the tag !!binary"),
    "merge key": ("a: &x {b: 1}\nc:\n  <<: *x\n", "3: c: merge keys (<<)"),
    "number as key": ("a: {1: 2}\n", "1: a: found 1 as a key, keys are text; put it in quotes"),
    "list as key": ("? [a]\n: 1\n", "1: found a list or mapping as a key"),
    "nan": ("a: .nan\n", "1: a: found .nan, expected a finite number"),
    "infinity": ("a: [1, -.inf]\n", "1: a[1]: found -.inf, expected a finite number"),
    "overflow": ("a: 1e999\n", "1: a: found 1e999, expected a number below"),
    "huge integer": ("a: " + "9" * 6000, "1: a: found a whole number beyond 64 bits"),
    "surrogate": ('a: "\\ud800"\n', "1: a: found the control character"),
    "nul": ('a: "\\0"\n', "1: a: found the control character"),
    "undefined alias": ("a: &x 1\nb: *y\n", "2: b: no anchor &y for *y; anchors above: &x"),
    "recursive alias": ("a: &x [1, *x]\n", "1: a[1]: *x stands inside what &x names"),
    "tab": ("a:\n\tb: 1\n", "2: found a tab, expected spaces"),
    "second document": ("a: 1\n---\nb: 1\n", "2: a second document begins"),
    "empty": ("", "1: the file is empty"),
    "only a comment": ("# nothing\n", "1: the file is empty"),
    "list at the top": ("- a\n", "1: found a list, expected a mapping"),
    "text at the top": ("abc\n", "1: found a single value, expected a mapping"),
    "second colon": ("a: b: c\n", "1: found a second `: `"),
    "open bracket": ("a: [1,\nb: 2\n", "1: the bracket that opens here finds no `,`"),
    "open quote": ("a: 'x\n", "2: found the end of the file inside a text"),
    "indentation": ("a:\n  b: 1\n c: 2\n", "3: found an indentation that fits no line above"),
    "control character": ("a: 1\nb: \x01\n", "2: found the character '\\x01'"),
    "depth": ("a: " + "[" * 200 + "]" * 200, "1: nested more than 40 levels deep"),
    "impossible character": ('a: "\\UFFFFFFFF"\n', "1: not YAML"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_refused_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_document(text, "f.yaml").check()
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"f.yaml:{expected}")


def test_aliases_that_multiply_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 60)]
    with pytest.raises(InvalidFile, match=r"f\.yaml:5: more than 100000 values once the aliases"):
        read_document("\n".join(lines), "f.yaml")


def test_aliases_that_nest_are_refused() -> None:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} {{b: *a{n - 1}}}" for n in range(1, 60)]
    with pytest.raises(InvalidFile, match="nested more than 40 levels deep"):
        read_document("\n".join(lines), "f.yaml")


def test_mistakes_of_the_file_and_of_its_content_are_reported_together_by_line() -> None:
    document = read_document("a: 1\nb: !t {c: 2}\na: 2\nd: 4\n", "f.yaml")
    problems = [
        Problem(("d",), "wrong"),
        Problem(("a",), "wrong too"),
        Problem(("b", "c"), "concealed by the tag"),
    ]
    with pytest.raises(InvalidFile) as caught:
        document.check(problems)
    assert [line.split(":")[1] for line in caught.value.lines] == ["1", "2", "3", "4"]


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(InvalidFile, match=r"f\.yaml:2: byte 0xff is not UTF-8"):
        decode(b"a: 1\nb: \xff\n", "f.yaml")


def test_a_byte_order_mark_is_no_content() -> None:
    assert data(decode(b"\xef\xbb\xbfa: 1\n", "f.yaml")) == {"a": 1}


def test_large_files_and_folders_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (10**7 + 1))
    with pytest.raises(UserError, match="files of more than 10 MB are not read"):
        read_file(path)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text("ab:-[]{},&*!|>'\"#%@ \n\t?<1.", max_size=80))
def test_no_text_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(InvalidFile):
        read_document(text, "f.yaml").check()
