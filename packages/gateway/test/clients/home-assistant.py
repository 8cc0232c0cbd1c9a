"""What Home Assistant does with a server of the Wyoming protocol, with the same package. Prints what came, as JSON."""

import asyncio
import json
import sys

from wyoming.asr import Transcribe, Transcript, TranscriptStop
from wyoming.audio import AudioChunk, AudioChunkConverter, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.handle import Handled, HandledChunk, NotHandled
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

PORT = int(sys.argv[1])


def connect() -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", PORT)


async def describe() -> dict:
    async with connect() as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
    asr, tts, handle = info.asr[0], info.tts[0], info.handle[0]
    return {
        "asr": [asr.name, asr.models[0].languages, asr.supports_transcript_streaming],
        "tts": [tts.name, [voice.name for voice in tts.voices], tts.supports_synthesize_streaming],
        "handle": [handle.name, handle.supports_handled_streaming],
        "installed": all(one.installed for one in (asr, tts, handle)),
        "attribution": [tts.attribution.name, tts.attribution.url],
    }


async def speak(text: str, voice: str) -> "list[AudioChunk]":
    chunks = []
    async with connect() as client:
        await client.write_event(Synthesize(text, voice=SynthesizeVoice(name=voice)).event())
        while True:
            event = await client.read_event()
            if AudioStop.is_type(event.type):
                return chunks
            if AudioChunk.is_type(event.type):
                chunks.append(AudioChunk.from_event(event))


async def hear(chunks: "list[AudioChunk]") -> dict:
    """At 16 kHz, as the microphones of satellites are."""
    converter = AudioChunkConverter(rate=16000, width=2, channels=1)
    types = []
    async with connect() as client:
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(rate=16000, width=2, channels=1).event())
        for chunk in chunks:
            await client.write_event(converter.convert(chunk).event())
        await client.write_event(AudioStop().event())
        while True:
            event = await client.read_event()
            types.append(event.type)
            if Transcript.is_type(event.type):
                transcript = Transcript.from_event(event)
            if TranscriptStop.is_type(event.type):
                return {"text": transcript.text, "language": transcript.language, "types": types}


async def answer(text: str) -> dict:
    pieces = 0
    async with connect() as client:
        context = {"conversation_id": "one"}
        await client.write_event(Transcript(text, language="en", context=context).event())
        while True:
            event = await client.read_event()
            pieces += HandledChunk.is_type(event.type)
            if Handled.is_type(event.type) or NotHandled.is_type(event.type):
                return {"type": event.type, "text": event.data["text"], "pieces": pieces}


async def speak_meanwhile() -> dict:
    """The second sentence is sent when the first one is heard, and not before."""
    sentences = ["The first sentence is spoken. ", "The second one comes later."]
    seconds = 0.0
    async with connect() as client:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="rms")).event())
        await client.write_event(SynthesizeChunk(sentences[0] + "The").event())
        while not AudioChunk.is_type((await client.read_event()).type):
            pass
        await client.write_event(SynthesizeChunk(sentences[1][3:]).event())
        await client.write_event(Synthesize("".join(sentences)).event())
        await client.write_event(SynthesizeStop().event())
        while True:
            event = await client.read_event()
            if AudioChunk.is_type(event.type):
                seconds += AudioChunk.from_event(event).seconds
            if SynthesizeStopped.is_type(event.type):
                return {"seconds": seconds}


async def main() -> None:
    spoken = await speak("I love you.", "rms")
    results = {
        "info": await describe(),
        "heard": await hear(spoken),
        "answer": await answer("turn on the light"),
        "meanwhile": await speak_meanwhile(),
    }
    print(json.dumps(results))


asyncio.run(main())
