"""The errors of frrsync, and whose turn it is to act on each.

::

    FrrsyncError
      ConfigError        fix the manifest or the setting that the text names
      RenderError        fix the template: the text names file and line
      VtyError           FRR did not answer as FRR does
        FrrUnavailable   start FRR, or correct the folder of its sockets, or the permissions
        CommandRefused   FRR refused one line: our bug, a foreign writer, or an FRR too old
      ApplyError         a plan was refused; says which line, why, and whether it was rolled back
      VerifyError        FRR accepted a plan but does not run what was wanted; says what differs
      AgentUnavailable   no agent answers at its socket: start it or name the right socket
      LabError           a lab could not be built or found; says what is missing
"""

from __future__ import annotations


class FrrsyncError(Exception):
    """Anything that frrsync reports instead of crashing."""


class ConfigError(FrrsyncError):
    """A manifest or a setting is wrong; the user has to correct it."""


class RenderError(FrrsyncError):
    """A template is wrong or produced something that FRR must not see."""


class VtyError(FrrsyncError):
    """A running FRR did not answer as expected."""


class FrrUnavailable(VtyError):
    """No answer: FRR is not running, not permitted, hung, or somewhere else."""


class CommandRefused(VtyError):
    """FRR refused one line.

    Attributes:
        daemon: ``bgpd``, ``bfdd``, ``zebra``, or ``vtysh``.
        line: the line as sent; may hold a password, so redact it before showing it.
        status: the status byte of the vty protocol, or the exit code of vtysh.
        text: what FRR said.
        context: the lines of the contexts that it stood in, as far as they are known.

    """

    def __init__(self, *, daemon: str, line: str, status: int, text: str, context: tuple[str, ...] = ()) -> None:
        self.daemon = daemon
        self.line = line
        self.context = context
        self.status = status
        self.text = text
        super().__init__(f"{daemon} refused a line with status {status}: {text or 'no reason given'}")


class ApplyError(FrrsyncError):
    """A plan failed half-way; the text says whether the way back worked.

    Attributes:
        rolled_back: FRR runs again what it ran before the plan.
        paths: the lines concerned, each behind its contexts; may hold a password, so redact them before showing.

    """

    def __init__(self, message: str, *, rolled_back: bool = False, paths: tuple[tuple[str, ...], ...] = ()) -> None:
        self.rolled_back = rolled_back
        self.paths = paths
        super().__init__(message)


class VerifyError(ApplyError):
    """Every line was accepted, yet what runs is not what was wanted."""


class NotWithdrawn(FrrsyncError):
    """The agent ended as it was asked to, but what it was to withdraw may still be announced."""


class AgentUnavailable(FrrsyncError):
    """No agent answers at its socket."""


class LabError(FrrsyncError):
    """A lab could not be built, found or taken down."""
