"""What a plain scalar of YAML means: exactly what it means to kubectl.

kubectl reads YAML by sigs.k8s.io/yaml, which takes the words of YAML 1.1 for truth values (``yes``, ``on``,
``y``), octals with a leading zero and digits with underscores, but knows neither base 60 (``64512:10`` stays
text) nor dates (text too). A table of its answers is in the tests.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from decimal import Decimal
from functools import lru_cache
from typing import Final

Scalar = str | int | float | bool | None

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
SPECIAL: Final = frozenset("0123456789+-.yYnNtTfFoO~")
"""What a plain scalar begins with when it may be anything but text."""

_DECIMAL: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_OTHER_BASE: Final = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+))")
_BINARY: Final = re.compile(r"(-?)0b([+-]?[01]+)")
_FLOAT: Final = re.compile(r"[+-]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?")
_DOTTED: Final = re.compile(r"\.(?:[0-9]+_?)+(?:[eE][+-]?[0-9]+)?")
_DIGITS: Final = 100
"""Longer whole numbers do not fit 64 bits; of 4300 digits and more Python would make none at all."""
_TAG: Final = "tag:yaml.org,2002:"


@lru_cache(maxsize=4096)
def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar without a tag."""
    if text and text[0] not in SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "yYnNtTfFoO~":
        return text
    return _number(text)


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with a tag; raises ValueError if the two do not fit together.

    The error never shows the text, which may be a secret. A tag of somebody's own leaves text, as in kubectl.
    """
    short = tag.removeprefix(_TAG)
    if short == "binary":
        try:
            return b64decode(text, validate=True).decode("utf-8", "replace")
        except ValueError as error:
            raise ValueError("the value does not fit its tag !!binary, base64 is needed") from error
    if short == tag or short in {"str", "timestamp"}:
        return text
    value = resolve(text)
    match short, value:
        case ("bool", bool()) | ("null", None) | ("float", float()):
            return value
        case ("int" | "float", int()) if not isinstance(value, bool):
            return value
        case ("bool" | "null" | "float" | "int", _):
            raise ValueError(f"the value does not fit its tag !!{short}")
        case _:
            return text


def key_text(value: Scalar) -> str:
    """Return a key as JSON has it, always text; raises ValueError for null."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            raise ValueError("null cannot be a key")
        case _:
            return str(value)


def _number(text: str) -> Scalar:
    if text[0] == ".":
        return _whole(float(text.replace("_", ""))) if _DOTTED.fullmatch(text) else text
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(plain):
        return _bounded(int(plain), plain) if len(plain) <= _DIGITS else _whole(float(plain))
    if match := _OTHER_BASE.fullmatch(plain):
        sign, hexadecimal, binary, octal = match.groups()
        digits, base = (hexadecimal, 16) if hexadecimal else (binary, 2) if binary else (octal, 8)
        number = int(digits, base) * (-1 if sign == "-" else 1)
        if -(2**63) <= number < 2**64:
            return number
    if _FLOAT.fullmatch(plain) and math.isfinite(value := float(plain)):
        return _whole(value)
    if match := _BINARY.fullmatch(plain):
        number = int(match[2], 2) * (-1 if match[1] else 1)
        if -(2**63) <= number < 2**64:
            return number
    return text


def _bounded(value: int, text: str) -> Scalar:
    """Return a whole number that fits 64 bits, with or without sign, else what is left of it as a float."""
    return value if -(2**63) <= value < 2**64 else _whole(float(text))


def _whole(value: float) -> int | float:
    """Return a float as JSON spells it for the API: without a point where it is whole (Go, below 1e21)."""
    return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 1e21 else value
