"""The one place of errors: a `PluginError` reaches the caller as it is."""

from __future__ import annotations

from enum import Enum
from typing import Any, Optional, Union

from appfactory.error_codes import DESCRIPTIONS, ErrorCodes

__all__ = ["ErrorCodes", "PluginError"]


class PluginError(Exception):
    """An error with a code that reaches the caller as it is.

    `code` is a number, a name of `ErrorCodes` or a member of an enum of these; `data` is JSON that tells
    the caller more.

    >>> raise PluginError(1002, "Text exceeds maximum length", {"limit": 10_000})
    """

    def __init__(self, code: Union[int, str, Enum], message: Optional[str] = "", data: Any = None) -> None:
        self.code = _number(code)
        self.message = (
            message if message not in ("", None) else DESCRIPTIONS.get(self.code, f"Error {self.code}")
        )
        self.data = data
        super().__init__(self.message)

    @property
    def code_name(self) -> Optional[str]:
        """The name of the code, such as `TTS_TEXT_TOO_LONG`; None for a code of the author's own."""
        return next((name for name, code in vars(ErrorCodes).items() if code == self.code), None)

    def __str__(self) -> str:
        return str(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.code, self.message, self.data))


def _number(code: Union[int, str, Enum]) -> int:
    value = code.value if isinstance(code, Enum) else code
    if isinstance(value, str):
        value = vars(ErrorCodes).get(value)
    if isinstance(value, int) and not isinstance(value, bool) and not str(code).startswith("_"):
        return int(value)
    raise TypeError(f"A PluginError needs an integer code or a name from ErrorCodes, not {code!r}")
