"""What the tests share: plugins written on the spot, and a stand-in for the process half's calls."""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, List, Optional

import pytest

from appfactory.plugin import Plugin, load


class Call:
    """Calls authors' code at once, where the process half would use its loop and its threads."""

    cancelled = False

    def __init__(self, items: Optional[List[Any]] = None) -> None:
        self.input = None if items is None else self._items(items)

    async def _items(self, items: List[Any]) -> AsyncIterator[Any]:
        for item in items:
            yield item

    async def invoke(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def iterate(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        made = await self.invoke(function, *args, **kwargs)
        try:
            if hasattr(made, "__aiter__"):
                async for item in made:
                    yield item
            else:
                for item in made:
                    yield item
        finally:
            if hasattr(made, "aclose"):
                await made.aclose()


class Running:
    """A plugin whose methods a test calls as the wire does."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.instance = plugin.instance

    def call(self, method: str, items: Optional[List[Any]] = None, **args: Any) -> Any:
        found = self.plugin.find(method)
        return asyncio.run(found.call(found.decode(args), Call(items)))

    def stream(self, method: str, items: Optional[List[Any]] = None, **args: Any) -> List[Any]:
        async def collect() -> List[Any]:
            found = self.plugin.find(method)
            return [piece async for piece in found.stream(found.decode(args), Call(items))]

        return asyncio.run(collect())

    def run(self, method: str, *args: Any) -> Any:
        return asyncio.run(getattr(self.plugin, method)(*args, Call()))


LIFE = """
    async def initialize(self, config):
        return True

    async def shutdown(self):
        return True

    def health_check(self):
        return HealthStatus(self._status)
"""

BASES = {"tts": "TTSContract", "stt": "STTContract", "llm": "LLMContract", "embedding": "EmbeddingContract"}


class Maker:
    """Writes plugins into a folder of the test, and loads them."""

    def __init__(self, plugins_dir: Path) -> None:
        self.plugins_dir = plugins_dir

    def load(self, files: Any, contract: str = "tts", folder: str = "mine", **manifest: Any) -> Any:
        place = self.plugins_dir / folder
        files = files if isinstance(files, dict) else {"main.py": files}
        for name, code in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(textwrap.dedent(code), encoding="utf-8")
        entry = str(place / next(iter(files)))
        told = {"name": folder, "version": "1.0.0", "contract": contract, "entry_point": "main", **manifest}
        return load(entry, str(place), str(self.plugins_dir), told)

    def run(self, files: Any, contract: str = "tts", **manifest: Any) -> Running:
        return Running(self.load(files, contract, **manifest).construct())

    def run_methods(self, methods: str, contract: str, **manifest: Any) -> Running:
        """A plugin of these methods, with a life of its own."""
        body = textwrap.indent(textwrap.dedent(methods), "    ")
        base = BASES.get(contract, "PluginBase")
        return self.run(
            f"from contracts import *\n\nclass Mine({base}):\n{LIFE}\n{body}", contract, **manifest
        )


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Maker]:
    import plugins

    paths, finders, package, before = sys.path[:], sys.meta_path[:], plugins.__path__[:], set(sys.modules)
    yield Maker(tmp_path)
    sys.path[:], sys.meta_path[:], plugins.__path__[:] = paths, finders, package
    for name in set(sys.modules) - before:
        if name.startswith("plugins.") or str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            vars(plugins).pop(name.rpartition(".")[2], None)
            del sys.modules[name]
