"""What applications do with LangChain in Python. Prints what came of it, as JSON."""

import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

URL, KEY = sys.argv[1:]


class Options(BaseModel):
    maxTokens: int


TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("one", "two")
]


def talk(**options) -> dict:
    model = ChatOpenAI(model="tool_llm", base_url=URL, api_key=KEY, max_retries=0, stream_usage=True, **options)
    answer = model.invoke("two words")
    pieces = list(model.stream("two words"))
    with_tools = model.bind_tools(TOOLS)
    question = HumanMessage("go")
    asked = with_tools.invoke([question])
    results = [ToolMessage(f"{call['name']} done", tool_call_id=call["id"]) for call in asked.tool_calls]
    parsed = model.with_structured_output(Options, method="json_schema").invoke("/options")
    return {
        "text": answer.text,
        "usage": answer.usage_metadata["total_tokens"],
        "pieces": [piece.text for piece in pieces if piece.text],
        "streamed_usage": sum(piece.usage_metadata["total_tokens"] for piece in pieces if piece.usage_metadata),
        "called": [[call["name"], call["args"]] for call in asked.tool_calls],
        "answer": with_tools.invoke([question, asked, *results]).text,
        "parsed": parsed.maxTokens,
    }


def embed() -> list:
    # Without a tokenizer, which the package would fetch.
    model = OpenAIEmbeddings(
        model="letter_embedding", base_url=URL, api_key=KEY, max_retries=0, check_embedding_ctx_length=False
    )
    return [vector[0] for vector in [*model.embed_documents(["ab", "c"]), model.embed_query("abc")]]


print(json.dumps({"chat": talk(), "responses": talk(use_responses_api=True), "embeddings": embed()}))
