"""What the contracts share: the author's methods, their plans, and the shapes of what they return."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any, AsyncIterator, Callable, Dict, List, Optional, Type

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.methods import Method
from appfactory.plugin.signature import Plan

Values = Dict[str, Any]


class Closing:
    """Closes an iterator when its reader leaves, so that the author's `finally` runs at once."""

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator

    async def __aenter__(self) -> Any:
        return self.iterator

    async def __aexit__(self, *error: object) -> None:
        close = getattr(self.iterator, "aclose", None)
        if close is not None:
            await close()


class Author:
    """A plugin's instance, and which methods its author wrote."""

    def __init__(
        self, instance: Any, base: type, descriptor: Dict[str, Any], manifest: Dict[str, Any]
    ) -> None:
        self.instance = instance
        self.base = base
        self.name: str = str(manifest.get("name", "plugin"))
        self.manifest = manifest
        self.methods: Dict[str, Dict[str, Any]] = {each["wire"]: each for each in descriptor["methods"]}

    def has(self, name: str) -> bool:
        """Whether the author wrote it: what the contract's class brings along does not count."""
        return name in getattr(self.instance, "__dict__", {}) or is_own(type(self.instance), name, self.base)

    def plan(
        self, name: str, wire: str, options: Optional[Callable[[Values, List[str], str], Any]] = None
    ) -> Plan:
        """How `name` takes the arguments of the wire's method."""
        descriptor = self.methods[wire]
        positional = [snake_case(each) for each in descriptor["parameters"] or ()]
        known = descriptor["args"]["properties"]
        defaults = {key: each["default"] for key, each in known.items() if "default" in each}
        return Plan(getattr(self.instance, name), positional, list(known), options, defaults, name)

    def method(
        self,
        wire: str,
        answer: Optional[Callable[..., Any]] = None,
        pieces: Optional[Callable[..., AsyncIterator[Any]]] = None,
        joined: Optional[Callable[[List[Any]], Any]] = None,
    ) -> Method:
        return Method(self.methods[wire], self.name, answer, pieces, joined)


def is_own(plugin_class: type, name: str, base: type) -> bool:
    """Whether a class has a method of its own, beside that of the contract."""
    for each in plugin_class.__mro__:
        if name in vars(each):
            return each not in base.__mro__ and vars(each)[name] is not None
    return False


def snake_case(name: str) -> str:
    """`voiceId` → `voice_id`"""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


def members_of(value: Any) -> Optional[Values]:
    """What a dict, a dataclass or a model of pydantic holds; None for anything else."""
    if isinstance(value, dict):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if callable(getattr(value, "_asdict", None)):
        return dict(value._asdict())
    if callable(getattr(value, "model_dump", None)):
        return dict(value.model_dump())
    return None


def without_none(values: Values) -> Values:
    """Without what is None: on the wire that is absent."""
    return {key: value for key, value in values.items() if value is not None}


def listed(value: Any, wire: str, item_of: Callable[[Any], Values]) -> List[Values]:
    """A list of objects. Authors may return any iterable, or a dict by id."""
    if value is None:
        return []
    if isinstance(value, dict):
        value = [{"id": key, **(members_of(item) or {"name": item})} for key, item in value.items()]
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{wire} must return a list, not a value of type {type(value).__name__}")
    return [without_none(item_of(item)) for item in value]


def takes_dicts(annotation: str) -> bool:
    """Whether a parameter asks for plain dicts."""
    return re.search(r"\b[Dd]ict\b|Mapping", annotation) is not None


def make_options(cls: Type[Any], given: Values, warnings: List[str]) -> Any:
    """`cls` of the options that it knows; those of the engine become attributes, the others a warning."""
    engine = given.pop("provider_options", None) or {}
    known = {each.name for each in fields(cls)}
    for name in [each for each in given if each not in known]:
        warnings.append(f"{name}: this plugin does not support it; it was ignored")
        del given[name]
    options = cls(**given)
    for name, value in engine.items():
        setattr(options, str(name), value)
    return options


def as_dict(given: Values) -> Values:
    """All options in one dict, those of the engine itself beside the others."""
    return {**given, **(given.pop("provider_options", None) or {})}


def no_method(name: str) -> Callable[..., Any]:
    """The answer of a method that the plugin does not have."""

    async def answer(arguments: Any, call: Any) -> Any:
        raise PluginError(ErrorCodes.METHOD_NOT_FOUND, name)

    return answer
