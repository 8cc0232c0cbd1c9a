"""Text embedding."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from contracts._options import from_known
from contracts.base import PluginBase


@dataclass
class EmbeddingModel:
    """A model. `dimensions` is the length of its embeddings, `context_length` that of one text in tokens."""

    id: str
    name: Optional[str] = None
    dimensions: Optional[int] = None
    context_length: Optional[int] = None


@dataclass
class EmbeddingOptions:
    """How to embed. A plugin refuses `dimensions` that it can't give with a ValueError."""

    model: Optional[str] = None
    dimensions: Optional[int] = None

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> EmbeddingOptions:
        """Makes them of JSON; keys that it does not know are left out."""
        return from_known(cls, data)


@dataclass
class EmbeddingResult:
    """Embeddings, with what is known about them. `embeddings` has one for each text, in their order."""

    embeddings: Any
    model: Optional[str] = None
    usage: Dict[str, Any] = field(default_factory=dict)
    metadata: Dict[str, Any] = field(default_factory=dict)


class EmbeddingContract(PluginBase):
    """Text embedding. Implement `embed` and `get_models`, each as `def` or `async def`."""

    @property
    def contract_type(self) -> str:
        return "embedding"

    @abstractmethod
    def embed(self, texts: List[str], *args: Any, **kwargs: Any) -> Any:
        """Converts texts to vectors: `(texts, model=None, dimensions=None)` or `(texts, options=None)`.

        Returns one vector for each text, in their order: lists of numbers, an array of numpy or of its like,
        or an `EmbeddingResult`.
        """

    @abstractmethod
    def get_models(self) -> Any:
        """Lists the models: `EmbeddingModel` or dict."""
