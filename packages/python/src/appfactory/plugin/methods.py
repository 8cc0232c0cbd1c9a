"""A method as a call reaches it: arguments checked, the author's code called, the result completed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, AsyncIterator, Callable, Dict, List, Optional

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.schema import Decode, Issues, compile_schema, issues_text
from appfactory.plugin.signature import plain_name
from appfactory.plugin.values import to_json

Values = Dict[str, Any]


class Arguments:
    """Checked arguments, by their names in code, and what the result has to warn of."""

    __slots__ = ("has_input", "input", "values", "warnings")

    def __init__(self, values: Values, has_input: bool = False) -> None:
        self.values = values
        self.has_input = has_input
        # The checked items of the streamed argument, once the call runs.
        self.input: Optional[AsyncIterator[Any]] = None
        self.warnings: List[str] = []


class Method:
    """One method of a plugin. `answer` makes the result of a call; `pieces` those of a stream."""

    def __init__(
        self,
        descriptor: Dict[str, Any],
        plugin: str,
        answer: Optional[Callable[..., Any]] = None,
        pieces: Optional[Callable[..., AsyncIterator[Any]]] = None,
        joined: Optional[Callable[[List[Any]], Any]] = None,
    ) -> None:
        self.wire: str = descriptor["wire"]
        self.kind: str = descriptor["kind"]
        self.session: Optional[str] = descriptor["session"]
        self.input_name = _input_name(descriptor)
        self._plugin = plugin
        # Those of the last call: most have none, and the next one uses them again.
        self._issues = Issues()
        self._answer = answer
        self._pieces = pieces
        self._joined = joined
        self._schema: Dict[str, Any] = descriptor["args"]
        self._names = {wire: plain_name(wire) for wire in _bytes_in(descriptor["args"])}

    # Compiled when they are first needed: most plugins are called by few of their methods.
    @cached_property
    def _decode(self) -> Decode:
        return compile_schema(self._schema)

    @cached_property
    def _decode_input(self) -> Decode:
        return compile_schema(self._schema["properties"][self.input_name], self._schema)

    @cached_property
    def _decode_rest(self) -> Decode:
        """All arguments but the one that is streamed."""
        properties = {key: each for key, each in self._schema["properties"].items() if key != self.input_name}
        required = [each for each in self._schema.get("required", ()) if each != self.input_name]
        return compile_schema({**self._schema, "properties": properties, "required": required})

    def decode(self, args: Any) -> Arguments:
        """Checks the wire's arguments, fills in defaults and makes bytes of base64. Raises INVALID_PARAMS."""
        args = {} if args is None else args
        issues = self._issues
        if issues.count:
            issues = self._issues = Issues()
        has_input = self.input_name is not None and self._has_marker(args)
        if has_input:
            rest = {key: value for key, value in args.items() if key != self.input_name}
            values = self._decode_rest(rest, (), issues)
        else:
            values = self._decode(args, (), issues)
        if issues.count:
            raise invalid(self._plugin, self.wire, issues)
        for wire, name in self._names.items():
            if wire in values:
                values[name] = values.pop(wire)
        return Arguments(values, has_input)

    def _has_marker(self, args: Any) -> bool:
        value = args.get(self.input_name) if isinstance(args, dict) else None
        return isinstance(value, dict) and value.get("$input") is True

    def decode_input(self, item: Any) -> Any:
        """Checks one item of the streamed argument. Raises INVALID_PARAMS."""
        issues = Issues()
        value = self._decode_input(item, (), issues)
        if issues.count:
            raise PluginError(ErrorCodes.INVALID_PARAMS, f"{self.input_name}: {issues_text(issues.listed())}")
        return value

    async def _input_of(self, call: Any) -> AsyncIterator[Any]:
        """The checked items of the streamed argument."""
        async for item in call.input:
            yield self.decode_input(item)

    async def call(self, arguments: Arguments, call: Any) -> Any:
        """The result, ready for the wire; of a stream all pieces as one."""
        if self._answer is not None:
            result = await self._answer(arguments, call)
        else:
            pieces = [piece async for piece in self.stream(arguments, call)]
            result = self._joined(pieces) if self._joined else pieces
        return self._completed(result, arguments)

    async def stream(self, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        """The pieces, ready for the wire."""
        if self._pieces is None:
            raise PluginError(
                ErrorCodes.INVALID_PARAMS, f'stream: {self.wire} answers once; call it without "stream"'
            )
        if arguments.has_input:
            arguments.input = self._input_of(call)
        pieces = self._pieces(arguments, call)
        try:
            async for piece in pieces:
                yield self._completed(piece, arguments)
                # Told once.
                arguments.warnings.clear()
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    def _completed(self, result: Any, arguments: Arguments) -> Any:
        try:
            value = to_json(result)
        except Exception as error:
            raise TypeError(f"{self.wire} returned what its contract does not allow: {error}") from error
        if arguments.warnings and isinstance(value, dict):
            told = value.get("warnings")
            value["warnings"] = [*(told if isinstance(told, list) else []), *arguments.warnings]
        return value


def invalid(plugin: str, method: str, issues: Issues) -> PluginError:
    """The error of arguments that break the schema."""
    listed = issues.listed()
    data = {"plugin": plugin, "method": method, "issues": listed}
    return PluginError(ErrorCodes.INVALID_PARAMS, f"{plugin}: {method}: {issues_text(listed)}", data)


def _bytes_in(schema: Dict[str, Any]) -> List[str]:
    properties = schema.get("properties", {})
    return [key for key, each in properties.items() if key.endswith("_b64") and "contentEncoding" in each]


def _input_name(descriptor: Dict[str, Any]) -> Optional[str]:
    """The wire name of the argument that may be streamed: the descriptor has the one in TypeScript."""
    wanted = descriptor["input"]
    properties = descriptor["args"].get("properties", {})
    return next((wire for wire in properties if wanted and camel_case(plain_name(wire)) == wanted), None)


def camel_case(name: str) -> str:
    """`get_voices` → `getVoices`"""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
