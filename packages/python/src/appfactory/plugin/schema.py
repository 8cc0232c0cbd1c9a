"""Checks arguments against the wire's JSON Schema, in time that grows with their length and no faster."""

from __future__ import annotations

import base64
import binascii
import copy
import re

# Not `json.dumps` when it is needed: the author may have put a faster one there, which takes other arguments.
from json import dumps
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

# How many issues are listed one by one; of more, the number is given.
MAX_ISSUES = 20

# How deep a value may be nested.
MAX_DEPTH = 300

Schema = Dict[str, Any]
Path = Tuple[Union[str, int], ...]


class Issues:
    """What is wrong with a value: the first issues, and how many there are."""

    def __init__(self) -> None:
        self.first: List[Dict[str, str]] = []
        self.count = 0
        self.deepest = 0

    def add(self, path: Path, message: str) -> None:
        self.count += 1
        self.deepest = max(self.deepest, len(path))
        if self.count <= MAX_ISSUES:
            self.first.append({"path": path_text(path), "message": message})

    def add_all(self, others: Issues) -> None:
        self.first += others.first[: MAX_ISSUES - len(self.first)]
        self.count += others.count
        self.deepest = max(self.deepest, others.deepest)

    def listed(self) -> List[Dict[str, str]]:
        """The first ones, and how many more there are."""
        more = self.count - len(self.first)
        return [*self.first, {"path": "", "message": f"and {more} more"}] if more else self.first


Decode = Callable[[Any, Path, Issues], Any]


def issues_text(issues: List[Dict[str, str]]) -> str:
    """`text: is required; speed: must be a number, not true`"""
    return "; ".join(
        f"{each['path']}: {each['message']}" if each["path"] else each["message"] for each in issues
    )


def path_text(path: Path) -> str:
    """`("messages", 0, "role")` → `messages[0].role`"""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shortened(part)}" for part in path)
    return "".join(parts).lstrip(".")


def shortened(text: str, most: int = 100) -> str:
    """Text from outside, cut to what a person reads in a message."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def name_value(value: Any) -> str:
    """A value as a person reads it in a message: short, with its type."""
    if value is None or isinstance(value, (bool, int)):
        return dumps(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, str):
        text = dumps(value[:40], ensure_ascii=False)
        return f"the string {text}…" if len(value) > 40 else f"the string {text}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return f"{len(value)} bytes" if isinstance(value, bytes) else "an object"


def compile_schema(schema: Schema, root: Optional[Schema] = None) -> Decode:
    """A function that checks a value, fills in defaults and makes bytes of base64."""
    root = schema if root is None else root
    if schema.get("contentEncoding") == "base64":
        return _decode_bytes
    if isinstance(schema.get("$ref"), str):
        return _reference(schema["$ref"], root)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(alternatives, list):
        return _any_of(alternatives, root)
    if "enum" in schema or "const" in schema:
        return _enum(schema["enum"] if "enum" in schema else [schema["const"]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _any_of([{**schema, "type": each} for each in kind], root)
    if kind == "object":
        return _object(schema, root)
    if kind == "array":
        return _array(schema, root)
    if kind == "string":
        return _string(schema)
    if kind in ("number", "integer"):
        return _number(schema)
    if kind == "boolean":
        return _instance(bool, "true or false")
    return _instance(type(None), "null") if kind == "null" else _keep


def _keep(value: Any, path: Path, issues: Issues) -> Any:
    return value


def _wrong(value: Any, expected: str, path: Path, issues: Issues) -> Any:
    # Of very many issues most are only counted.
    issues.add(path, f"must be {expected}, not {name_value(value)}" if issues.count < MAX_ISSUES else "")
    return value


def _instance(kind: type, expected: str) -> Decode:
    def decode(value: Any, path: Path, issues: Issues) -> Any:
        return value if isinstance(value, kind) else _wrong(value, expected, path, issues)

    return decode


def _object(schema: Schema, root: Schema) -> Decode:
    properties: Dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    decoders = {key: compile_schema(each, root) for key, each in properties.items()}
    # What is of such a type needs no further check.
    plain = {key: found for key, each in properties.items() if (found := _plain_type(each)) is not None}
    # null for what may be left out, and can't be null itself, counts as absent.
    nullable = {key for key, each in properties.items() if key in required or _takes_null(each, root)}
    defaults = {key: each["default"] for key, each in properties.items() if each.get("default") is not None}
    other = schema.get("additionalProperties", True)
    decode_other = compile_schema(other, root) if isinstance(other, dict) else _keep
    expected = [key for key in properties if key in required or key in defaults]

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        if not isinstance(value, dict):
            return _wrong(value, "an object", path, issues)
        if len(path) > MAX_DEPTH:
            issues.add((), f"is nested more than {MAX_DEPTH} deep")
            return value
        decoded: Dict[str, Any] = {}
        for key, item in value.items():
            if type(item) is plain.get(key):
                decoded[key] = item
                continue
            decode_item = decoders.get(key)
            if decode_item is not None:
                if item is not None or key in nullable:
                    decoded[key] = decode_item(item, (*path, key), issues)
            elif other is False:
                issues.add((*path, key), _unknown(key, list(properties)))
            else:
                decoded[key] = decode_other(item, (*path, key), issues)
        for key in expected:
            if key in decoded:
                continue
            if key in defaults:
                # Each call gets its own copy, so that changing it does not affect the next call.
                default = defaults[key]
                decoded[key] = copy.deepcopy(default) if isinstance(default, (dict, list)) else default
            else:
                issues.add((*path, key), "is required")
        return decoded

    return decode


def _plain_type(schema: Schema) -> Optional[type]:
    """The type all of whose values fit, if there is one."""
    if any(key in schema for key in _LIMITS):
        return None
    kind = schema.get("type")
    return str if kind == "string" else bool if kind == "boolean" else None


_LIMITS = ("contentEncoding", "$ref", "anyOf", "oneOf", "enum", "const", "minLength", "maxLength")


def _takes_null(schema: Schema, root: Schema) -> bool:
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(alternatives, list):
        return any(_takes_null(each, root) for each in alternatives)
    if "enum" in schema:
        return None in schema["enum"]
    kind = schema.get("type")
    is_open = kind is None and not any(key in schema for key in ("$ref", "const", "contentEncoding"))
    return is_open or kind == "null" or (isinstance(kind, list) and "null" in kind)


def _array(schema: Schema, root: Schema) -> Decode:
    items = schema.get("items")
    decode_item = compile_schema(items, root) if isinstance(items, dict) else _keep
    least, most = schema.get("minItems", 0), schema.get("maxItems")

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        if not isinstance(value, list):
            return _wrong(value, "an array", path, issues)
        if len(path) > MAX_DEPTH:
            issues.add((), f"is nested more than {MAX_DEPTH} deep")
            return value
        if len(value) < least:
            issues.add(path, f"needs at least {least} item(s)")
        if most is not None and len(value) > most:
            issues.add(path, f"takes at most {most} item(s)")
        return [decode_item(item, (*path, index), issues) for index, item in enumerate(value)]

    return decode


def _string(schema: Schema) -> Decode:
    least, most = schema.get("minLength", 0), schema.get("maxLength")

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        if not isinstance(value, str):
            return _wrong(value, "a string", path, issues)
        if len(value) < least:
            issues.add(path, f"must have at least {least} character(s)")
        if most is not None and len(value) > most:
            issues.add(path, f"must have at most {most} characters")
        return value

    return decode


def _number(schema: Schema) -> Decode:
    is_integer = schema["type"] == "integer"
    expected = "an integer" if is_integer else "a number"
    bounds: List[Tuple[str, Callable[[Any, Any], bool], str]] = [
        ("minimum", lambda value, bound: value < bound, "at least"),
        ("exclusiveMinimum", lambda value, bound: value <= bound, "more than"),
        ("maximum", lambda value, bound: value > bound, "at most"),
        ("exclusiveMaximum", lambda value, bound: value >= bound, "less than"),
    ]
    checks = [(schema[key], breaks, words) for key, breaks, words in bounds if key in schema]

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value - value != 0:
            return _wrong(value, expected, path, issues)
        if is_integer and isinstance(value, float):
            if not value.is_integer():
                return _wrong(value, expected, path, issues)
            value = int(value)
        for bound, breaks, words in checks:
            if breaks(value, bound):
                issues.add(path, f"must be {words} {name_value(bound)}, not {name_value(value)}")
        return value

    return decode


def _enum(values: List[Any]) -> Decode:
    expected = " or ".join(dumps(value, ensure_ascii=False) for value in values)

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        # For Python, 1 and True are equal.
        if any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values):
            return value
        return _wrong(value, expected, path, issues)

    return decode


def _any_of(schemas: List[Schema], root: Schema) -> Decode:
    """The first alternative without issues; where there is none, the issues of the one that came closest."""
    alternatives = [(compile_schema(each, root), _KINDS.get(str(each.get("type")), ())) for each in schemas]

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        closest: Optional[Issues] = None
        least: Tuple[int, bool, int] = (0, False, 0)
        for alternative, kinds in alternatives:
            own = Issues()
            decoded = alternative(value, path, own)
            if own.count == 0:
                return decoded
            # The deepest is closest, then one that takes values of the kind, then one with fewer issues.
            distance = (-own.deepest, type(value) not in kinds, own.count)
            if closest is None or distance < least:
                closest, least = own, distance
        if closest:
            issues.add_all(closest)
        return value

    return decode


_KINDS: Dict[str, Tuple[type, ...]] = {
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
}


def _reference(reference: str, root: Schema) -> Decode:
    """A schema that contains itself is compiled when a value first gets that deep."""
    compiled: List[Decode] = []

    def decode(value: Any, path: Path, issues: Issues) -> Any:
        if not compiled:
            target: Any = root
            for key in reference.split("/")[1:]:
                target = target.get(key.replace("~1", "/").replace("~0", "~"), {})
            compiled.append(compile_schema(target, root))
        return compiled[0](value, path, issues)

    return decode


_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/_\-=\r\n]")


def _decode_bytes(value: Any, path: Path, issues: Issues) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, str):
        return _wrong(value, "base64 text", path, issues)
    stranger = _NO_BASE64.search(value)
    if stranger is None:
        try:
            return decode_base64(value)
        except binascii.Error:
            pass
    why = 'its length or its "=" is wrong' if stranger is None else f"it holds {dumps(stranger.group())}"
    return _wrong(value, f"base64 text ({why})", path, issues)


def decode_base64(text: str) -> bytes:
    """Bytes of base64, also of the alphabet for addresses, with line ends or without padding."""
    if "\n" in text or "\r" in text:
        text = text.replace("\r", "").replace("\n", "")
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    digits = text[:-2] if text.endswith("==") else text[:-1] if text.endswith("=") else text
    if "=" in digits or len(digits) % 4 == 1:
        raise binascii.Error("its length or its padding is wrong")
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def _unknown(key: str, known: List[str]) -> str:
    meant = _closest(key, known)
    if meant:
        return f"is not known; did you mean {meant}?"
    if not known:
        return "is not known; nothing is expected here"
    more = [f"... {len(known) - 20} more"] if len(known) > 20 else []
    return f"is not known; there is {', '.join([*known[:20], *more])}"


def _closest(name: str, known: List[str]) -> Optional[str]:
    """The known name that is so much like `name` that it may be what was meant."""
    if len(name) > 100:
        return None
    from difflib import get_close_matches

    simple = {re.sub(r"_b64$|[^a-z0-9]", "", each.lower()): each for each in known}
    found = get_close_matches(re.sub(r"_b64$|[^a-z0-9]", "", name.lower()), list(simple), n=1, cutoff=0.75)
    return simple[found[0]] if found else None
