"""What a plugin says of its health, in the form of the wire."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any, Dict, Optional

from appfactory.plugin.shipped.author import members_of
from appfactory.plugin.values import to_json
from contracts.base import PluginStatus

# Words of other worlds.
_WORDS = {"HEALTHY": "READY", "OK": "READY", "DEGRADED": "READY", "UNHEALTHY": "ERROR", "CREATED": "UNLOADED"}


def health_of(health: Any) -> Dict[str, Any]:
    """A HealthStatus, a dict or a bool as the wire has it. Raises TypeError for another status."""
    if isinstance(health, bool):
        health = {"status": "READY" if health else "ERROR"}
    values = members_of(health)
    if values is None:
        values = {"status": health}
    details = to_json(values.get("details") or {})
    memory = to_json(values.get("memory_mb"))
    return {
        "status": _status_of(values.get("status")),
        "message": str(values.get("message") or ""),
        "details": details if isinstance(details, dict) else {"details": details},
        "latency_ms": _number(to_json(values.get("latency_ms"))),
        "memory_mb": _number(memory) if _number(memory) is not None else memory_mb(),
    }


def _status_of(status: Any) -> str:
    name = status.name if isinstance(status, Enum) else status
    known = name.upper() if isinstance(name, str) else ""
    known = _WORDS.get(known, known)
    if known in PluginStatus.__members__:
        return known
    names = ", ".join(each.name for each in PluginStatus)
    raise TypeError(
        f"health_check() must return a HealthStatus with one of {names}, not {str(status)[:100]!r}"
    )


def _number(value: Any) -> Optional[float]:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def memory_mb() -> Optional[float]:
    """Resident memory of this process in MB (1,000,000 bytes); None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        # The most that it ever took: macOS counts in bytes, others in KiB.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
