"""Language models."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, AsyncIterator, Dict, List, Optional

from contracts._options import from_known
from contracts.base import PluginBase


class MessageRole(Enum):
    """Who says a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(Enum):
    """Why an answer ends."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    ERROR = "error"


@dataclass
class Message:
    """A message of a conversation."""

    role: MessageRole
    content: str
    name: Optional[str] = None
    tool_call_id: Optional[str] = None
    tool_calls: List[Dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> Dict[str, Any]:
        """The message as JSON, without what it does not have."""
        role = self.role.value if isinstance(self.role, Enum) else self.role
        more = {"name": self.name, "tool_call_id": self.tool_call_id, "tool_calls": self.tool_calls}
        return {"role": role, "content": self.content, **{key: value for key, value in more.items() if value}}

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> Message:
        """Makes one of JSON; keys that it does not know are left out."""
        return from_known(cls, {**data, "content": data.get("content") or ""}, role=MessageRole)


@dataclass
class Model:
    """A model. `context_length` is in tokens."""

    id: str
    name: str
    provider: str
    context_length: int = 4096
    description: str = ""
    capabilities: List[str] = field(default_factory=lambda: ["chat"])


@dataclass
class CompletionOptions:
    """How to answer."""

    model: Optional[str] = None
    temperature: float = 0.0
    max_tokens: int = 1024
    top_p: float = 1.0
    top_k: int = 40
    stop: List[str] = field(default_factory=list)
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    tools: List[Dict[str, Any]] = field(default_factory=list)
    tool_choice: Optional[Any] = None

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> CompletionOptions:
        """Makes them of JSON; keys that it does not know are left out."""
        return from_known(cls, data)


@dataclass
class TokenUsage:
    """How many tokens a call took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass
class CompletionResult:
    """An answer."""

    content: str
    finish_reason: FinishReason
    model: str
    usage: TokenUsage
    tool_calls: List[Dict[str, Any]] = field(default_factory=list)
    metadata: Dict[str, Any] = field(default_factory=dict)


@dataclass
class StreamChunk:
    """A piece of an answer."""

    content: str = ""
    finish_reason: Optional[FinishReason] = None
    tool_calls: List[Dict[str, Any]] = field(default_factory=list)


class LLMContract(PluginBase):
    """A language model. Implement `complete` and `get_models`, each as `def` or `async def`."""

    def __init__(self) -> None:
        super().__init__()
        self._current_model: Optional[str] = None
        self._models: List[Any] = []

    @property
    def contract_type(self) -> str:
        return "llm"

    @abstractmethod
    def complete(self, *args: Any, **kwargs: Any) -> Any:
        """Answers: `(prompt, max_tokens=…, temperature=…, stop_sequences=…)` or `(messages, options=None)`.

        Returns the text, or a `CompletionResult`.
        """

    @abstractmethod
    def get_models(self) -> Any:
        """Lists the models: `Model` or dict."""

    async def complete_stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Answers piece by piece. Default: `complete()` in one piece."""
        result = await self.complete(messages, *args, **kwargs)
        yield StreamChunk(getattr(result, "content", result), FinishReason.STOP)

    def set_model(self, model_id: str) -> Any:
        """Chooses the model of calls that name none. Returns whether it could."""
        self._current_model = model_id
        return True

    def get_current_model(self) -> Any:
        """The id of the chosen model; None where none is chosen."""
        return self._current_model

    def supports_streaming(self) -> bool:
        """Whether the plugin answers piece by piece."""
        return True

    def supports_tools(self) -> bool:
        """Whether the plugin calls tools."""
        return False

    def supports_vision(self) -> bool:
        """Whether the plugin sees images."""
        return False

    def get_context_length(self, model_id: Optional[str] = None) -> int:
        """Tokens that the model takes: what `_models` says of it, else 4096."""
        wanted = model_id or self._current_model
        found = (model for model in self._models if getattr(model, "id", None) == wanted)
        return int(getattr(next(found, None), "context_length", 4096))
