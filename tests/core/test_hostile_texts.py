"""No text of a manifest breaks out of its line: every field of every kind, every character that FRR reads as its own.

FRR has no quoting. A newline ends a command, CR becomes a blank, NUL starts a second command, ``|`` starts a filter
and ``?`` asks for help. So a text is refused before anything is rendered, or it never reaches ``frr.conf``: what is
rendered then has no line that the manifest without the character would not have.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from frrsync.core import (
    frrsync_kinds,
    kubernetes_kinds,
    manifests,
    metallb_kinds,
    peer_kind,
    selector_fields,
    service_kind,
)
from frrsync.core.allocate import allocate
from frrsync.core.consistency import mistakes_between
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.fields import Location
from frrsync.core.manifests import parse_object
from frrsync.core.metadata import Kind
from frrsync.directory.snapshot import SnapshotBuilder
from frrsync.directory.store import check_paths
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frrsync.core.manifests import ParsedObject

EXAMPLES = Path(__file__).parent / "data" / "every_field.yaml"
CLASS = "example.com/frrsync"
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
SEPARATORS = ["\u2028", "\u2029", "\u00a0", "\u200b", "\ufeff"]
BIDI = [chr(code) for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
SIGNS = list("|?!#\\\"'`$;")
HOSTILE = (*CONTROLS, *SEPARATORS, *BIDI, *SIGNS)
BREAKING = ("\n", "\r", "\0", "\x0b", "\x85", "\u2028", "|", "?", "!")
"""What is rendered one by one where it is accepted; of the others, all together."""
PAYLOAD = " neighbor 203.0.113.66 remote-as 666"
SECRETS = ("swordfish", "haddock", "plaice")
TABLES = (frrsync_kinds, kubernetes_kinds, manifests, metallb_kinds, peer_kind, selector_fields, service_kind)
RENDERER = Renderer(None, dialect_of("FRRouting 10.3 --enable-multipath=256"))
NO_FIELDS = {"_KUBERNETES_GROUPS", "_CONFIGURATION", "_STATUS_KINDS", "_NUMBERS"}

BYSTANDER = [" neighbor 192.0.2.3 remote-as 64513", " neighbor 192.0.2.3 description older"]
"""Lines of a BGPPeer that no other object refers to."""
ABSENT = object()
"""Stands for a field that is not there at all."""

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A text of the examples: a value, or the key of a mapping.

    Attributes:
        path: from the top of the document; of a key, it ends with that key.

    """

    document: int
    path: FieldPath
    is_key: bool = False

    def __str__(self) -> str:
        """Return a name for the output of a test."""
        path = ".".join(map(str, self.path))
        return f"{examples()[self.document]['kind']}-{self.document}-{path}{'-key' if self.is_key else ''}"

    @property
    def text(self) -> str:
        """Return what stands there; of a number or a truth value the word."""
        if self.is_key:
            return str(self.path[-1])
        found = _at(examples()[self.document], self.path)
        return found if isinstance(found, str) else str(found).lower()

    def with_text(self, text: str) -> list[Any]:
        """Return the documents with another text at this place."""
        documents = list(examples())
        documents[self.document] = changed = copy.deepcopy(documents[self.document])
        parent = _at(changed, self.path[:-1])
        if self.is_key:
            parent[text] = parent.pop(self.path[-1])
        else:
            parent[self.path[-1]] = text
        return documents


def _at(value: Any, path: FieldPath) -> Any:
    for step in path:
        value = value[step]
    return value


@cache
def examples() -> tuple[Any, ...]:
    """Return the documents that hold every field."""
    return tuple(yaml.safe_load_all(EXAMPLES.read_text()))


def _places() -> Iterator[Place]:
    for index, document in enumerate(examples()):
        waiting: list[tuple[FieldPath, Any]] = [((), document)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict):
                waiting.extend(((*path, name), item) for name, item in value.items())
                yield from (Place(document=index, path=(*path, name), is_key=True) for name in value)
            elif isinstance(value, list):
                waiting.extend(((*path, number), item) for number, item in enumerate(value))
            else:
                yield Place(document=index, path=path)


PLACES = list(_places())


def parse(document: Any) -> ParsedObject:
    """Read one document."""
    return parse_object(document, Location(file="x.yaml", line=lambda _: 1))


def rendered(documents: Iterable[Any]) -> list[str]:
    """Return the lines of the whole ``frr.conf`` of node n1, whatever of it can be used."""
    builder = SnapshotBuilder()
    for document in documents:
        found = parse(document)
        if found.key is not None and found.object is not None:
            builder.put(found.key, found.object)
    snapshot = builder.build()
    allocations = allocate(snapshot, {}, load_balancer_class=CLASS)
    decision = NodeDecider(NodeOptions(node="n1", load_balancer_class=CLASS)).decide(snapshot, allocations.allocated)
    told = [str(mistake) for mistake in (*decision.mistakes, *mistakes_between(snapshot))]
    shown = [secret for secret in SECRETS if any(secret in line for line in told)]
    assert not shown, f"expected no password in a message, found {shown}"
    return RENDERER.render(decision.config).text.split("\n")


_HASHES = re.compile(r"frrsync-(class|out)-[0-9a-f]+|(?<= tag )\d+|(?<= permit )\d+$")


def shape(line: str) -> str:
    """Return a line without what follows from other lines: hashes of content, tags, positions."""
    return _HASHES.sub("*", line)


@cache
def sound_shapes() -> frozenset[str]:
    """Return what the examples themselves are rendered to."""
    return frozenset(map(shape, rendered(examples())))


@cache
def _shapes_of(taken: tuple[bool, ...]) -> frozenset[str]:
    """Return what is rendered of some of the examples, or of all: the rest was refused."""
    some = [document for document, is_taken in zip(examples(), taken, strict=True) if is_taken]
    return sound_shapes() | set(map(shape, rendered(some)))


def spoiled(text: str, character: str) -> list[str]:
    """Return the text with the character within, behind, and before a command that should never run."""
    middle = (len(text) + 1) // 2
    within = text[:middle] + character + text[middle:]
    return [within, f"{text}{character}", f"{text}{character}{PAYLOAD}"] if character in BREAKING else [within]


def test_the_examples_are_sound_and_hold_every_kind() -> None:
    """What is put into them is what makes the difference."""
    for document in examples():
        mistakes = [str(mistake) for mistake in parse(document).mistakes]
        assert not mistakes, f"expected no mistake, found {mistakes}"
    missing = {kind.value for kind in Kind} - {document["kind"] for document in examples()}
    assert not missing, f"expected every kind in {EXAMPLES}, missing are {sorted(missing)}"
    text = "\n".join(rendered(examples()))
    expected = ["password haddock", "password swordfish", "bfd profile fast", "vrf red", "neighbor 192.0.2.40 ", "eth3"]
    missing = {word for word in expected if word not in text}
    assert not missing, f"expected these in what is rendered: {sorted(missing)}"


def test_the_examples_hold_every_field() -> None:
    """A field that is added to the table of a kind belongs into the examples; then it is tested like the others."""
    known = {
        field
        for table in TABLES
        for name, value in vars(table).items()
        if isinstance(value, frozenset) and name not in NO_FIELDS
        for field in value
    }
    found = {place.path[-1] for place in PLACES if place.is_key}
    missing = known - found
    assert not missing, f"expected every field in {EXAMPLES}, missing are {sorted(missing)}"


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_hostile_text_is_refused_or_reaches_no_line(place: Place) -> None:
    """Either the object is refused, in one printable line without a secret, or nothing new is rendered."""
    sound = parse(examples()[place.document]).object
    harmless = ""
    for character in BREAKING if place.is_key else HOSTILE:
        accepted = ""
        for text in spoiled(place.text, character):
            found = parse(place.with_text(text)[place.document])
            _check_messages(found, place, text)
            if found.object is not None and found.object != sound:
                accepted = text
        if accepted:
            harmless += character
        if accepted and character in BREAKING:
            _check_lines(place.with_text(accepted), place, accepted)
    if harmless:
        text = place.text + "".join(sorted(set(harmless)))
        _check_lines(place.with_text(text), place, text)


def _check_messages(found: ParsedObject, place: Place, text: str) -> None:
    told = [str(mistake) for mistake in found.mistakes]
    assert all(mistake.field for mistake in found.mistakes), f"expected a field in {told} for {text!r} at {place}"
    shown = [secret for secret in SECRETS if any(secret in line for line in told)]
    assert not shown, f"expected no password in {told}"


def _check_lines(documents: Iterable[Any], place: Place, text: str) -> None:
    lines = rendered(documents)
    if len(text) > 1:  # a word of one line may hold it: of a password, which takes most signs
        lines = [line.replace(text, place.text) for line in lines]
    added = {shape(line) for line in lines} - sound_shapes()
    assert not added, f"expected no further line with {text!r} at {place}, found {sorted(added)}"


@pytest.mark.parametrize("character", [*BREAKING, *BIDI, *SIGNS[3:]], ids=lambda character: f"{ord(character):04x}")
def test_a_name_with_a_hostile_character_is_followed_everywhere(character: str) -> None:
    """A name and all that refer to it change together, so that a reference holds and takes the text along."""
    for name in ("gold", "main", "tor", "fast", "racks", "r1", "example.com/router", "plaice", "n1", "web"):
        other = f"{name[:1]}{character}{name[1:]}"
        renamed = [_replaced(document, name, other) for document in examples()]
        taken = [parse(document).object is not None for document in renamed]
        added = {shape(line.replace(other, name)) for line in rendered(renamed)} - _shapes_of(tuple(taken))
        assert not added, f"expected no further line for {name!r} with {character!r}, found {sorted(added)}"


ODD: tuple[object, ...] = (
    None,
    "",
    0,
    -1,
    2**40,
    1.5,
    True,
    [],
    {},
    [None],
    "0",
    "x" * 300,
    "192.0.2.1",
    "::",
    "\ud800",
)


@pytest.mark.parametrize("place", [place for place in PLACES if not place.is_key], ids=str)
def test_an_odd_value_stops_nothing_else(place: Place) -> None:
    """Whatever stands in a field, or nothing at all: it is refused, or the node goes on with all that is sound."""
    seen = {repr(parse(examples()[place.document]).object)}
    parent, last = place.path[:-1], place.path[-1]
    for value in (ABSENT, *ODD):
        documents = copy.deepcopy(list(examples()))
        holder = _at(documents[place.document], parent)
        if value is ABSENT:
            del holder[last]
        else:
            holder[last] = value
        found = parse(documents[place.document])
        if found.object is None or repr(found.object) in seen:
            continue
        seen.add(repr(found.object))
        lines = rendered(documents)
        kept = [line for line in BYSTANDER if line in lines]
        is_about_it = "192.0.2.3" in str(examples()[place.document]) or place.path[:2] == ("spec", "peers")
        if not is_about_it:  # parameters without peers are for all of them
            assert kept == BYSTANDER, f"expected {BYSTANDER} with {value!r} at {place}, found {kept}"


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {new if key == old else key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value


@pytest.mark.parametrize("character", [*CONTROLS, *SEPARATORS, *BIDI], ids=lambda character: f"{ord(character):04x}")
def test_a_hostile_character_in_a_file_is_a_mistake_or_part_of_a_text(character: str, tmp_path: Path) -> None:
    """Whatever the parser of YAML makes of it: no crash, and every message is one printable line."""
    head = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\n"
    text = f"metadata: {{name: t{character}or}}\nspec: {{vrf: r{character}ed}}\n"
    (tmp_path / "a.yaml").write_bytes(f"{head}{text}".encode())
    state = check_paths([tmp_path / "a.yaml"])
    told = [str(mistake) for mistake in state.mistakes]
    assert told, "expected a mistake, found none"
    assert not state.snapshot.peers, f"expected no BGPPeer, found {state.snapshot.peers}"
