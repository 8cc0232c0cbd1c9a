"""Language models, in both dialects."""

from __future__ import annotations

import json
from typing import Any, AsyncIterator, Dict, List, Optional

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.shipped.author import (
    Author,
    Closing,
    as_dict,
    listed,
    make_options,
    members_of,
    takes_dicts,
)
from appfactory.plugin.signature import Plan, annotation_of
from contracts.llm_contract import CompletionOptions, Message, MessageRole

Values = Dict[str, Any]


def methods_of(author: Author) -> List[Method]:
    """The methods of a language model."""
    model = _Thinking(author)
    return [
        author.method("complete", model.complete),
        author.method("chat", model.chat),
        author.method("get_models", model.get_models),
        author.method("stream_complete", pieces=model.stream_complete, joined=join_chunks),
        author.method(
            "stream_chat", pieces=model.stream_chat, joined=lambda pieces: chat_of(join_chunks(pieces))
        ),
    ]


class _Thinking:
    def __init__(self, author: Author) -> None:
        self.author = author
        self.models = author.plan("get_models", "get_models")
        by_prompt, by_messages = self._plans("complete", "complete", "chat")
        self.completes, self.completes_messages = by_prompt, by_messages
        self.chats = author.plan("chat", "chat", _options) if author.has("chat") else by_messages
        self.streams = self._own("stream_complete", "stream_complete")
        self.streams_chat = self._own("stream_chat", "stream_chat")
        if author.has("complete_stream"):
            prompt, messages = self._plans("complete_stream", "stream_complete", "stream_chat")
            self.streams = self.streams or prompt
            self.streams_chat = self.streams_chat or messages
            self.streams_messages = messages
        else:
            self.streams_messages = None

    def _own(self, name: str, wire: str) -> Optional[Plan]:
        return self.author.plan(name, wire, _options) if self.author.has(name) else None

    def _plans(self, name: str, wire: str, chat: str) -> tuple[Optional[Plan], Optional[Plan]]:
        """How it takes a prompt, or messages: what it calls its first parameter tells."""
        plan = self.author.plan(name, wire, _options)
        if plan.first_name() in ("messages", "conversation", "history"):
            return None, self.author.plan(name, chat, _options)
        return plan, None

    async def complete(self, arguments: Arguments, call: Any) -> Any:
        plan, values = self.completes, arguments.values
        if plan is None:
            plan, values = self._completion(values)
        args, named = plan.bind(values, arguments.warnings)
        return completion_of(await call.invoke(plan.function, *args, **named))

    def _completion(self, values: Values) -> tuple[Plan, Values]:
        if self.completes is not None:
            return self.completes, values
        assert self.completes_messages is not None
        return self.completes_messages, _as_messages(values, self.completes_messages)

    async def chat(self, arguments: Arguments, call: Any) -> Any:
        values = self._fitted(arguments.values)
        plan = self.chats
        if plan is None:
            plan, values = self._completion(_as_prompt(values))
            args, named = plan.bind(values, arguments.warnings)
            return chat_of(completion_of(await call.invoke(plan.function, *args, **named)))
        args, named = plan.bind(_shaped(values, plan), arguments.warnings)
        return chat_of(await call.invoke(plan.function, *args, **named))

    async def get_models(self, arguments: Arguments, call: Any) -> Any:
        args, named = self.models.bind({}, [])
        return listed(await call.invoke(self.models.function, *args, **named), "get_models", model_of)

    async def stream_complete(self, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        if self.streams is not None:
            chunks = self._chunks(self.streams, arguments.values, arguments, call)
        elif self.streams_messages is not None:
            values = _as_messages(arguments.values, self.streams_messages)
            chunks = self._chunks(self.streams_messages, values, arguments, call)
        else:
            yield await self.complete(arguments, call)
            return
        async with Closing(chunks) as each:
            async for chunk in each:
                yield chunk

    async def stream_chat(self, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        if self.streams_chat is None:
            answer = await self.chat(arguments, call)
            message = answer.pop("message")
            calls = {"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {}
            yield {**answer, "text": text_of(message.get("content")), **calls}
            return
        values = _shaped(self._fitted(arguments.values), self.streams_chat)
        async with Closing(self._chunks(self.streams_chat, values, arguments, call)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _chunks(
        self, plan: Plan, values: Values, arguments: Arguments, call: Any
    ) -> AsyncIterator[Any]:
        args, named = plan.bind(values, arguments.warnings)
        async with Closing(call.iterate(plan.function, *args, **named)) as chunks:
            async for chunk in chunks:
                yield chunk_of(chunk)

    def _fitted(self, values: Values) -> Values:
        """Messages as the plugin takes them: where it takes no parts but text, their text."""
        messages: List[Values] = values["messages"]
        if not any(isinstance(each.get("content"), list) for each in messages):
            return values
        claims = _claims(self.author.manifest)
        for index, message in enumerate(messages):
            if isinstance(message.get("content"), list):
                self._check_parts(message["content"], f"messages[{index}].content", claims)
        if not claims.isdisjoint(_WORD_OF_PART.values()):
            return {**values, "messages": [_with_bytes(each) for each in messages]}
        return {
            **values,
            "messages": [{**each, "content": text_of(each.get("content"))} for each in messages],
        }

    def _check_parts(self, parts: List[Values], path: str, claims: set[str]) -> None:
        for index, part in enumerate(parts):
            kind, name = part["type"], self.author.name
            word = _WORD_OF_PART.get(kind)
            if word is None or word in claims:
                continue
            issue = {
                "path": f"{path}[{index}]",
                "message": f"{name} takes no {kind}: its manifest has no {word} in capabilities",
            }
            text = f"{issue['path']}: {issue['message']}"
            raise PluginError(ErrorCodes.INVALID_PARAMS, text, {"plugin": name, "issues": [issue]})


# The word of a manifest's `capabilities` that says that a plugin takes such parts.
_WORD_OF_PART = {"image": "image_input", "audio": "audio_input"}


def _claims(manifest: Values) -> set[str]:
    claims = manifest.get("capabilities") or []
    return {name for name in claims if not isinstance(claims, dict) or claims[name]}


def _with_bytes(message: Values) -> Values:
    """Parts with their bytes under the names of the code."""
    if not isinstance(message.get("content"), list):
        return message
    parts = [
        {key[:-4] if key.endswith("_b64") else key: part[key] for key in part} for part in message["content"]
    ]
    return {**message, "content": parts}


def _shaped(values: Values, plan: Plan) -> Values:
    """Messages as the method takes them: as Message, or as dicts."""
    parameter = plan.parameter_of("messages")
    annotation = annotation_of(parameter) if parameter else ""
    options = annotation_of(plan.options) if plan.options else ""
    wants_objects = "Message" in annotation or (not annotation and plan.name not in ("chat", "stream_chat"))
    if not wants_objects or takes_dicts(annotation) or takes_dicts(options):
        return values
    return {**values, "messages": [Message.from_dict(each) for each in values["messages"]]}


def _as_messages(values: Values, plan: Plan) -> Values:
    """A prompt as the only message."""
    rest = {key: value for key, value in values.items() if key != "prompt"}
    return _shaped(
        {"messages": [{"role": MessageRole.USER.value, "content": values["prompt"]}], **rest}, plan
    )


def _as_prompt(values: Values) -> Values:
    """A conversation as text, for a model that only goes on with one."""
    messages = values["messages"]
    rest = {key: value for key, value in values.items() if key != "messages"}
    if len(messages) == 1:
        return {"prompt": text_of(messages[0].get("content")), **rest}
    lines = [f"{each['role'].capitalize()}: {text_of(each.get('content'))}" for each in messages]
    return {"prompt": "\n".join([*lines, "Assistant:"]), **rest}


def _options(given: Values, warnings: List[str], annotation: str) -> Any:
    if "stop_sequences" in given:
        given["stop"] = given.pop("stop_sequences")
    return as_dict(given) if takes_dicts(annotation) else make_options(CompletionOptions, given, warnings)


def model_of(model: Any) -> Values:
    """A model, or its id, as an item of the list."""
    values = {"id": model} if isinstance(model, str) else members_of(model)
    if values is None:
        raise TypeError(
            f"a model must be a Model, a dict or an id, not a value of type {type(model).__name__}"
        )
    return {**values, "id": str(values.get("id", values.get("name")))}


def text_of(content: Any) -> str:
    """The text of a message: that of its parts together; empty where it has none."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or () if isinstance(part, dict))


# What says something in an answer.
_SAYING = {"content", "message", "role", "text", "tool_calls"}


def _answer_of(result: Any, what: str) -> Values:
    """What an answer holds, without what is empty. Pieces may hold anything."""
    if result is None or isinstance(result, str):
        return {"text": result or ""}
    values = members_of(result)
    if values is None:
        raise TypeError(f"{what} must be text, a dict or the contract's class, not a {type(result).__name__}")
    if what != "a piece" and _SAYING.isdisjoint(values):
        names = ", ".join(map(str, values)) or "nothing"
        raise TypeError(f"{what} must have its text as text, content or message, but has {names}")
    calls = values.pop("tool_calls", None)
    if calls:
        values["tool_calls"] = [_tool_call(each) for each in calls]
    usage = members_of(values.get("usage"))
    if usage and "total_tokens" in usage:
        values.setdefault("tokens_used", usage["total_tokens"])
    return {key: value for key, value in values.items() if value is not None and value != {}}


def _tool_call(call: Any) -> Values:
    """`{id, name, arguments}`, also of the shape in which OpenAI's API gives it."""
    values = members_of(call) or {"name": str(call)}
    function = members_of(values.pop("function", None))
    if function:
        values.pop("type", None)
        values.update(function)
    if isinstance(values.get("arguments"), str):
        try:
            values["arguments"] = json.loads(values["arguments"])
        except ValueError:
            pass
    return values


def completion_of(result: Any) -> Values:
    """Text, or what holds it, as a result of the wire."""
    if isinstance(result, str):
        return {"text": result, "finish_reason": "stop"}
    values = _answer_of(result, "the result of complete")
    message = members_of(values.pop("message", None)) if not isinstance(values.get("message"), str) else None
    text = values.pop("content", None)
    if message is not None:
        text = text_of(message.get("content"))
    elif isinstance(values.get("message"), str):
        text = values.pop("message")
    answer = {"text": values.get("text", text_of(text))}
    return {**answer, "finish_reason": "stop", **values, **answer}


def chat_of(result: Any) -> Values:
    """A message, or what holds or stands for one, as a result of the wire."""
    values = _answer_of(result, "the result of chat")
    if "role" in values:
        return {"message": {"content": None, **values}, "finish_reason": "stop"}
    message = members_of(values.get("message"))
    if message is None:
        texts = [values.pop(key) for key in ("message", "text", "content") if key in values]
        message = {"role": "assistant", "content": texts[0] if texts else ""}
        if "tool_calls" in values:
            message["tool_calls"] = values.pop("tool_calls")
    else:
        message = {"role": "assistant", "content": None, **_answer_of(message, "a message")}
    answer = {"message": message}
    return {**answer, "finish_reason": "stop", **values, **answer}


def chunk_of(chunk: Any) -> Values:
    """A piece of text, or what holds it, as a piece of the wire."""
    values = _answer_of(chunk, "a piece")
    text = next((values.pop(key) for key in ("text", "content", "delta") if key in values), "")
    return {**values, "text": text if isinstance(text, str) else text_of(text)}


def join_chunks(chunks: List[Values]) -> Values:
    """All pieces as one: texts and tool calls follow each other; of the rest the last word counts."""
    joined: Values = {"finish_reason": "stop"}
    for chunk in chunks:
        joined.update(chunk)
    calls = [call for chunk in chunks for call in chunk.get("tool_calls") or ()]
    joined["text"] = "".join(chunk["text"] for chunk in chunks)
    return {**joined, "tool_calls": calls} if calls else joined
