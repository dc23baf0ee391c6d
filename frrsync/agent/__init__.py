"""The agent of one node: the only place where folder, decisions and FRR meet.

``inputs``    what is known: the snapshot and the addresses, with their watchers
``decisions`` what follows from that, decided once for the same input
``rendering`` templates that may break while they are in use
``reprinting`` their lines that FRR prints in another form, remembered
``drain``     how the node leaves: on order, by its Node object, at the end of the program
``guard``     holds back a mass withdrawal; ``vanished`` says what is gone
``orders``    what an operator ordered: a pause, a drain, a confirmation
``delivery``  the way to FRR and to its file; ``claim`` keeps other agents away
``culprit``   names the objects behind what FRR refused; ``quarantine`` leaves peers out
``schedule``  when to look by itself
``loop``      the reconcile thread, which owns everything that changes
``observer``  the thread that looks at FRR: restarts, sessions
``gateway``   default gateways, as the observer learns them and the loop decides with them
``sharing``   what an FRR that an operator shares with us can take
``report``    what others see: the status, and what is logged; ``publication`` keeps the newest state for them
``local_api`` the answers of the local API
``wake``      what wakes the loop
``program``   wiring, start and stop

Threads only wake the loop or publish an immutable object behind one reference; none of them decides.
"""

from frrsync.agent.program import run

__all__ = ["run"]
