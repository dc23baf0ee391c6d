"""Texts become documents with the lines of their fields, within limits."""

from __future__ import annotations

import time

import pytest

from frrsync.directory.builder import BrokenTextError
from frrsync.directory.document import Document, documents, split

TEXT = """\
# a comment
apiVersion: v1
metadata:
  name: web
  labels:
    app: web

spec:
  ports:
    - port: 80

    - name: https
      port: 443
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("apiVersion",), 2),
        (("metadata", "labels", "app"), 6),
        (("spec", "ports"), 9),
        (("spec", "ports", 0, "port"), 10),
        (("spec", "ports", 1, "port"), 13),
        (("spec", "ports", 1, "protocol"), 12),
        (("spec", "ports", 7), 9),
        (("metadata", "name", "deeper"), 4),
        (("status", "loadBalancer"), 2),
    ],
)
def test_every_field_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    """A field that is not there has the line of the deepest part that is."""
    (document,) = documents(TEXT)
    assert document.line_of(path) == line, f"{path}: expected {line}, found {document.line_of(path)}"


def test_a_file_is_cut_at_its_separators() -> None:
    """Each part knows where it starts, and a directive belongs to the document after it."""
    parts = list(split("a: 1\n---\nb: |\n  x\n  ---\n  y\n---   \nc: 3\n--- # more\nd: 4\n"))
    found = [(part.line, [document.data for document in documents(part.text)]) for part in parts]
    expected = [(0, [{"a": 1}]), (1, [{"b": "x\n---\ny\n"}]), (6, [{"c": 3}, {"d": 4}])]
    assert found == expected, f"expected {expected}, found {found}"
    preamble = [part.text for part in split("%YAML 1.1\n---\na: 1\n---\nb: 2\n")]
    assert preamble == ["%YAML 1.1\n---\na: 1\n", "\nb: 2\n"], f"found {preamble}"


def test_documents_before_a_broken_place_are_read() -> None:
    """What stands before a mistake of syntax is not lost."""
    reading = documents("a: 1\n--- # two\nb: [2\nc: }\n")
    assert next(reading).data == {"a": 1}
    with pytest.raises(BrokenTextError) as caught:
        next(reading)
    assert caught.value.line == 4, f"expected line 4, found {caught.value.line}"


def test_json_documents_may_follow_each_other() -> None:
    """Kubectl reads JSON as a stream, without separators."""
    found = list(documents('{"a": 1}\n{"b":\n 2}\n'))
    assert [document.data for document in found] == [{"a": 1}, {"b": 2}]
    assert [document.line_of(("b",)) for document in found] == [1, 2]


def test_flow_yaml_is_no_broken_json() -> None:
    """A text that begins with a brace may be YAML all the same."""
    (document,) = documents("{a: 1, b: [yes]}\n")
    assert document.data == {"a": 1, "b": [True]}


def refused(text: str) -> BrokenTextError:
    """Return the error of a text that must not be read."""
    with pytest.raises(BrokenTextError) as caught:
        list(documents(text))
    return caught.value


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, '{"a":' * 100_000, "- " * 100_000])
def test_deep_nesting_is_an_error_and_no_crash(text: str) -> None:
    """The depth has a limit of ours, far before any stack ends."""
    assert "nested deeper than" in str(refused(text))


def test_aliases_that_multiply_are_stopped_early() -> None:
    """Nine lines that stand for a billion values cost nothing."""
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    started = time.monotonic()
    assert "aliases multiply" in str(refused(text))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("text", ["a: &x [1, *x]", "a: &x {b: *x}"])
def test_an_alias_within_itself_is_refused(text: str) -> None:
    """A value cannot be a part of itself."""
    assert "part of" in str(refused(text))


@pytest.mark.parametrize("text", ["a: *nothing", "password: *hunter2", "password: !!int hunter2", "password: [hunter2"])
def test_an_error_of_syntax_shows_no_value(text: str) -> None:
    """The text may be a Secret."""
    error = refused(text)
    assert "hunter" not in str(error), f"expected no value in {error}"


@pytest.mark.parametrize("text", ["a: 1\nb: \x07\n", "a: 1\nb: \x00\n"])
def test_a_control_character_is_found_with_its_line(text: str) -> None:
    """Bytes that no text has are an error in their line."""
    assert refused(text).line == 2


def test_merged_keys_have_the_line_of_the_merge() -> None:
    """What ``<<`` brought is found where it was brought in."""
    (document,) = documents("base: &base\n  a: 1\nmain:\n  <<: *base\n  b: 2\n")
    assert document.data["main"] == {"a": 1, "b": 2}
    assert document.line_of(("main", "a")) == 4
    assert isinstance(document, Document)
