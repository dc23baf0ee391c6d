"""The FRR configuration language and the running FRR.

``tree``, ``lines``, ``policy``, ``plan`` and ``diff`` are pure: text to tree, tree against tree, to the lines
that have to be sent. ``render`` turns the typed configuration into text with templates, which run in the
``sandbox``; ``reprint`` knows their lines that FRR prints in another form. ``vty`` speaks to the daemons,
``apply`` ties them together. Not to be confused with the folder ``frr/`` at the top of the repository, which
holds what is copied next to the daemons.

What FRR promises and does not (8.4 and 10.3): a load is not atomic, a line that is accepted may still not do
what it says, and the order in which lines arrive decides whether a session or a route is lost on the way.
"""
