"""What applications do with OpenAI's package in Python. Prints what came of it, as JSON."""

import asyncio
import base64
import io
import json
import struct
import sys
import threading
import wave

import httpx
import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

URL, KEY = sys.argv[1:]

#: Each request: its path, the status of its answer, and what the answer says about trying again.
seen: "list[tuple[str, int, str | None, str | None]]" = []


def remember(response: httpx.Response) -> None:
    retry = [response.headers.get(name) for name in ("x-should-retry", "retry-after")]
    seen.append((response.request.url.path, response.status_code, *retry))


http = httpx.Client(event_hooks={"response": [remember]})
client = OpenAI(base_url=URL, api_key=KEY, max_retries=0, http_client=http)


def say(content: str) -> dict:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]}


class Options(BaseModel):
    maxTokens: int


TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("one", "two")
]


def models() -> dict:
    names = [model.id for model in client.models.list()]
    return {"names": names, "retrieved": client.models.retrieve("tool_llm/large:v1").id}


def chat() -> dict:
    answer = client.chat.completions.create(**say("hello"))
    pieces, usage = [], []
    stream = client.chat.completions.create(
        **say("two words"), stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage += [chunk.usage.total_tokens] if chunk.usage else []
    parsed = client.chat.completions.parse(**say("/options"), response_format=Options)
    with client.chat.completions.stream(**say("two words")) as events:
        types = sorted({event.type for event in events})
        whole = events.get_final_completion()
    return {
        "text": answer.choices[0].message.content,
        "finish_reason": answer.choices[0].finish_reason,
        "usage": answer.usage.total_tokens,
        "has_id": str(answer._request_id).startswith("req_"),
        "pieces": pieces,
        "streamed_usage": usage,
        "parsed": parsed.choices[0].message.parsed.maxTokens,
        "events": types,
        "whole": whole.choices[0].message.content,
    }


def tools() -> dict:
    """Asks with two tools, in one piece and as a stream, and gives their results back."""
    asked = client.chat.completions.create(**say("go"), tools=TOOLS).choices[0]
    with client.chat.completions.stream(**say("go"), tools=TOOLS) as events:
        streamed = events.get_final_completion().choices[0]
    history = [*say("go")["messages"], asked.message]
    for call in asked.message.tool_calls:
        history.append({"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} done"})
    last = client.chat.completions.create(model="gpt-4o-mini", messages=history, tools=TOOLS)
    return {
        "finish_reasons": [asked.finish_reason, streamed.finish_reason],
        "called": [[call.function.name, call.function.arguments] for call in asked.message.tool_calls],
        "streamed": [[call.function.name, call.function.arguments] for call in streamed.message.tool_calls],
        "answer": last.choices[0].message.content,
    }


def responses() -> dict:
    first = client.responses.create(model="tool_llm", input="hello")
    second = client.responses.create(model="tool_llm", input="/messages", previous_response_id=first.id)
    with client.responses.stream(model="tool_llm", input="two words") as events:
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        final = events.get_final_response()
    parsed = client.responses.parse(model="tool_llm", input="/options", text_format=Options)
    kept = client.responses.retrieve(first.id).output_text
    items = [item.content[0].text for item in client.responses.input_items.list(second.id, limit=1, order="asc")]
    client.responses.delete(first.id)
    return {
        "text": first.output_text,
        "messages": len(json.loads(second.output_text)),
        "deltas": deltas,
        "final": [final.status, final.output_text],
        "parsed": parsed.output_parsed.maxTokens,
        "kept": kept,
        "items": items,
        "deleted": name_of(lambda: client.responses.retrieve(first.id)),
    }


def embeddings() -> dict:
    """The package asks for base64, and gives floats."""
    given = client.embeddings.create(model="letter_embedding", input=["ab", "c"])
    raw = client.embeddings.create(model="letter_embedding", input="ab", encoding_format="base64")
    values = base64.b64decode(raw.data[0].embedding)
    return {
        "lengths": [each.embedding[0] for each in given.data],
        "raw": struct.unpack("<3f", values)[:2],
        "usage": given.usage.prompt_tokens,
    }


def audio() -> dict:
    """What one plugin says, another one hears."""
    asked = {"model": "tts-1", "voice": "alloy", "input": "I love you."}
    sound = client.audio.speech.create(**asked, response_format="wav").read()
    with wave.open(io.BytesIO(sound)) as file:
        seconds = file.getnframes() / file.getframerate()
    with client.audio.speech.with_streaming_response.create(**asked, response_format="pcm") as response:
        pcm = b"".join(response.iter_bytes())
    hear = client.audio.transcriptions.create
    file = ("speech.wav", sound, "audio/x-wav")
    verbose = hear(
        model="stt_pocketsphinx",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    stream = hear(model="echo_stt", file=file, stream=True)
    return {
        "same_length": abs(len(pcm) / 48_000 - seconds) < 0.05,
        "language": verbose.language,
        "words": [word.word for word in verbose.words],
        "segments": [segment.text for segment in verbose.segments],
        "json": json.loads(hear(model="echo_stt", file=io.BytesIO(sound)).text)["channels"],
        "text": json.loads(hear(model="echo_stt", file=file, response_format="text"))["channels"],
        "streamed": "".join(event.delta for event in stream if event.type == "transcript.text.delta")[:8],
    }


def error_of(ask) -> "openai.OpenAIError":
    try:
        ask()
    except openai.OpenAIError as error:
        return error
    raise AssertionError("It did not fail")


def name_of(ask) -> str:
    return type(error_of(ask)).__name__


def errors() -> list:
    wrong_key = OpenAI(base_url=URL, api_key="no", max_retries=0)
    asks = [
        lambda: client.chat.completions.create(**say("x"), temperature=3),
        lambda: wrong_key.models.list(),
        lambda: client.chat.completions.create(model="gpt-9", messages=say("x")["messages"]),
        lambda: client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"no sound")),
        lambda: client.audio.speech.create(model="tts-1", voice="bob", input="x"),
        lambda: client.chat.completions.create(**say("/fail LLM_RATE_LIMITED")),
        lambda: client.chat.completions.create(**say("/fail Error")),
    ]
    caught = [error_of(ask) for ask in asks]
    return [
        [type(error).__name__, error.status_code, error.param, error.code, str(error.request_id)[:4]]
        for error in caught
    ]


def error_in_stream() -> dict:
    texts = []

    def read() -> None:
        for chunk in client.chat.completions.create(**say("/fail LLM_COMPLETION_FAILED 2"), stream=True):
            texts.append(chunk.choices[0].delta.content)

    error = error_of(read)
    return {"texts": texts, "type": type(error).__name__, "code": error.code}


def retries() -> dict:
    """How often the package asks, by itself, where it may ask once more."""

    def asked(content: str) -> list:
        seen.clear()
        error_of(lambda: client.with_options(max_retries=1).chat.completions.create(**say(content)))
        return [each[1:] for each in seen]

    return {"limited": asked("/fail LLM_RATE_LIMITED"), "late": asked("/fail CALL_TIMEOUT")}


def leaving() -> dict:
    """Who has no patience, or leaves in the middle, ends what the plugin does."""

    def aborts() -> int:
        return int(client.chat.completions.create(**say("/aborts")).choices[0].message.content)

    before = aborts()
    late = name_of(lambda: client.with_options(timeout=0.3).chat.completions.create(**say("/hang")))
    with client.chat.completions.create(**say("/paced 1000 20"), stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    patience = threading.Event()
    while aborts() < before + 2:
        patience.wait(0.02)
    return {"late": late, "aborts": aborts() - before}


async def concurrent() -> dict:
    """Many at once over few connections; and one that is cancelled."""
    async with AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0) as many:
        texts = [f"word {index}" for index in range(40)]
        answers = await asyncio.gather(*(many.chat.completions.create(**say(text)) for text in texts))
        waiting = asyncio.create_task(many.chat.completions.create(**say("/hang")))
        await asyncio.sleep(0)
        waiting.cancel()
        [ended] = await asyncio.gather(waiting, return_exceptions=True)
    return {
        "same": [answer.choices[0].message.content for answer in answers] == texts,
        "cancelled": isinstance(ended, asyncio.CancelledError),
    }


async def realtime() -> dict:
    address = URL.replace("http:", "ws:")
    many = AsyncOpenAI(base_url=URL, websocket_base_url=address, api_key=KEY)
    async with many.realtime.connect(model="tool_llm") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        content = [{"type": "input_text", "text": "hello there"}]
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": content}
        )
        await connection.response.create()
        text = ""
        async for event in connection:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "error":
                raise AssertionError(event.error.message)
            if event.type == "response.done":
                return {"text": text, "status": event.response.status}
    raise AssertionError("The connection ended before the answer")


SECTIONS = (models, chat, tools, responses, embeddings, audio, errors, error_in_stream, retries, leaving)
results = {section.__name__: section() for section in SECTIONS}
for section in (concurrent, realtime):
    results[section.__name__] = asyncio.run(section())
print(json.dumps(results))
