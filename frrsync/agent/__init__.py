"""The agent of one node: the only place where folder, decisions and FRR meet.

``inputs``    what is known: the snapshot and the addresses, with their watchers
``rendering`` templates that may break while they are in use
``loop``      the reconcile thread, which owns everything that changes
``observer``  the thread that looks at FRR: restarts, sessions
``report``    what others see: the status, and the sources of the local API
``wake``      what wakes the loop
``program``   wiring, start and stop

Threads only wake the loop or publish an immutable object behind one reference; none of them decides.
"""

from frrsync.agent.program import run

__all__ = ["run"]
