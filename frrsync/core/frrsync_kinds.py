"""Our own kinds, ``frrsync.dev/v1alpha1``, from plain data to the model."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from frrsync.core.fields import shown
from frrsync.core.grammar import annotation_key, dns_subdomain, label_key, label_value, quoted
from frrsync.core.metadata import Metadata, Origin
from frrsync.core.metallb_kinds import spec_of
from frrsync.core.peer_kind import FROM_TEXT
from frrsync.core.resource import BGPNodeParameters, NodeAddress, ParameterSource
from frrsync.core.selector_fields import read_selectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frrsync.core.fields import Fields, Report
    from frrsync.core.model import ModelObject, ObjectKey

MAX_ASN: Final = 2**32 - 1
_SPEC: Final = frozenset({"peers", "nodeSelectors", *FROM_TEXT})
_KINDS_OF_SOURCE: Final = ("value", "fromLabel", "fromAnnotation", "fromNode")
_SOURCE: Final = frozenset({*_KINDS_OF_SOURCE, "values", "default"})
_NUMBERS: Final = frozenset({"myASN", "peerASN", "localASN"})
_EXAMPLES: Final = MappingProxyType({"holdTime": "90s", "keepaliveTime": "30s", "connectTime": "10s"})
_FROM_NODE: Final = MappingProxyType(
    {
        "peerAddress": NodeAddress.DEFAULT_GATEWAY,
        "sourceAddress": NodeAddress.INTERNAL_IP,
        "routerID": NodeAddress.INTERNAL_IP,
    }
)
"""What of the node itself a field may take; the others have nothing to do with it."""


def read_node_parameters(top: Fields, meta: Metadata) -> BGPNodeParameters:
    """Read a BGPNodeParameters; which peers and nodes there are is judged where all of them are known."""
    spec = spec_of(top, _SPEC, required=True)
    fields = [name for name in FROM_TEXT if name in spec.data]
    if not fields and not spec.is_absent and not spec.guessed:
        spec.add(None, f"sets no field of a BGPPeer, at least one is needed; known are {', '.join(sorted(FROM_TEXT))}")
    return BGPNodeParameters(
        meta=meta,
        peers=spec.texts("peers", dns_subdomain, unique=True),
        node_selectors=read_selectors(spec, "nodeSelectors"),
        sources=MappingProxyType(dict(_sources(spec, fields))),
    )


def broken_parameters(key: ObjectKey, report: Report, found: ModelObject | None) -> BGPNodeParameters:
    """Return what stands for an object with mistakes: it concerns the peers and nodes that it soundly names, or all."""
    origin = Origin(file=report.location.file, line=report.location.line(()))
    meta = Metadata(name=_shown_name(key.name), namespace=key.namespace, origin=origin)
    if not isinstance(found, BGPNodeParameters):
        return BGPNodeParameters(meta=meta, is_broken=True)
    faulty = [mistake.field for mistake in report.mistakes]
    return BGPNodeParameters(
        meta=meta,
        peers=() if any(name.startswith("spec.peers") for name in faulty) else found.peers,
        node_selectors=() if any(name.startswith("spec.nodeSelectors") for name in faulty) else found.node_selectors,
        is_broken=True,
    )


def _shown_name(name: str) -> str:
    """Return a name as messages may show it, since it may be the mistake."""
    try:
        return dns_subdomain(name)
    except ValueError:
        return quoted(name)


def _sources(spec: Fields, fields: list[str]) -> Iterator[tuple[str, ParameterSource]]:
    for name in fields:
        found, part = spec.data[name], spec.hidden() if name == "passwordSecret" else spec
        if isinstance(found, dict):
            yield name, _source(part.fields(name, _SOURCE), name)
        else:
            what = "found no mapping" if part.secret else f"found {shown(found)}"
            spec.add(name, f"{what}, a mapping such as {{fromLabel: KEY}} or {{value: VALUE}} is needed")


def _source(fields: Fields, name: str) -> ParameterSource:
    """Return where one field comes from."""
    kinds = [kind for kind in _KINDS_OF_SOURCE if kind in fields.data]
    if len(kinds) != 1 and not fields.is_absent and not fields.guessed:
        found = " and ".join(kinds) or "none of them"
        fields.add(None, f"found {found}, exactly one of {', '.join(_KINDS_OF_SOURCE)} is needed")
    for kind in ("fromLabel", "fromAnnotation"):
        if fields.data.get(kind) == "":
            fields.add(kind, "found an empty text, a key is needed")
    return ParameterSource(
        value=_text(fields, "value", name),
        from_label=fields.parsed("fromLabel", label_key, ""),
        from_annotation=fields.parsed("fromAnnotation", annotation_key, ""),
        from_node=_from_node(fields, name),
        values=_values(fields, kinds, name),
        default=_default(fields, kinds, name),
    )


def _from_node(fields: Fields, name: str) -> NodeAddress | None:
    found = fields.choice("fromNode", NodeAddress, None)
    allowed = _FROM_NODE.get(name)
    if found is not None and found is not allowed:
        text = f"allowed for {name} is {allowed}" if allowed else f"{name} is nothing that a node itself knows"
        fields.add("fromNode", f"found {found.value!r}, {text}")
    return found


def _values(fields: Fields, kinds: list[str], name: str) -> Mapping[str, str]:
    table = fields.fields("values")
    if not table.is_absent and not {"fromLabel", "fromAnnotation"} & {*kinds}:
        fields.add("values", "found without fromLabel or fromAnnotation, whose texts it translates")
    if not table.is_absent and not table.data:
        fields.add("values", "found no entry, at least one is needed")
    if "fromLabel" in kinds:
        for key in table.data:
            try:
                label_value(key)
            except ValueError as error:
                table.add(key, f"no label can have this value: {error}")
    return MappingProxyType({key: _text(table, key, name) or "" for key in table.data})


def _default(fields: Fields, kinds: list[str], name: str) -> str | None:
    if "default" in fields.data and "value" in kinds:
        fields.add("default", "found together with value, which every node has")
    return _text(fields, "default", name)


def _text(fields: Fields, key: str, name: str) -> str | None:
    """Return a value that the resource itself gives, checked as in a BGPPeer; None when it is absent."""
    if key not in fields.data:
        return None
    if name in _NUMBERS:
        number = fields.integer(key, 1, MAX_ASN, None)
        return None if number is None else str(number)
    if fields.data[key] == "":
        fields.add(key, "found an empty text")
    checked = fields.parsed(key, FROM_TEXT[name], None, example=_EXAMPLES.get(name, ""))
    return None if checked is None else str(fields.data[key])
