"""What plugins extend, and the values that they take and return."""

from appfactory.errors import ErrorCodes, PluginError
from contracts.base import HealthStatus, PluginBase, PluginFactory, PluginManifest, PluginStatus
from contracts.embedding_contract import (
    EmbeddingContract,
    EmbeddingModel,
    EmbeddingOptions,
    EmbeddingResult,
)
from contracts.llm_contract import (
    CompletionOptions,
    CompletionResult,
    FinishReason,
    LLMContract,
    Message,
    MessageRole,
    Model,
    StreamChunk,
    TokenUsage,
)
from contracts.stt_contract import (
    StreamingConfig,
    STTContract,
    TranscriptionOptions,
    TranscriptionResult,
    TranscriptionSegment,
    TranscriptionStatus,
)
from contracts.tts_contract import AudioFormat, SynthesisOptions, SynthesisResult, TTSContract, Voice

__all__ = [
    "AudioFormat",
    "CompletionOptions",
    "CompletionResult",
    "EmbeddingContract",
    "EmbeddingModel",
    "EmbeddingOptions",
    "EmbeddingResult",
    "ErrorCodes",
    "FinishReason",
    "HealthStatus",
    "LLMContract",
    "Message",
    "MessageRole",
    "Model",
    "PluginBase",
    "PluginError",
    "PluginFactory",
    "PluginManifest",
    "PluginStatus",
    "STTContract",
    "StreamChunk",
    "StreamingConfig",
    "SynthesisOptions",
    "SynthesisResult",
    "TTSContract",
    "TokenUsage",
    "TranscriptionOptions",
    "TranscriptionResult",
    "TranscriptionSegment",
    "TranscriptionStatus",
    "Voice",
]
