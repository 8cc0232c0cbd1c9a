"""What every plugin has: a life, a status and a health."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Dict, List, Optional, Type

from appfactory import trace as _trace
from appfactory.errors import ErrorCodes as ErrorCodes
from appfactory.errors import PluginError as PluginError


class PluginStatus(Enum):
    """Where a plugin is in its life."""

    UNLOADED = "unloaded"
    INITIALIZING = "initializing"
    READY = "ready"
    BUSY = "busy"
    ERROR = "error"
    SHUTTING_DOWN = "shutting_down"
    STOPPED = "stopped"
    CREATED = "unloaded"


@dataclass
class PluginManifest:
    """The keys of manifest.json that a plugin may want to read."""

    name: str
    version: str
    contract: str
    entry_point: str
    display_name: str = ""
    description: str = ""
    author: str = ""
    dependencies: List[str] = field(default_factory=list)
    config_schema: Dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> Dict[str, Any]:
        """The manifest as JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> PluginManifest:
        """Makes one of a manifest's JSON; keys that it does not know are left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})


@dataclass
class HealthStatus:
    """How a plugin is doing. `latency_ms` is in ms, `memory_mb` in MB; the runtime fills in what is None."""

    status: PluginStatus
    message: str = ""
    details: Dict[str, Any] = field(default_factory=dict)
    latency_ms: Optional[float] = None
    memory_mb: Optional[float] = None

    def to_dict(self) -> Dict[str, Any]:
        """The health as JSON."""
        status = self.status.value if isinstance(self.status, Enum) else self.status
        return {
            "status": status,
            "message": self.message,
            "details": self.details,
            "latency_ms": self.latency_ms,
            "memory_mb": self.memory_mb,
        }


class _PluginMeta(ABCMeta):
    """Takes `class X(PluginBase, TTSContract)`, for which Python has no order, as `class X(TTSContract)`."""

    def mro(cls) -> List[type]:
        bases = cls.__bases__
        needed = [base for base in bases if not any(base in other.__mro__[1:] for other in bases)]
        if len(needed) == len(bases):
            return super().mro()
        return [cls, *_PluginMeta(cls.__name__, tuple(needed), {}).__mro__[1:]]


class _CurrentTrace:
    """No property: an author's own attribute of that name takes its place."""

    def __get__(self, _plugin: object, _owner: type) -> Optional[Dict[str, str]]:
        return _trace.current()


class PluginBase(metaclass=_PluginMeta):
    """The base of every plugin. Extend a contract, such as `TTSContract`, rather than this class."""

    # The span that the call belongs to which runs now: `traceparent`, `tracestate`. None: nobody traces it.
    trace = _CurrentTrace()

    def __init__(self) -> None:
        self._status: PluginStatus = PluginStatus.UNLOADED
        self._manifest: Optional[PluginManifest] = None
        self._config: Dict[str, Any] = {}

    @abstractmethod
    async def initialize(self, config: Dict[str, Any]) -> bool:
        """Sets the plugin up. Called once, before any other method. False or an exception: it failed."""

    @abstractmethod
    async def shutdown(self) -> bool:
        """Releases the plugin's resources. Called once, after the last call."""

    @abstractmethod
    def health_check(self) -> HealthStatus:
        """Reports the plugin's health."""

    def get_manifest(self) -> Optional[PluginManifest]:
        """The plugin's manifest; None before the runtime has set it, as in a unit test."""
        return getattr(self, "_manifest", None)

    def set_manifest(self, manifest: PluginManifest) -> None:
        """Gives the plugin its manifest. The runtime does it."""
        self._manifest = manifest

    @property
    def status(self) -> PluginStatus:
        """The plugin's status, which the plugin keeps in `_status`."""
        return getattr(self, "_status", PluginStatus.UNLOADED)

    @property
    def name(self) -> str:
        """The manifest's `name`."""
        manifest = self.get_manifest()
        return manifest.name if manifest else "unknown"

    @property
    def version(self) -> str:
        """The manifest's `version`."""
        manifest = self.get_manifest()
        return manifest.version if manifest else "0.0.0"

    @property
    def contract_type(self) -> str:
        """The name of the contract, such as `tts`."""
        return "base"


PluginFactory = Type[PluginBase]
