"""Plain data to the model: one document in, one object or its mistakes out.

Wherever a document comes from (a file, the API), it passes through ``parse_object``. Objects are held to what
the API server and MetalLB would refuse about *one* object; rules between objects belong to who knows them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from frrsync.core.fields import Fields, Report, dotted, shown
from frrsync.core.frrsync_kinds import broken_parameters, read_node_parameters
from frrsync.core.grammar import (
    annotation_key,
    bfd_profile_name,
    dns_label,
    dns_subdomain,
    label_key,
    label_value,
    quoted,
    service_name,
    timestamp,
)
from frrsync.core.kubernetes_kinds import read_endpoint_slice, read_namespace, read_node, read_secret
from frrsync.core.metallb_kinds import (
    read_bfd_profile,
    read_bgp_advertisement,
    read_community,
    read_l2_advertisement,
    read_pool,
)
from frrsync.core.model import Kind, Metadata, ObjectKey, Origin
from frrsync.core.peer_kind import read_peer_v1beta1, read_peer_v1beta2
from frrsync.core.service_kind import read_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frrsync.core.fields import FieldPath, Location
    from frrsync.core.model import Mistake, ModelObject

    Reader = Callable[[Fields, Metadata], ModelObject]

METALLB: Final = "metallb.io"
FRRSYNC: Final = "frrsync.dev"
_CONFIGURATION: Final = frozenset({METALLB, FRRSYNC})
"""Groups whose objects are all in one namespace, that of the configuration."""
DEFAULT_CONFIG_NAMESPACE: Final = "metallb-system"
_KUBERNETES_GROUPS: Final = frozenset({"", "discovery.k8s.io"})

_STATUS_KINDS: Final = frozenset({"ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"})
"""Kinds that MetalLB writes about itself; known, and nothing to decide from."""

_METADATA: Final = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_UNREAD_METADATA: Final = (
    ("deletionTimestamp", str),
    ("finalizers", list),
    ("generateName", str),
    ("managedFields", list),
    ("ownerReferences", list),
    ("resourceVersion", str),
    ("uid", str),
)


class _Known(NamedTuple):
    """What is needed to read one kind; ``readers`` are by version."""

    kind: Kind
    group: str
    readers: Mapping[str, Reader]
    name: Callable[[str], str] = dns_subdomain
    namespaced: bool = True

    def api_versions(self) -> list[str]:
        return [f"{self.group}/{version}".removeprefix("/") for version in self.readers]


_KINDS: Final[dict[str, _Known]] = {
    known.kind.value: known
    for known in (
        _Known(Kind.SERVICE, "", {"v1": read_service}, service_name),
        _Known(Kind.ENDPOINT_SLICE, "discovery.k8s.io", {"v1": read_endpoint_slice}),
        _Known(Kind.NODE, "", {"v1": read_node}, namespaced=False),
        _Known(Kind.NAMESPACE, "", {"v1": read_namespace}, dns_label, namespaced=False),
        _Known(Kind.SECRET, "", {"v1": read_secret}),
        _Known(Kind.IP_ADDRESS_POOL, METALLB, {"v1beta1": read_pool}),
        _Known(Kind.BGP_PEER, METALLB, {"v1beta2": read_peer_v1beta2, "v1beta1": read_peer_v1beta1}),
        _Known(Kind.BGP_ADVERTISEMENT, METALLB, {"v1beta1": read_bgp_advertisement}),
        _Known(Kind.L2_ADVERTISEMENT, METALLB, {"v1beta1": read_l2_advertisement}),
        _Known(Kind.BFD_PROFILE, METALLB, {"v1beta1": read_bfd_profile}, bfd_profile_name),
        _Known(Kind.COMMUNITY, METALLB, {"v1beta1": read_community}),
        _Known(Kind.BGP_NODE_PARAMETERS, FRRSYNC, {"v1alpha1": read_node_parameters}),
    )
}
_READERS: Final[dict[tuple[object, object], tuple[_Known, Reader]]] = {
    (kind, f"{known.group}/{version}".removeprefix("/")): (known, reader)
    for kind, known in _KINDS.items()
    for version, reader in known.readers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedObject:
    """What became of one document.

    Attributes:
        key: whose document it is, None if even that cannot be told.
        object: None when there are mistakes, and for kinds that are not modelled.
        stand_in: with mistakes, what says that there is such an object, for a kind whose absence would be no safe
            answer: without their BGPNodeParameters, BGPPeers would mean something else.
        ignored_kind: ``Deployment (apps/v1)`` for a kind that is none of ours, else empty.

    """

    key: ObjectKey | None = None
    object: ModelObject | None = None
    stand_in: ModelObject | None = None
    mistakes: tuple[Mistake, ...] = ()
    ignored_kind: str = ""


def parse_object(
    document: Mapping[str, Any], location: Location, *, config_namespace: str = DEFAULT_CONFIG_NAMESPACE
) -> ParsedObject:
    """Read one object of Kubernetes or MetalLB; never raises for what is in the document.

    Objects without a namespace count as in the one of the configuration (``metallb.io``, Secret) or in
    ``default`` (Service, EndpointSlice). Secrets of other namespaces are left alone.
    """
    kind, version = document.get("kind"), document.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str) or not kind or not version:
        return _without_kind(document, location)
    found = _READERS.get((kind, version))
    if found is None:
        return _without_reader(document, location, config_namespace)
    known, read = found
    name, key = _identify(document, known, config_namespace)
    if known.kind is Kind.SECRET and key is not None and key.namespace != config_namespace:
        return ParsedObject()
    top = Fields(Report(location, kind, name), document)
    result = read(top, _read_metadata(top, known, config_namespace))
    if top.report.mistakes:
        return _with_mistakes(key, top.report, result)
    return ParsedObject(key=key, object=result)


def _with_mistakes(key: ObjectKey | None, report: Report, found: ModelObject | None = None) -> ParsedObject:
    """Return a document that cannot be used; ``found`` is what could be read of it."""
    stand_in = None
    if key is not None and key.kind is Kind.BGP_NODE_PARAMETERS:
        stand_in = broken_parameters(key, report, found)
    return ParsedObject(key=key, stand_in=stand_in, mistakes=tuple(report.mistakes))


def _identify(document: Mapping[str, Any], known: _Known, config_namespace: str) -> tuple[str, ObjectKey | None]:
    """Return the name for messages and whose document it is, as far as this can be told.

    A resource in the wrong namespace keeps its place, so that its last good state stays.
    """
    metadata = document.get("metadata")
    data = metadata if isinstance(metadata, dict) else {}
    name, namespace = data.get("name"), _namespace(data.get("namespace"), known, config_namespace)
    if not isinstance(name, str) or not name:
        return "", None
    place = config_namespace if known.group in _CONFIGURATION else namespace
    return (f"{namespace}/{name}" if namespace else name), ObjectKey(known.kind, place, name)


def _namespace(found: object, known: _Known, config_namespace: str) -> str:
    if not known.namespaced:
        return ""
    if isinstance(found, str) and found:
        return found
    return config_namespace if known.group in _CONFIGURATION or known.kind is Kind.SECRET else "default"


def _read_metadata(top: Fields, known: _Known, config_namespace: str) -> Metadata:
    top.require("metadata")
    fields = top.fields("metadata").expect(_METADATA)
    fields.check(_UNREAD_METADATA)
    fields.require("name", "an object in a file needs its full name" if fields.has("generateName") else "")
    if fields.data.get("name") == "":
        fields.add("name", "found an empty text")
    found = fields.parsed("namespace", dns_label, "")
    namespace = _namespace(found, known, config_namespace)
    if known.group in _CONFIGURATION and namespace != config_namespace:
        text = f"{known.group} resources are read from namespace {quoted(config_namespace)}"
        fields.add("namespace", f"is in namespace {quoted(namespace)}; {text}")
    return Metadata(
        name=fields.parsed("name", known.name, ""),
        namespace=namespace,
        labels=fields.text_map("labels", label_key, label_value),
        annotations=fields.text_map("annotations", annotation_key),
        creation_timestamp=fields.parsed("creationTimestamp", timestamp, ""),
        origin=_origin(top, has_lines=known.group not in _KUBERNETES_GROUPS or known.kind is Kind.NODE),
    )


def _origin(top: Fields, *, has_lines: bool) -> Origin:
    """Return where the object stands; of what other objects may contradict, where each field stands as well."""
    location = top.report.location
    start = location.line(())
    if not has_lines:
        return Origin(file=location.file, line=start)
    offsets: dict[str, int] = {}
    waiting: list[tuple[FieldPath, object]] = [((name,), top.data.get(name)) for name in ("metadata", "spec")]
    while waiting:
        path, value = waiting.pop()
        offsets[dotted(path)] = location.line(path) - start
        if isinstance(value, dict):
            waiting.extend(((*path, name), item) for name, item in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
    return Origin(file=location.file, line=start, offsets=MappingProxyType(offsets))


def _without_kind(document: Mapping[str, Any], location: Location) -> ParsedObject:
    report = Report(location)
    for name in ("apiVersion", "kind"):
        value = document.get(name)
        if not isinstance(value, str) or not value:
            report.add((name,), "is missing" if value is None else f"found {shown(value)}, text is needed")
    return ParsedObject(mistakes=tuple(report.mistakes))


def _without_reader(document: Mapping[str, Any], location: Location, config_namespace: str) -> ParsedObject:
    """Say what is wrong with kind or version, or that the kind is none of ours."""
    kind, version = str(document["kind"]), str(document["apiVersion"])
    group = version.rpartition("/")[0]
    known = _KINDS.get(kind)
    if known is not None and not _is_foreign(group, known.group):
        name, key = _identify(document, known, config_namespace)
        report = Report(location, kind, name)
        allowed = " and ".join(f"{known.group}/{item}".removeprefix("/") for item in known.readers)
        report.add(("apiVersion",), f"found {quoted(version)}, allowed for {kind} is {allowed}")
        return _with_mistakes(key, report)
    if group == METALLB and kind in _STATUS_KINDS:
        return ParsedObject()
    candidates = sorted(name for name, entry in _KINDS.items() if entry.group == group)
    guess = get_close_matches(kind, candidates, n=1, cutoff=0.85)
    if group in _CONFIGURATION or guess:
        report = Report(location, kind)
        hint = f"did you mean {guess[0]}?" if guess else f"known are {', '.join(candidates)}"
        report.add(("kind",), f"found {quoted(kind)}, which {version} does not have; {hint}")
        return ParsedObject(mistakes=tuple(report.mistakes))
    return ParsedObject(ignored_kind=f"{kind} ({version})")


def _is_foreign(group: str, expected: str) -> bool:
    """Say whether a group is somebody else's, whose kind only has the same name (Calico's BGPPeer).

    Groups without a dot and those of ``k8s.io`` are Kubernetes' own, so the version is simply wrong.
    """
    if expected in {group, FRRSYNC} or "." not in group or group.endswith(".k8s.io"):
        return False
    return not (expected == METALLB and ("metallb" in group or SequenceMatcher(None, group, METALLB).ratio() > 0.8))
