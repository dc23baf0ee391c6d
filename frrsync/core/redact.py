"""Take passwords out of everything that a person or a program gets to see.

FRR prints passwords in clear text in its running configuration, and so does what we render. In their
place stands a short hash: enough to see that two passwords differ, useless for opening a session. FRR takes
the beginning of a word for the word, so a template may have written ``neigh X passw``.
"""

from __future__ import annotations

import hashlib
import re

_SECRET = re.compile(
    r"""
    (?P<before>
        \b(?:nei[a-z]*|peer) [ ]+ \S+ [ ]+ (?!passi)pas[a-z]*    # BGP, LDP and MSDP sessions
      | (?:^|(?<=[\n+-])) [ \t]* (?:enable[ ]+)? password    # terminal lines; only where a line starts
      | \bkey-s[a-z]*                                        # key chains
      | \bmessage-d[a-z-]* [ ]+ \d+ [ ]+ md5                 # OSPF
      | \bauthentication [ ]+ key-id [ ]+ \d+ [ ]+ hash-algo [ ]+ \S+ [ ]+ key  # OSPFv3
      | \bnhrp [ ]+ authentication | \btcp-md5-auth          # NHRP, PCEP
      | \bauthentication-k[a-z]* | \bauthentication [ ]+ string  # OSPF, RIP
      | \b(?:area-|domain-|(?:isis|openfabric)[ ]+) password [ ]+ (?:clear|md5)
    )
    [ ]+ (?P<secret>[^\r\n]+)
    """,
    re.VERBOSE | re.MULTILINE,
)
_HIDDEN = re.compile(r"<hidden:[0-9a-f]{8}>")


def redact(text: str) -> str:
    """Return the text with ``<hidden:HASH8>`` for every password, equal hashes for equal passwords.

    All the rest of the line goes, since FRR takes a password with blanks; text that is already hidden stays.
    """
    return _SECRET.sub(_hide, text)


def hidden(secret: str) -> str:
    """Return what stands in the place of a password."""
    digest = hashlib.sha256(b"frrsync:" + secret.encode()).hexdigest()
    return f"<hidden:{digest[:8]}>"


def _hide(match: re.Match[str]) -> str:
    secret = match["secret"].strip()
    return match[0] if _HIDDEN.fullmatch(secret) else f"{match['before']} {hidden(secret)}"
