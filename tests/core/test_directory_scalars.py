"""Scalars mean what they mean to kubectl.

The table is what sigs.k8s.io/yaml 1.6.0 (``YAMLToJSON``), kubectl's reader, answered to each text. To refresh
it, feed the member ``yaml`` of every row to that function and record its JSON, or that it failed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frrsync.directory.builder import BrokenTextError
from frrsync.directory.document import documents

TABLE = json.loads((Path(__file__).parent / "data" / "scalars.json").read_text())


def read(text: str) -> Any:
    """Return the one document of a text, None if there is none."""
    found = [document.data for document in documents(text)]
    return found[0] if found else None


@pytest.mark.parametrize("row", TABLE, ids=[row["yaml"] for row in TABLE])
def test_a_text_means_what_it_means_to_kubectl(row: dict[str, Any]) -> None:
    """Same value and same type as kubectl sends to the API server, or an error where it has one."""
    if "error" in row:
        with pytest.raises(BrokenTextError):
            read(row["yaml"])
        return
    found = json.dumps(read(row["yaml"]), sort_keys=True)
    expected = json.dumps(json.loads(row["json"]), sort_keys=True)
    assert found == expected, f"{row['yaml']!r}: expected {expected}, found {found}"


def test_json_escapes_are_those_of_json() -> None:
    """A document that begins like JSON is JSON to kubectl, though YAML has other escapes."""
    found = read('{"a": "\\ud83d\\ude00", "b": "x\\/y", "c": "\\\\ud83d",\n\t"d": 1e2}')
    expected = {"a": "\U0001f600", "b": "x/y", "c": "\\ud83d", "d": 100}
    assert found == expected, f"expected {expected}, found {found}"


def test_a_key_that_stands_twice_is_refused() -> None:
    """Kubectl takes the last one without a word; nobody means that."""
    with pytest.raises(BrokenTextError, match="key 'a' stands twice") as caught:
        read("b: 1\na: 1\nc: {}\na: 2\n")
    assert caught.value.line == 4


@pytest.mark.parametrize(
    "number", ["9" * 5000, f"-{'9' * 5000}", f"{'9' * 5000}.5", "0b" + "1" * 50_000, "0x" + "f" * 50_000, "1e999999"]
)
@pytest.mark.parametrize("text", ["{{a: {}}}", '{{"a": {}}}', "a: {}", "a: !!int {}", "{}: a", "? {}\n: a"])
def test_a_number_beyond_all_bounds_is_no_crash(text: str, number: str) -> None:
    """Python makes no number of more than 4300 digits; one object must not stop the others of a folder."""
    said = ""
    try:
        assert len(json.dumps(read(text.format(number)))) < 60_000
    except BrokenTextError as error:
        said = str(error)
    assert len(said) < 200, f"expected a short message, found {len(said)} characters"
