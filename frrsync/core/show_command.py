"""What may be asked of FRR on somebody's behalf: one ``show`` command, nothing that changes anything."""

from __future__ import annotations

from frrsync.errors import ConfigError

LONGEST = 1000
"""More characters than any show command needs, fewer than a vty line may have (VTY_BUFSIZ, 4096)."""
_REFUSED = "|;?"


def show_command(command: str) -> str:
    """Return the command with single blanks, or raise ConfigError when it is not one ``show`` command.

    vtysh takes a line feed as the start of a second command, so no control character may pass; and it
    takes abbreviations, but one of two letters could be meant for a command that is not there yet. ``|`` would
    start a filter of vtysh, which daemons do not know, and ``?`` its help; no show command needs a ``;``.
    """
    if len(command) > LONGEST:
        raise ConfigError(f"a command of {len(command)} characters, allowed are {LONGEST}")
    if not (command.isascii() and command.isprintable()):
        raise ConfigError(f"command {command!r}: allowed are printable ASCII characters, on one line")
    if any(one in command for one in _REFUSED):
        raise ConfigError(f"command {command!r}: allowed is one command without {' '.join(_REFUSED)}")
    words = command.split()
    if len(words) < 2 or words[0] != "show":
        raise ConfigError(f"command {command!r}: allowed is one that starts with 'show', such as 'show bgp summary'")
    return " ".join(words)
