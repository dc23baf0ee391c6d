"""What runs in a lab, as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frrsync.errors import LabError
from frrsync.lab.device import FrrDevice, Node

if TYPE_CHECKING:
    from frrsync.lab.device import LabDevice
    from frrsync.lab.lab import Lab


def sessions(device: FrrDevice) -> dict[str, str]:
    """Return the state of every BGP session by the address of the other end."""
    found = {}
    for family in device.frr.json("show bgp summary json").values():
        if isinstance(family, dict):
            for address, peer in family.get("peers", {}).items():
                found[address] = str(peer["state"])
    return found


def lab_status(lab: Lab) -> dict[str, Any]:
    """Return the document: every device with what should run on it, and ``ok`` when all of it does."""
    from frrsync.lab.process import namespace_identity

    devices = [_device_status(device) for device in lab.devices]
    for item in devices:
        item["ok"] = item["ok"] and namespace_identity(item["namespace"]) is not None
    has_agents = any(node.device.agent for node in lab.nodes.values())
    controller = _running(lab.controller_pid) if has_agents else None
    return {
        "name": lab.name,
        "folder": str(lab.folder),
        "manifests": str(lab.folders.manifests),
        "run_dir": str(lab.folders.run),
        "state_dir": str(lab.folders.state),
        "controller": controller,
        "devices": devices,
        "ok": all(item["ok"] for item in devices) and controller in (None, "running"),
    }


def _device_status(device: LabDevice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": device.name,
        "kind": device.device.kind,
        "namespace": device.namespace,
        "asn": device.device.asn or None,
        "frr": None,
        "daemons": None,
        "sessions": None,
        "agent": None,
        "backend": None,
        "ok": True,
    }
    if isinstance(device, FrrDevice):
        daemons = device.frr.pids()
        found |= {"frr": device.frr.installation.version, "daemons": daemons, "sessions": _sessions(device)}
        found["ok"] = all(daemons.values())
    if isinstance(device, Node):
        found["backend"] = _running(device.backend_pid)
        found["agent"] = _running(device.agent_pid) if device.device.agent else None
        found["ok"] = found["ok"] and found["backend"] == "running" and found["agent"] in (None, "running")
    return found


def _sessions(device: FrrDevice) -> dict[str, int] | None:
    """Return how many sessions there are and how many are established; None when bgpd does not say."""
    try:
        states = sessions(device)
    except LabError:
        return None
    return {"configured": len(states), "established": sum(state == "Established" for state in states.values())}


def _running(pid: int | None) -> str:
    return "not running" if pid is None else "running"
