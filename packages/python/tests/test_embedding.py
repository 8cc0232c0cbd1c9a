"""Text embedding in both dialects."""

from __future__ import annotations

import pytest
from conftest import Maker

from appfactory.errors import PluginError

GUIDE = """
async def embed(self, texts: list, model: str = None, dimensions: int = None):
    self.got = (texts, model, dimensions)
    return [[len(text), 1.5] for text in texts]

async def get_models(self):
    return [{"id": "m", "dimensions": 2}, "n"]
"""

OBJECTS = """
def embed(self, texts, options=None):
    self.got = (texts, options)
    return EmbeddingResult([[1, 2]] * len(texts), model="m", usage={"prompt_tokens": 3})

def get_models(self):
    return [EmbeddingModel("m", dimensions=2)]
"""

ANY = "answer = None\ndef embed(self, texts):\n    return self.answer\n\ndef get_models(self):\n    return []"


class Rows:
    """What numpy, torch and their like have in common."""

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def tolist(self) -> object:
        return self.rows


class Tensor:
    def numpy(self) -> Rows:
        return Rows([[1.0, 2.0]])


def test_the_guides_dialect(plugins: Maker) -> None:
    running = plugins.run_methods(GUIDE, "embedding")
    assert running.call("embed", texts=["a", ""]) == {"embeddings": [[1, 1.5], [0, 1.5]]}
    assert running.instance.got == (["a", ""], None, None)
    assert running.call("embed", texts=["abc"], model="m", dimensions=2) == {"embeddings": [[3, 1.5]]}
    assert running.instance.got == (["abc"], "m", 2)
    assert running.call("get_models") == [{"id": "m", "dimensions": 2}, {"id": "n"}]


def test_the_dialect_of_objects(plugins: Maker) -> None:
    running = plugins.run_methods(OBJECTS, "embedding")
    assert running.call("embed", texts=["a", "b"], model="m", provider_options={"pooling": "mean"}) == {
        "embeddings": [[1, 2], [1, 2]],
        "model": "m",
        "usage": {"prompt_tokens": 3},
    }
    options = running.instance.got[1]
    assert (options.model, options.dimensions, options.pooling) == ("m", None, "mean")
    assert running.call("get_models") == [{"id": "m", "dimensions": 2}]


@pytest.mark.parametrize(
    "answer",
    [
        [[1, 2]],
        ((1.0, 2),),
        Rows([[1, 2]]),
        [Rows([1, 2])],
        Tensor(),
        {"embeddings": Rows([[1, 2]])},
        iter([Rows([1, 2])]),
    ],
)
def test_vectors_of_many_kinds(plugins: Maker, answer: object) -> None:
    running = plugins.run_methods(ANY, "embedding")
    running.instance.answer = answer
    assert running.call("embed", texts=["a"]) == {"embeddings": [[1, 2]]}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        5,
        "ab",
        ["a", "b"],
        [1, 2],
        {},
        [[1]],
        [[1], [2], [3]],
        [[1, 2], [1]],
        [[], []],
        [[float("nan")], [1]],
        [[1], [float("inf")]],
        [["1"], ["2"]],
        [[None], [1]],
        [[10**400], [1]],
    ],
)
def test_what_callers_could_not_rely_on_is_a_failure(plugins: Maker, answer: object) -> None:
    running = plugins.run_methods(ANY, "embedding")
    running.instance.answer = answer
    with pytest.raises(TypeError, match="embed"):
        running.call("embed", texts=["a", "b"])


def test_dimensions_that_the_plugin_does_not_have_are_refused(plugins: Maker) -> None:
    running = plugins.run_methods(ANY, "embedding")
    running.instance.answer = [[1, 2]]
    assert running.call("embed", texts=["a"], dimensions=2)["embeddings"] == [[1, 2]]
    with pytest.raises(PluginError, match="dimensions") as caught:
        running.call("embed", texts=["a"], dimensions=3)
    assert caught.value.code_name == "INVALID_PARAMS"
    assert caught.value.data["issues"][0]["path"] == "dimensions"


@pytest.mark.parametrize("texts", [None, [], "a", ["a", 5]])
def test_texts_are_checked(plugins: Maker, texts: object) -> None:
    running = plugins.run_methods(ANY, "embedding")
    with pytest.raises(PluginError, match="texts"):
        running.call("embed", texts=texts)
