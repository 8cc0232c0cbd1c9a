"""Text embedding, in both dialects."""

from __future__ import annotations

from array import array
from math import isfinite
from typing import Any, Dict, List

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.shipped.author import (
    Author,
    as_dict,
    listed,
    make_options,
    members_of,
    takes_dicts,
)
from appfactory.plugin.shipped.llm import model_of
from contracts.embedding_contract import EmbeddingOptions

Values = Dict[str, Any]


def methods_of(author: Author) -> List[Method]:
    """The methods of an embedding plugin."""
    embedding = _Embedding(author)
    return [
        author.method("embed", embedding.embed),
        author.method("get_models", embedding.get_models),
    ]


class _Embedding:
    def __init__(self, author: Author) -> None:
        self.plan = author.plan("embed", "embed", _options)
        self.models = author.plan("get_models", "get_models")

    async def embed(self, arguments: Arguments, call: Any) -> Any:
        args, named = self.plan.bind(arguments.values, arguments.warnings)
        result = await call.invoke(self.plan.function, *args, **named)
        if hasattr(result, "__next__"):
            # An engine that works while it is iterated must not hold up other calls.
            result = await call.invoke(list, result)
        return embeddings_of(result, arguments.values)

    async def get_models(self, arguments: Arguments, call: Any) -> Any:
        args, named = self.models.bind({}, [])
        return listed(await call.invoke(self.models.function, *args, **named), "get_models", model_of)


def _options(given: Values, warnings: List[str], annotation: str) -> Any:
    return as_dict(given) if takes_dicts(annotation) else make_options(EmbeddingOptions, given, warnings)


def embeddings_of(result: Any, asked: Values) -> Values:
    """Vectors, or what holds them, as a result of the wire. Callers rely on their number and length."""
    told = members_of(result) or {"embeddings": result}
    vectors = [_vector_of(each) for each in _items_of(told.get("embeddings"))]
    expected, lengths = len(asked["texts"]), {len(each) for each in vectors}
    if len(vectors) != expected:
        raise TypeError(
            f"embed must return one embedding for each text: "
            f"there are {expected} texts and {len(vectors)} embeddings"
        )
    if len(lengths) != 1 or 0 in lengths:
        shown = ", ".join(map(str, sorted(lengths)[:3]))
        raise TypeError(f"embed must return embeddings of one length, but they have {shown} numbers")
    _check_dimensions(asked.get("dimensions"), len(vectors[0]))
    rest = {key: value for key, value in told.items() if value is not None and value != {}}
    return {**rest, "embeddings": vectors}


def _items_of(value: Any) -> Any:
    """The rows of a list, of an array, or of whatever an engine returns."""
    if not hasattr(value, "tolist") and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    if callable(getattr(value, "tolist", None)):
        value = value.tolist()
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise TypeError(
            f"embed must return a list of embeddings, each a list of numbers, "
            f"or an EmbeddingResult, not a value of type {type(value).__name__}"
        )
    return value


def _vector_of(value: Any) -> List[float]:
    try:
        numbers = array("d", _items_of(value)).tolist()
    except (TypeError, OverflowError) as error:
        raise TypeError(f"embed must return embeddings that are lists of numbers: {error}") from error
    if not all(map(isfinite, numbers)):
        raise TypeError("embed returned an embedding with a value that is not a finite number")
    return numbers


def _check_dimensions(asked: Any, length: int) -> None:
    """An engine may not know of dimensions; vectors of another length would spoil the index they are for."""
    if asked is None or asked == length:
        return
    message = f"the model gives {length}, not {asked}; leave dimensions out"
    issues = [{"path": "dimensions", "message": message}]
    raise PluginError(ErrorCodes.INVALID_PARAMS, f"dimensions: {message}", {"issues": issues})
