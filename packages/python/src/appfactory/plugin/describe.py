"""Describes methods that no table has: those of an author's own contract, and further ones of a plugin."""

from __future__ import annotations

import inspect
import re
import types
from functools import partialmethod
from typing import Any, Callable, Dict, List, Tuple

from appfactory.plugin.methods import camel_case
from appfactory.plugin.signature import annotation_of, parameters_of
from appfactory.plugin.values import NotJson, to_json

Schema = Dict[str, Any]

# Names that a handle or a plugin has already, as TypeScript writes them.
_RESERVED = set(
    "initialize shutdown healthCheck captureState restoreState manifest getManifest setManifest name version "
    "status contract contractType constructor then health unload call stream".split()
)

_BYTES: Schema = {"type": "string", "contentEncoding": "base64"}

_BY_ANNOTATION: Dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "bytes": _BYTES,
    "bytearray": _BYTES,
    "dict": {"type": "object"},
    "list": {"type": "array"},
    "None": {"type": "null"},
    "NoneType": {"type": "null"},
}


def public_methods(plugin_class: type, base: type) -> List[str]:
    """Names of the methods that a class has beside those of `base`, in the order of their definition."""
    names: Dict[str, None] = {}
    for each in reversed([each for each in plugin_class.__mro__ if each not in base.__mro__]):
        for name, value in vars(each).items():
            if _is_method(value) and _is_public(name):
                names[name] = None
    return [name for name in names if callable(getattr(plugin_class, name, None))]


def _is_method(value: Any) -> bool:
    """Functions in every form in which a class may have them, such as behind a cache."""
    kinds = types.FunctionType, staticmethod, classmethod, partialmethod
    return isinstance(value, kinds) or (hasattr(value, "__wrapped__") and not isinstance(value, type))


def wire_name(name: str) -> str:
    """A method's name on the wire, where names are in snake_case: `loadModel` → `load_model`"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _is_public(name: str) -> bool:
    camel = camel_case(name)
    return re.fullmatch(r"[a-z][A-Za-z0-9]*", camel) is not None and camel not in _RESERVED


def describe_method(function: Callable[..., Any], wire: str) -> Dict[str, Any]:
    """The descriptor of a bound method, from its signature and docstring."""
    args, positional = _args_schema(function)
    returns = _return_annotation(function)
    is_stream = _is_generator(function) or re.match(
        r"(typing\.|collections\.abc\.)?(Async)?(Iterator|Iterable|Generator)\b", returns
    )
    gives_bytes = returns == "bytes" or (is_stream and re.search(r"\[bytes\b", returns))
    result = {"type": "object", "properties": {"_b64": _BYTES}, "required": ["_b64"]} if gives_bytes else {}
    return {
        "name": camel_case(wire),
        "wire": wire,
        "description": (inspect.getdoc(function) or "").split("\n")[0],
        "kind": "stream" if is_stream else "call",
        "required": False,
        "idempotent": False,
        "parameters": positional,
        "input": None,
        "bare": None,
        "unwrap": None,
        "session": None,
        "args": args,
        "result": {} if is_stream else result,
        "piece": result if is_stream else None,
    }


def _is_generator(function: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(function)
    return inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain)


def _return_annotation(function: Callable[..., Any]) -> str:
    annotation = getattr(inspect.unwrap(function), "__annotations__", {}).get("return")
    return (
        annotation.__name__
        if isinstance(annotation, type) and not hasattr(annotation, "__args__")
        else str(annotation)
    )


def _args_schema(function: Callable[..., Any]) -> Tuple[Schema, List[str]]:
    properties: Schema = {}
    required: List[str] = []
    positional: List[str] = []
    takes_all = False
    for parameter in parameters_of(function):
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_all = True
        if parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            continue
        schema = dict(schema_of(annotation_of(parameter)))
        wire = f"{parameter.name}_b64" if schema == _BYTES else parameter.name
        if parameter.default is inspect.Parameter.empty:
            required.append(wire)
        elif schema != _BYTES and _is_exact(parameter.default):
            schema["default"] = parameter.default
        properties[wire] = schema
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            positional.append(camel_case(parameter.name))
    args = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": takes_all,
    }
    return args, positional


def _is_exact(default: Any) -> bool:
    """Whether a default is the same after a way over JSON; any other one is left to Python."""
    try:
        return type(default) in (str, bool, int, float) and to_json(default) is not None
    except NotJson:
        return False


def schema_of(annotation: str) -> Schema:
    """JSON Schema of an annotation; `{}`, which takes anything, where JSON has no word for it."""
    text = annotation.replace("typing.", "").strip().strip("'\"")
    if text in _BY_ANNOTATION:
        return _BY_ANNOTATION[text]
    optional = re.fullmatch(r"Optional\[(.*)\]|Union\[(.*), None(?:Type)?\]|(.*) \| None", text, re.DOTALL)
    if optional:
        # null counts as absent where a parameter may be.
        return schema_of(next(group for group in optional.groups() if group is not None))
    items = re.fullmatch(r"(?:[Ll]ist|Sequence)\[(.*)\]", text, re.DOTALL)
    if items:
        return {"type": "array", "items": _inner(items.group(1))}
    return {"type": "object"} if re.match(r"[Dd]ict\[|Mapping\[|Dict$", text) else {}


def _inner(annotation: str) -> Schema:
    """Bytes have their mark in the name of a property; items have none."""
    schema = schema_of(annotation)
    return {} if schema == _BYTES else schema
