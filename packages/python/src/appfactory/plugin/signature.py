"""How a method of the author takes the arguments of the wire: planned once, from its signature."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Values = Dict[str, Any]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

# What holds one argument, unlike *args and **kwargs.
_SINGLE = (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)

# A parameter that takes all arguments which have none of their own.
OPTIONS = "options"


def parameters_of(function: Callable[..., Any]) -> List[inspect.Parameter]:
    """The parameters of a bound method; any, where Python can't tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        return [inspect.Parameter("args", kinds[0]), inspect.Parameter("kwargs", kinds[1])]


def annotation_of(parameter: inspect.Parameter) -> str:
    """The annotation as text, also where it is one already; empty where there is none."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation
    return (
        annotation.__name__
        if isinstance(annotation, type) and not hasattr(annotation, "__args__")
        else str(annotation)
    )


def _is_options(parameter: inspect.Parameter) -> bool:
    return parameter.name == OPTIONS and parameter.kind in _SINGLE


def plain_name(wire: str) -> str:
    """What an argument of the wire is called in code: bytes lose their mark."""
    return wire[:-4] if wire.endswith("_b64") else wire


class Plan:
    """Which argument goes to which parameter. `positional` are those that authors may call as they like."""

    def __init__(
        self,
        function: Callable[..., Any],
        positional: Sequence[str],
        known: Sequence[str],
        options: Optional[Callable[[Values, List[str], str], Any]] = None,
        defaults: Optional[Values] = None,
        name: str = "",
    ) -> None:
        self.function = function
        # Of the author's method: what a decorator returns may be called otherwise.
        self.name = name
        self.parameters = parameters_of(function)
        self.names = {plain_name(wire) for wire in known} | set(positional)
        self.make_options = options
        self.defaults = defaults or {}
        self.takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in self.parameters)
        self.takes_more = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in self.parameters)
        # A decorator's own function, which hands everything on to one that may not take it.
        self.hides_signature = self.takes_all and self.takes_more and len(self.parameters) == 2
        # Where the code may be that of a decorator, which need not take arguments by name.
        self.by_position = (
            self.takes_more
            or hasattr(function, "__wrapped__")
            or any(each.kind is inspect.Parameter.POSITIONAL_ONLY for each in self.parameters)
        )
        self.places = self._match(positional)
        self.options = next((each for each in self.parameters if options and _is_options(each)), None)
        # A default that the contract filled in is nobody's wish.
        self.drops_defaults = self.options is None and not self.takes_all and not self.takes_more
        self.by_argument = dict(self.places)
        self.place_names = {argument: parameter.name for argument, parameter in self.places}
        self.needs = [
            each.name
            for each in self.parameters
            if each.default is inspect.Parameter.empty and each.kind in _SINGLE
        ]

    def first_name(self) -> str:
        """The name of the first parameter; empty where there is none."""
        return self.parameters[0].name if self.parameters else ""

    def parameter_of(self, argument: str) -> Optional[inspect.Parameter]:
        return self.by_argument.get(argument)

    def _match(self, positional: Sequence[str]) -> List[Tuple[str, inspect.Parameter]]:
        """By name first; what is left of the positional arguments by their order."""
        usable = [
            each
            for each in self.parameters
            if each.kind in _SINGLE and not (self.make_options and _is_options(each))
        ]
        named = {each.name: each for each in usable if each.name in self.names}
        free = [each for each in usable if each.name not in named and each.kind in _POSITIONAL]
        places = list(named.items())
        left = [each for each in positional if each not in named]
        return places + list(zip(left, free))

    def bind(self, given: Values, warnings: List[str]) -> Tuple[List[Any], Values]:
        """The arguments of the call. What the signature does not take is told in `warnings`."""
        values: Values = {}
        rest: Values = {}
        for name, value in given.items():
            place = self.place_names.get(name)
            if place is not None:
                values[place] = value
            elif not self.drops_defaults or self.defaults.get(name) != value:
                rest[name] = value
        if rest or self.options is not None:
            self._bind_rest(values, rest, warnings)
        for needed in self.needs:
            if needed not in values:
                values[needed] = None
        return (
            self._arranged(values, rest) if self.by_position else ([], {**values, **rest} if rest else values)
        )

    def _bind_rest(self, values: Values, rest: Values, warnings: List[str]) -> None:
        options = self.options
        if options is not None and self.make_options is not None:
            if rest or options.default is inspect.Parameter.empty:
                values[options.name] = self.make_options(dict(rest), warnings, annotation_of(options))
            rest.clear()
        elif self.hides_signature:
            for name in [name for name, value in rest.items() if self.defaults.get(name) == value]:
                del rest[name]
        elif not self.takes_all and not self.takes_more:
            warnings.extend(f"{name}: this plugin does not support it; it was ignored" for name in rest)
            rest.clear()

    def _arranged(self, values: Values, rest: Values) -> Tuple[List[Any], Values]:
        """By position as far as possible: a decorator may take no other way."""
        positional: List[Any] = []
        for parameter in self.parameters:
            if parameter.kind not in _POSITIONAL:
                break
            if parameter.name not in values:
                if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
                    break
                values[parameter.name] = (
                    None if parameter.default is inspect.Parameter.empty else parameter.default
                )
            positional.append(values.pop(parameter.name))
        if self.takes_more and not self.takes_all:
            positional += rest.values()
            rest = {}
        return positional, {**values, **rest}
