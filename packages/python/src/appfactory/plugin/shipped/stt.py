"""Speech to text, in both dialects."""

from __future__ import annotations

from collections import deque
from typing import Any, AsyncIterator, Deque, Dict, Generator, List, Optional

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.shipped.author import (
    Author,
    Closing,
    as_dict,
    listed,
    make_options,
    members_of,
    no_method,
    takes_dicts,
    without_none,
)
from appfactory.plugin.signature import Plan
from contracts.stt_contract import StreamingConfig, TranscriptionOptions

Values = Dict[str, Any]

NO_SESSIONS = "This plugin has no streaming sessions; use transcribe"

# The id of the only session of a plugin whose methods take none.
_ONLY_SESSION = "stream"


def methods_of(author: Author) -> List[Method]:
    """The methods of a speech-to-text plugin."""
    hearing = _Hearing(author)
    sessions: Any = hearing.sessions
    return [
        author.method("transcribe", hearing.transcribe),
        author.method("get_languages", hearing.get_languages),
        author.method("start_stream", sessions.start if sessions else no_method(NO_SESSIONS)),
        author.method("feed_audio", sessions.feed if sessions else no_method(NO_SESSIONS)),
        author.method("end_stream", sessions.end if sessions else no_method(NO_SESSIONS)),
        author.method("transcribe_stream", pieces=hearing.transcribe_stream, joined=_last_final),
    ]


class _Hearing:
    def __init__(self, author: Author) -> None:
        self.author = author
        self.plan = author.plan("transcribe", "transcribe", _options)
        name = "get_languages" if author.has("get_languages") else "get_supported_languages"
        self.languages = author.plan(name, "get_languages")
        self.stream: Optional[Plan] = None
        if author.has("transcribe_stream"):
            self.stream = author.plan("transcribe_stream", "transcribe_stream", _options)
        self.sessions: Any = None
        if author.has("start_stream"):
            self.sessions = _Sessions(author)
        elif author.has("start_streaming"):
            self.sessions = _OnlySession(author)

    async def transcribe(self, arguments: Arguments, call: Any) -> Any:
        return await self._transcribe(arguments.values, arguments, call)

    async def _transcribe(self, values: Values, arguments: Arguments, call: Any) -> Values:
        args, named = self.plan.bind(values, arguments.warnings)
        return transcript_of(await call.invoke(self.plan.function, *args, **named), "transcribe")

    async def get_languages(self, arguments: Arguments, call: Any) -> Any:
        args, named = self.languages.bind({}, [])
        return listed(await call.invoke(self.languages.function, *args, **named), "get_languages", _language)

    async def transcribe_stream(self, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        audio = arguments.input or _once(arguments.values["audio"])
        values = {**arguments.values, "audio": audio}
        if self.stream is not None:
            updates = self._own_updates(values, arguments, call)
        elif self.sessions is not None:
            updates = self._by_session(values, arguments, call)
        else:
            updates = self._whole(values, arguments, call)
        async with Closing(updates) as each:
            async for update in each:
                yield update

    async def _own_updates(self, values: Values, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        assert self.stream is not None
        args, named = self.stream.bind(values, arguments.warnings)
        async with Closing(call.iterate(self.stream.function, *args, **named)) as updates:
            async for update in updates:
                yield update_of(update)

    async def _whole(self, values: Values, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        audio = b"".join([chunk async for chunk in values["audio"]])
        result = await self._transcribe({**values, "audio": audio}, arguments, call)
        yield {"partial": None, "final": result["text"]}

    async def _by_session(self, values: Values, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        audio = values.pop("audio")
        opened = await self.sessions.start(_with(arguments, values), call)
        session = {"session_id": opened["session_id"]}
        heard_all = False
        try:
            async for chunk in audio:
                update = await self.sessions.feed(_with(arguments, {**session, "audio": chunk}), call)
                if update["partial"] is not None or update["final"] is not None:
                    yield update
            heard_all = True
        finally:
            if not heard_all:
                await self._abandon(_with(arguments, session), call)
        result = await self.sessions.end(_with(arguments, session), call)
        yield {"partial": None, "final": result["text"]}

    async def _abandon(self, session: Arguments, call: Any) -> None:
        """Ends an abandoned session; the original error is the one to report."""
        try:
            await self.sessions.end(session, call)
        except Exception:
            pass


def _with(arguments: Arguments, values: Values) -> Arguments:
    changed = Arguments(values)
    changed.warnings = arguments.warnings
    return changed


async def _once(audio: bytes) -> AsyncIterator[bytes]:
    yield audio


class _Sessions:
    """Sessions as the plugin development guide has them: each with an id of the plugin's."""

    def __init__(self, author: Author) -> None:
        self.plans = {
            name: author.plan(name, name, _options)
            for name in ("start_stream", "feed_audio", "end_stream")
            if author.has(name)
        }

    async def _invoke(self, name: str, arguments: Arguments, call: Any) -> Any:
        plan = self.plans.get(name)
        if plan is None:
            raise PluginError(ErrorCodes.METHOD_NOT_FOUND, f"This plugin has not implemented {name}")
        args, named = plan.bind(arguments.values, arguments.warnings)
        return await call.invoke(plan.function, *args, **named)

    async def start(self, arguments: Arguments, call: Any) -> Values:
        opened = await self._invoke("start_stream", arguments, call)
        values = members_of(opened) or {"session_id": opened}
        session = values.get("session_id")
        if isinstance(session, bool) or not isinstance(session, (str, int)):
            session = None if session is None else str(session)
        if session is None:
            raise TypeError("start_stream must return the id of the session, not None")
        return {**values, "session_id": str(session)}

    async def feed(self, arguments: Arguments, call: Any) -> Values:
        return update_of(await self._invoke("feed_audio", arguments, call))

    async def end(self, arguments: Arguments, call: Any) -> Values:
        return transcript_of(await self._invoke("end_stream", arguments, call), "end_stream")


class _Nothing:
    """What a callback returns: an author may await it or not."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


class _OnlySession:
    """One session at a time, over start_streaming, feed_audio and stop_streaming, which take no id."""

    def __init__(self, author: Author) -> None:
        self.start_plan = Plan(author.instance.start_streaming, ["config", "callback"], [])
        self.feed_plan = Plan(author.instance.feed_audio, ["audio"], [])
        self.stop = author.instance.stop_streaming
        self.is_open = False
        self.heard: Deque[Any] = deque()
        self.finals: List[str] = []

    async def start(self, arguments: Arguments, call: Any) -> Values:
        if self.is_open:
            raise PluginError(
                ErrorCodes.RESOURCE_EXHAUSTED,
                "This plugin has one streaming session, which is in use; end it first, or load more replicas",
            )
        self.is_open = True
        self.heard.clear()
        self.finals = []
        try:
            values = {"config": _streaming_config(arguments.values), "callback": self._hear}
            args, named = self.start_plan.bind(values, [])
            if await call.invoke(self.start_plan.function, *args, **named) is False:
                raise RuntimeError("start_streaming() returned False")
        except BaseException:
            self.is_open = False
            raise
        return {"session_id": _ONLY_SESSION}

    def _hear(self, *updates: Any, **named: Any) -> _Nothing:
        self.heard.extend([*updates, *named.values()][:1])
        return _Nothing()

    async def feed(self, arguments: Arguments, call: Any) -> Values:
        self._check(arguments)
        args, named = self.feed_plan.bind({"audio": arguments.values["audio"]}, [])
        answer = await call.invoke(self.feed_plan.function, *args, **named)
        if answer is not None and not isinstance(answer, bool):
            self.heard.append(answer)
        return self._news()

    def _news(self) -> Values:
        """All that was told since the last call; final texts add up."""
        partial: Optional[str] = None
        has_final = False
        while self.heard:
            update = update_of(self.heard.popleft())
            if update["final"] is not None:
                self.finals.append(update["final"])
                partial, has_final = None, True
            if update["partial"] is not None:
                partial = update["partial"]
        return {"partial": partial, "final": " ".join(self.finals) if has_final else None}

    async def end(self, arguments: Arguments, call: Any) -> Values:
        self._check(arguments)
        try:
            answer = await call.invoke(self.stop)
        finally:
            self.is_open = False
        self._news()
        if answer is None or isinstance(answer, bool):
            return {"text": " ".join(self.finals)}
        return transcript_of(answer, "stop_streaming")

    def _check(self, arguments: Arguments) -> None:
        if not self.is_open or arguments.values.get("session_id") != _ONLY_SESSION:
            raise PluginError(
                ErrorCodes.INVALID_PARAMS, "session_id: there is no such session; start one first"
            )


def _streaming_config(values: Values) -> StreamingConfig:
    engine = values.get("provider_options") or {}
    given = {"sample_rate": values.get("sample_rate"), "encoding": values.get("format"), **engine}
    config: StreamingConfig = make_options(StreamingConfig, without_none(given), [])
    return config


def _options(given: Values, warnings: List[str], annotation: str) -> Any:
    if takes_dicts(annotation):
        return as_dict(given)
    for wire, name in (("prompt", "initial_prompt"), ("diarization", "speaker_diarization")):
        if wire in given:
            given[name] = given.pop(wire)
    return make_options(TranscriptionOptions, given, warnings)


def _language(language: Any) -> Values:
    values = {"code": language} if isinstance(language, str) else members_of(language)
    if values is None:
        raise TypeError(f"a language must be a dict or a code, not a value of type {type(language).__name__}")
    code = values.get("code", values.get("id", values.get("language")))
    return {**values, "code": str(code), "name": str(values.get("name") or code)}


def transcript_of(result: Any, wire: str) -> Values:
    """Text, or what holds it, as a result of the wire."""
    if result is None or isinstance(result, str):
        return {"text": result or ""}
    values = members_of(result)
    if values is None or not isinstance(values.get("text"), str):
        raise TypeError(
            f"{wire} must return text, a TranscriptionResult or a dict with `text`, "
            f"not {'a dict without it' if values is not None else f'a value of type {type(result).__name__}'}"
        )
    segments = values.get("segments")
    if segments is not None:
        values["segments"] = [without_none(members_of(each) or {"text": str(each)}) for each in segments]
    return without_none(values)


def update_of(update: Any) -> Values:
    """What is new, as a piece of the wire: `partial` may still change, `final` will not."""
    if update is None or isinstance(update, bool):
        return {"partial": None, "final": None}
    if isinstance(update, str):
        return {"partial": update, "final": None}
    values = members_of(update)
    if values is None:
        raise TypeError(f"an update must be text or a dict, not a value of type {type(update).__name__}")
    if "partial" in values or isinstance(values.get("final"), str):
        return {"partial": None, "final": None, **values}
    text = values.pop("text", None)
    is_final = bool(values.pop("final", False)) | bool(values.pop("is_final", not isinstance(update, dict)))
    return {
        **without_none(values),
        "partial": None if is_final else text,
        "final": text if is_final else None,
    }


def _last_final(updates: List[Values]) -> Values:
    finals = [each["final"] for each in updates if isinstance(each.get("final"), str)]
    return {"text": finals[-1] if finals else ""}
