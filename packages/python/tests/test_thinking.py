# ruff: noqa: E501
"""Language models in both dialects."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Maker

from appfactory.errors import PluginError

GUIDE = """
async def complete(self, prompt: str, max_tokens: int = 1024, temperature: float = 0.7, stop_sequences: list = None):
    self.got = (prompt, max_tokens, temperature, stop_sequences)
    return f"{prompt}!"

async def chat(self, messages: list, max_tokens: int = 1024, temperature: float = 0.7) -> dict:
    self.got = messages
    return {"role": "assistant", "content": "hi"}

async def get_models(self):
    return [{"id": "m"}, "n"]

async def stream_complete(self, prompt: str, max_tokens: int = 1024, temperature: float = 0.7):
    for letter in prompt:
        yield letter
"""

OLD = """
async def complete(self, messages, options=None):
    self.got = (messages, options)
    usage = TokenUsage(1, 2, 3)
    return CompletionResult(messages[-1].content, FinishReason.LENGTH, "m", usage)

async def complete_stream(self, messages, options=None):
    for letter in messages[-1].content:
        yield StreamChunk(letter)
    yield StreamChunk(finish_reason=FinishReason.STOP)

def get_models(self):
    return [Model("m", "M", "me")]
"""

HI = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}]


def test_the_guides_dialect(plugins: Maker) -> None:
    running = plugins.run_methods(GUIDE, "llm")
    assert running.call("complete", prompt="a", stop_sequences=["x"]) == {
        "text": "a!",
        "finish_reason": "stop",
    }
    assert running.instance.got == ("a", 1024, 0.7, ["x"])
    chat = {"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    assert running.call("chat", messages=HI) == chat
    assert running.instance.got == HI
    assert running.call("get_models") == [{"id": "m"}, {"id": "n"}]
    assert running.stream("stream_complete", prompt="ab") == [{"text": "a"}, {"text": "b"}]
    assert running.call("stream_complete", prompt="ab") == {"text": "ab", "finish_reason": "stop"}
    assert running.stream("stream_chat", messages=HI) == [{"text": "hi", "finish_reason": "stop"}]
    assert running.call("stream_chat", messages=HI) == chat


def test_messages_without_content_are_empty(plugins: Maker) -> None:
    running = plugins.run_methods(OLD, "llm")
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "name": "add", "arguments": {}}]}
    assert running.call("chat", messages=[call])["message"]["content"] == ""
    message = running.instance.got[0][0]
    assert (message.content, message.tool_calls) == ("", call["tool_calls"])


def test_the_repositorys_dialect(plugins: Maker) -> None:
    running = plugins.run_methods(OLD, "llm")
    result = running.call("complete", prompt="Hi", max_tokens=5, stop_sequences=["x"], seed=1)
    assert result == {
        "text": "Hi",
        "finish_reason": "length",
        "model": "m",
        "tokens_used": 3,
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        "warnings": ["seed: this plugin does not support it; it was ignored"],
    }
    messages, options = running.instance.got
    assert (messages[0].role.name, options.max_tokens, options.temperature, options.stop) == (
        "USER",
        5,
        0.7,
        ["x"],
    )
    assert running.call("chat", messages=HI)["message"] == {"role": "assistant", "content": "Hi"}
    assert running.instance.got[0][0].role.value == "system"
    assert running.stream("stream_complete", prompt="ab") == [
        {"text": "a"},
        {"text": "b"},
        {"text": "", "finish_reason": "stop"},
    ]
    assert running.call("stream_chat", messages=HI)["message"]["content"] == "Hi"
    assert running.call("get_models")[0]["context_length"] == 4096


def test_capabilities_are_named_as_on_the_wire(plugins: Maker) -> None:
    code = "from contracts import *\n\nclass Mine(LLMContract):\n    initialize = shutdown = health_check = print\n"
    for methods, expected in (
        (GUIDE, ["complete", "chat", "get_models", "stream_complete"]),
        (OLD, ["complete", "chat", "get_models", "stream_complete", "stream_chat"]),
    ):
        body = "\n".join(f"    {line}" for line in methods.split("\n"))
        assert plugins.load(code + body, "llm", folder=f"p{len(methods)}").capabilities == expected


def test_the_scaffolds_dialect(plugins: Maker) -> None:
    code = """
    from contracts import *

    class Scaffold(PluginBase, LLMContract):
        def __init__(self):
            super().__init__()
            self._status = PluginStatus.CREATED

        def initialize(self, config=None):
            self.config = config

        def shutdown(self) -> None:
            pass

        def health_check(self):
            return {"status": "healthy"}

        def complete(self, messages, options: dict = None):
            return {"content": messages[-1]["content"], "model": options["max_tokens"]}

        def get_models(self):
            return []

    plugin = Scaffold()
    """
    running = plugins.run(code, "llm")
    running.run("initialize", {"a": 1})
    assert (running.instance.config, running.run("health")["status"]) == ({"a": 1}, "READY")
    assert running.call("complete", prompt="Hi")["model"] == 1024
    assert running.call("chat", messages=HI)["message"]["content"] == "Hi"
    running.run("shutdown")


def test_a_model_without_chat_goes_on_with_the_conversation(plugins: Maker) -> None:
    code = "def complete(self, prompt):\n    return prompt\n\ndef get_models(self):\n    return []\n"
    running = plugins.run_methods(code, "llm")
    assert running.call("chat", messages=HI[1:])["message"]["content"] == "Hi"
    assert running.call("chat", messages=HI)["message"]["content"] == "System: Be kind\nUser: Hi\nAssistant:"


CHATS: Any = [
    ("hi", {"role": "assistant", "content": "hi"}),
    (None, {"role": "assistant", "content": ""}),
    ({"content": "hi"}, {"role": "assistant", "content": "hi"}),
    ({"text": "hi"}, {"role": "assistant", "content": "hi"}),
    ({"message": "hi"}, {"role": "assistant", "content": "hi"}),
    ({"message": {"content": "hi"}}, {"role": "assistant", "content": "hi"}),
    ({"role": "assistant", "content": "hi"}, {"role": "assistant", "content": "hi"}),
    (
        {
            "text": "",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "f", "arguments": {"a": 1}}]},
    ),
]


@pytest.mark.parametrize(("answer", "message"), CHATS, ids=lambda value: repr(value)[:30])
def test_every_form_of_an_answer_becomes_a_message(plugins: Maker, answer: Any, message: Any) -> None:
    code = "def complete(self, prompt):\n    pass\n\ndef get_models(self):\n    pass\n\ndef chat(self, messages):\n    return self.answer"
    running = plugins.run_methods(code, "llm")
    running.instance.answer = answer
    assert running.call("chat", messages=HI) == {"message": message, "finish_reason": "stop"}
    text = running.stream("stream_chat", messages=HI)[0]
    assert (text["text"], text.get("tool_calls")) == (message["content"], message.get("tool_calls"))


PARTS = [{"type": "text", "text": "See"}, {"type": "image", "image_b64": "AQ==", "media_type": "image/png"}]


def test_parts_go_to_plugins_that_take_them(plugins: Maker) -> None:
    messages = [{"role": "user", "content": PARTS}]
    running = plugins.run_methods(GUIDE, "llm")
    with pytest.raises(
        PluginError, match=r"messages\[0\].content\[1\]: mine takes no image: its manifest has no"
    ):
        running.call("chat", messages=messages)
    running.call("chat", messages=[{"role": "user", "content": PARTS[:1]}])
    assert running.instance.got[0]["content"] == "See"
    seeing = plugins.run_methods(GUIDE, "llm", folder="seeing", capabilities=["image_input"])
    seeing.call("chat", messages=messages)
    assert seeing.instance.got[0]["content"][1] == {
        "type": "image",
        "image": b"\1",
        "media_type": "image/png",
    }


def test_the_name_of_the_method_tells_the_dialect_also_behind_a_decorator(plugins: Maker) -> None:
    code = """
    def logged(function):
        async def wrapper(*args, **kwargs): return function(*args, **kwargs)
        return wrapper
    async def complete(self, prompt): return ""
    def get_models(self): return []
    def stream_chat(self, messages): return (each["content"] for each in messages)
    @logged
    def chat(self, messages): return messages[0]["content"]
    """
    running = plugins.run_methods(code, "llm")
    assert running.call("chat", messages=HI)["message"]["content"] == "Be kind"
    assert running.stream("stream_chat", messages=HI) == [{"text": "Be kind"}, {"text": "Hi"}]


def test_an_answer_whose_text_is_elsewhere_is_an_error_and_not_empty(plugins: Maker) -> None:
    answer = {"choices": [{"message": {"content": "Hi"}}], "usage": None}
    code = f"def complete(self, prompt):\n    return {answer}\n\ndef get_models(self):\n    return []"
    running = plugins.run_methods(code, "llm")
    for method, args in (("complete", {"prompt": "Hi"}), ("chat", {"messages": HI})):
        with pytest.raises(TypeError, match="its text as text, content or message, but has choices, usage"):
            running.call(method, **args)


@pytest.mark.parametrize("answer", [7, b"x", object()], ids=repr)
def test_what_is_no_answer_is_an_error(plugins: Maker, answer: Any) -> None:
    running = plugins.run_methods(
        "def complete(self, prompt):\n    return self.answer\n\ndef get_models(self):\n    return 7", "llm"
    )
    running.instance.answer = answer
    with pytest.raises(TypeError, match="the result of complete must be text"):
        running.call("complete", prompt="Hi")
    with pytest.raises(TypeError, match="get_models must return a list"):
        running.call("get_models")
