"""Passwords out of a whole configuration tree, so that two such trees still compare. Pure.

Templates of an operator's may print a password in any line, a description for instance. There it is hidden too,
except in lines of our own form whose values are no free text: a password that looks like an ASN must not take
that ASN away from whoever reads the tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from frrsync.core.redact import hidden, redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frrsync.frr.tree import Tree

_MANY = "network "
"""Lines that hold no password and of which there are thousands."""
_NO_TEXT = (_MANY, "match tag ", "set tag ", "set community ", "set as-path prepend ", "set local-preference ")
_NO_TEXT_OF_NEIGHBORS = frozenset(
    {"remote-as", "interface", "local-as", "port", "timers", "ebgp-multihop", "update-source", "activate", "route-map"}
)


def redacted(tree: Tree) -> Tree:
    """Return the tree with ``<hidden:HASH8>`` for every password: equal passwords stay equal."""
    return _without(tree, {secret: hidden(secret) for secret in _passwords(tree)})


def _passwords(tree: Tree) -> Iterator[str]:
    for line, content in tree.items():
        if line.startswith(_MANY):
            continue
        shown = redact(line)
        if shown != line:
            yield line[len(shown.rpartition("<hidden:")[0]) :].strip()
        yield from _passwords(content)


def _without(tree: Tree, secrets: Mapping[str, str]) -> Tree:
    return {
        line if line.startswith(_MANY) else _shown(line, {} if content else secrets): _without(content, secrets)
        for line, content in tree.items()
    }


def _shown(line: str, secrets: Mapping[str, str]) -> str:
    shown = redact(line)
    words = line.split(" ", 3)
    is_ours = line.startswith(_NO_TEXT) or (words[0] == "neighbor" and words[2:3] and words[2] in _NO_TEXT_OF_NEIGHBORS)
    if shown != line or is_ours:
        return shown
    for secret, mark in secrets.items():
        if secret in shown:
            shown = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", mark, shown)
    return shown
