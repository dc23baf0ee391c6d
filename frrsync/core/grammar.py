"""Texts with a grammar: names, keys of labels, durations, communities, passwords.

Every function returns the value or raises ValueError with a text that says what was found and what is
allowed. Values that end in a line of FRR's configuration are held to what cannot break out of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from frrsync.core.community import looks_like_alias, parse_community

MAX_PASSWORD: Final = 80
"""Longest password that bgpd takes for TCP MD5 (RFC 2385 as Linux has it, TCP_MD5SIG_MAXKEYLEN)."""

MAX_INTERFACE: Final = 15
"""Longest name of a Linux interface or VRF (IFNAMSIZ less the ending NUL)."""

MAX_BFD_PROFILE: Final = 63
"""Longest name of a BFD profile that bgpd of FRR 8.4 and 10.3 keeps whole; bfdd takes 64."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_SERVICE_NAME = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*")
_INTERFACE = re.compile(r"[A-Za-z0-9._@:-]+")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_LONGEST_NUMBER = 100
"""Digits of a number in a duration; of 4300 and more Python would make none."""
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def quoted(text: str) -> str:
    """Return a text as messages show it: in quotes, escaped, and cut when it is long."""
    return repr(text if len(text) <= 64 else f"{text[:61]}...")


def _matched(text: str, pattern: re.Pattern[str], longest: int, allowed: str) -> str:
    if len(text) > longest or not pattern.fullmatch(text):
        raise ValueError(f"found {quoted(text)}, allowed are {allowed}, {longest} characters at most")
    return text


@lru_cache(maxsize=65536)
def dns_subdomain(text: str) -> str:
    """Check the name of most objects (RFC 1123 subdomain)."""
    return _matched(
        text, _DNS_SUBDOMAIN, 253, "lower-case letters, digits, '-' and '.', with a letter or digit at either end"
    )


def bfd_profile_name(text: str) -> str:
    """Check the name of a BFDProfile: FRR cuts a longer one, without a word."""
    return _matched(
        text,
        _DNS_SUBDOMAIN,
        MAX_BFD_PROFILE,
        "lower-case letters, digits, '-' and '.', with a letter or digit at either end",
    )


def secret_name(text: str) -> str:
    """Check the name of a Secret without ever showing it: it may be the password, put into the wrong field."""
    try:
        return dns_subdomain(text)
    except ValueError:
        raise ValueError(
            "found no name of a Secret, allowed are lower-case letters, digits, '-' and '.', with a letter or digit "
            "at either end, 253 characters at most"
        ) from None


@lru_cache(maxsize=65536)
def dns_label(text: str) -> str:
    """Check the name of a namespace or a port of a Service (RFC 1123 label)."""
    return _matched(text, _DNS_LABEL, 63, "lower-case letters, digits and '-', with a letter or digit at either end")


def service_name(text: str) -> str:
    """Check the name of a Service (RFC 1035 label: it becomes a DNS name)."""
    return _matched(text, _SERVICE_NAME, 63, "lower-case letters, digits and '-', a letter first, no '-' last")


def port_name(text: str) -> str:
    """Check the name of a target port (RFC 6335 service name)."""
    return _matched(text, _PORT_NAME, 15, "lower-case letters, digits and single '-', at least one letter")


@lru_cache(maxsize=4096)
def label_key(text: str) -> str:
    """Check the key of a label or an annotation: ``name`` or ``prefix/name``."""
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > 253 or not _DNS_SUBDOMAIN.fullmatch(prefix)):
        raise ValueError(f"found key {quoted(text)}, the part before '/' must be a DNS name in lower case")
    if not name or len(name) > 63 or not _LABEL_VALUE.fullmatch(name):
        raise ValueError(
            f"found key {quoted(text)}, allowed are letters, digits, '-', '_' and '.', with a letter or digit at"
            " either end, 63 characters at most"
        )
    return text


@lru_cache(maxsize=4096)
def annotation_key(text: str) -> str:
    """Check the key of an annotation: as of a label, but its case does not matter."""
    label_key(text.lower())
    return text


@lru_cache(maxsize=65536)
def label_value(text: str) -> str:
    """Check the value of a label; it may be empty."""
    return _matched(text, _LABEL_VALUE, 63, "letters, digits, '-', '_' and '.', with a letter or digit at either end")


def interface_name(text: str) -> str:
    """Check the name of an interface or a VRF: it becomes a word of FRR's configuration.

    An address is refused although the kernel would take it as a name: ``neighbor 192.0.2.1 interface`` is
    accepted by FRR 8.4 and 10.3, does not work, and cannot be taken back.
    """
    if _is_address(text):
        raise ValueError(f"found the address {text}, the name of an interface or a VRF is needed")
    return _matched(text, _INTERFACE, MAX_INTERFACE, "letters, digits, '.', '_', '@', ':' and '-'")


def vrf_name(text: str) -> str:
    """Check the name of a VRF; ``default`` is no VRF of its own for FRR, so it stands for none."""
    return "" if text == "default" else interface_name(text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def timestamp(text: str) -> str:
    """Check a time as the API writes it (RFC 3339)."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"found {quoted(text)}, a time such as 2026-01-31T08:00:00Z is needed")
    return text


def password(text: str) -> str:
    """Check a password of a BGP session; the message never shows it.

    FRR ends the word at a blank and reads ``|`` and ``?`` as its own, so both are refused.
    """
    if text != text.rstrip("\r\n"):
        raise ValueError("the password ends with a line break; encode it without one, such as with 'printf %s'")
    if not 1 <= len(text) <= MAX_PASSWORD:
        raise ValueError(f"the password has {len(text)} characters, allowed are 1 to {MAX_PASSWORD}")
    if any(not "!" <= character <= "~" or character in "|?" for character in text):
        raise ValueError(
            "the password holds a character that FRR cannot take, allowed are printable ASCII characters"
            " except blank, '|' and '?'"
        )
    return text


def duration(text: str) -> int:
    """Return the nanoseconds of a duration such as ``90s``, ``1m30s`` or ``0``, as Go reads it."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total, position = 0, 0
    while part := _DURATION_PART.match(rest, position):
        whole, _, fraction = part[1].partition(".")
        unit = _NANOSECONDS[part[2]]
        if len(part[1]) > _LONGEST_NUMBER:
            break
        total += int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        position = part.end()
    if not rest or position != len(rest):
        raise ValueError(f"found {quoted(text)}, a duration such as 90s, 1m30s or 500ms is needed")
    return sign * total


def community(text: str) -> str:
    """Check an entry of ``communities``: a number, one of FRR's words, or the name of an alias.

    Whether the alias exists is judged where all objects are known.
    """
    if looks_like_alias(text):
        return alias_name(text)
    parse_community(text)
    return text


def community_value(text: str) -> str:
    """Check the value of an alias: a community that is a number or one of FRR's words."""
    parse_community(text)
    return text


def alias_name(text: str) -> str:
    """Check the name of an alias; a colon would make it look like a number."""
    if not text or ":" in text or not text.isprintable() or text != text.strip() or len(text) > 253:
        raise ValueError(
            f"found {quoted(text)}, a name has 1 to 253 printable characters, no ':', no blank at either end"
        )
    return text
