"""Hiding passwords wherever a configuration is shown."""

from __future__ import annotations

import re
from hashlib import sha256

_PASSWORD = re.compile(r"(\bpassword )(?!<hidden:)(\S+)")


def redact(text: str) -> str:
    """Return the text with each password replaced by ``<hidden:HASH8>``, equal ones alike."""
    return _PASSWORD.sub(lambda found: f"{found[1]}<hidden:{sha256(found[2].encode()).hexdigest()[:8]}>", text)
