"""Writing YAML: documents of ours for people and pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Dumper(yaml.CSafeDumper):
    """PyYAML's safe dumper, with texts of several lines as blocks and without anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write an object that occurs twice twice: an anchor would surprise a reader."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump_yaml(document: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return a document of plain values as YAML, members in their order."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
