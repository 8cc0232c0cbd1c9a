"""Made from packages/sdk/src/errors.ts by `pnpm generate`; do not edit."""


class ErrorCodes:
    """Every error code of App Factory, by name."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    PLUGIN_NOT_FOUND = -32000
    PLUGIN_NOT_READY = -32001
    PLUGIN_LOAD_FAILED = -32002
    PLUGIN_INITIALIZE_FAILED = -32003
    PLUGIN_SHUTDOWN_FAILED = -32004
    PLUGIN_ALREADY_LOADED = -32005
    CONTRACT_MISMATCH = -32010
    CONTRACT_NOT_FOUND = -32011
    MANIFEST_INVALID = -32012
    MANIFEST_MISSING = -32013
    CONFIG_INVALID = -32014
    HOTSWAP_FAILED = -32020
    HOTSWAP_ROLLBACK_FAILED = -32021
    DISCOVERY_FAILED = -32030
    HEALTH_CHECK_TIMEOUT = -32040
    CALL_TIMEOUT = -32041
    PLUGIN_CRASHED = -32042
    PLUGIN_QUARANTINED = -32043
    RESOURCE_EXHAUSTED = -32050
    DEPENDENCY_MISSING = -32051
    MODEL_NOT_FOUND = -32052
    MESSAGE_TOO_LARGE = -32053
    PROTOCOL_VERSION_UNSUPPORTED = -32060
    CALL_FORBIDDEN = -32070
    REQUEST_CANCELLED = -32800
    TTS_SYNTHESIS_FAILED = 1000
    TTS_VOICE_NOT_FOUND = 1001
    TTS_TEXT_TOO_LONG = 1002
    STT_TRANSCRIPTION_FAILED = 1100
    STT_AUDIO_INVALID = 1101
    STT_LANGUAGE_NOT_SUPPORTED = 1102
    LLM_COMPLETION_FAILED = 1200
    LLM_MODEL_NOT_AVAILABLE = 1201
    LLM_CONTEXT_TOO_LONG = 1202
    LLM_RATE_LIMITED = 1203


DESCRIPTIONS = {
    -32700: "A line is not JSON.",
    -32600: "The JSON is not a JSON-RPC 2.0 request.",
    -32601: "No such method.",
    -32602: "A parameter is missing, unknown or of the wrong type.",
    -32603: "Unexpected error.",
    -32000: "No plugin has that name.",
    -32001: "The plugin is not loaded, or is stopping.",
    -32002: "The plugin could not be started.",
    -32003: "initialize() failed, returned false or took too long.",
    -32004: "shutdown() failed; the process was stopped anyway.",
    -32005: "The plugin is already loaded.",
    -32010: "The class does not implement the contract that the manifest names.",
    -32011: "No loaded plugin provides that contract.",
    -32012: "manifest.json breaks a rule.",
    -32013: "The folder has no manifest.json.",
    -32014: "The configuration breaks the plugin’s schema.",
    -32020: "The swap failed; the old plugin goes on serving.",
    -32021: "The swap failed after the switch and could not be undone.",
    -32030: "A plugins folder could not be read.",
    -32040: "The plugin did not answer a health check in time.",
    -32041: "A call took longer than its timeout and was cancelled.",
    -32042: "The plugin’s process exited during the call.",
    -32043: "The plugin crashed too often; it is retried after a delay.",
    -32050: "A limit was reached.",
    -32051: "The plugin needs packages that are missing.",
    -32052: "A model file is missing.",
    -32053: "A message is longer than the limit.",
    -32060: "Host and plugin have no protocol version in common.",
    -32070: "The caller has no right to do that.",
    -32800: "The caller cancelled the request.",
    1000: "The speech synthesis failed.",
    1001: "No voice has that id.",
    1002: "The text is too long.",
    1100: "The audio could not be transcribed.",
    1101: "The plugin does not support the format of the audio.",
    1102: "The plugin does not support that language.",
    1200: "The model could not answer.",
    1201: "That model is not available.",
    1202: "The prompt does not fit the model’s context.",
    1203: "The provider asks to slow down.",
}
