"""What the options of the contracts have in common."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any, Dict, Type, TypeVar

Options = TypeVar("Options")


def from_known(cls: Type[Options], data: Dict[str, Any], **enums: Type[Enum]) -> Options:
    """Makes `cls` of the keys that it knows, some of them of enums. None counts as absent."""
    known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    given = {key: value for key, value in data.items() if key in known and value is not None}
    for key, enum in enums.items():
        if key in given and not isinstance(given[key], Enum):
            given[key] = enum(given[key])
    return cls(**given)
