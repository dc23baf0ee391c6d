"""The agent's door: HTTP on a unix socket, for reading only.

==========================  =============================================================
``GET /v1/status``          the status document (``core.status_document``)
``GET /v1/config/desired``  what was rendered last
``GET /v1/config/running``  what FRR runs
``GET /v1/config/diff``     the lines by which they differ
``GET /v1/vtysh?command=``  the answer of FRR to one ``show`` command
``GET /v1/healthz``         200 when the agent works, 503 with the reason otherwise
==========================  =============================================================

Every answer is JSON, an error is ``{"error": {"type": ..., "message": ...}}``, and passwords never pass
through this door. Members are added under ``/v1``, never renamed or removed. Who may connect is a matter
of the socket's mode (0660).
"""
