"""Requests and answers of the three protocols, so that one test can ask the same in each."""

import json
from dataclasses import dataclass

TOOL_NAME = "get_weather"
TOOL_SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
               "required": ["city"]}


@dataclass(frozen=True)
class Said:
    """What an answer says, whatever its protocol."""

    text: str
    cut_off: bool
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict


class Chat:
    path = "chat/completions"
    tells_cut_off = True

    @staticmethod
    def request(model: str, prompt: str, tokens_max: int) -> dict:
        return {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens_max,
                "temperature": 0}

    @staticmethod
    def with_tool(request: dict) -> dict:
        function = {"name": TOOL_NAME, "parameters": TOOL_SCHEMA}
        return request | {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}

    @staticmethod
    def read(answer: dict) -> Said:
        assert answer["object"] == "chat.completion" and answer["id"] and answer["created"] > 0, answer
        [choice] = answer["choices"]
        assert choice["message"]["role"] == "assistant", answer
        assert choice["finish_reason"] in ("stop", "length", "tool_calls"), answer
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], answer
        return Said(choice["message"]["content"] or "", choice["finish_reason"] == "length", usage["prompt_tokens"],
                    usage["completion_tokens"])

    @staticmethod
    def tool_calls(answer: dict) -> list[ToolCall]:
        return [ToolCall(call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in answer["choices"][0]["message"]["tool_calls"]]


class Messages:
    path = "messages"
    tells_cut_off = True

    @staticmethod
    def request(model: str, prompt: str, tokens_max: int) -> dict:
        return {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens_max,
                "temperature": 0}

    @staticmethod
    def with_tool(request: dict) -> dict:
        return request | {"tools": [{"name": TOOL_NAME, "input_schema": TOOL_SCHEMA}], "tool_choice": {"type": "any"}}

    @staticmethod
    def read(answer: dict) -> Said:
        assert answer["type"] == "message" and answer["role"] == "assistant" and answer["id"], answer
        assert answer["stop_reason"] in ("end_turn", "max_tokens", "tool_use"), answer
        text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
        return Said(text, answer["stop_reason"] == "max_tokens", answer["usage"]["input_tokens"],
                    answer["usage"]["output_tokens"])

    @staticmethod
    def tool_calls(answer: dict) -> list[ToolCall]:
        return [ToolCall(block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]


class Responses:
    path = "responses"
    tells_cut_off = False  # llama.cpp calls a response that reached max_output_tokens "completed"

    @staticmethod
    def request(model: str, prompt: str, tokens_max: int) -> dict:
        return {"model": model, "input": prompt, "max_output_tokens": tokens_max, "temperature": 0}

    @staticmethod
    def with_tool(request: dict) -> dict:
        tool = {"type": "function", "name": TOOL_NAME, "parameters": TOOL_SCHEMA}
        return request | {"tools": [tool], "tool_choice": "required"}

    @staticmethod
    def read(answer: dict) -> Said:
        assert answer["object"] == "response" and answer["id"].startswith("resp_"), answer
        assert answer["status"] in ("completed", "incomplete"), answer
        parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], answer
        return Said("".join(part["text"] for part in parts if part["type"] == "output_text"),
                    bool(answer.get("incomplete_details")), usage["input_tokens"], usage["output_tokens"])

    @staticmethod
    def tool_calls(answer: dict) -> list[ToolCall]:
        return [ToolCall(item["name"], json.loads(item["arguments"])) for item in answer["output"]
                if item["type"] == "function_call"]


PROTOCOLS = {"chat": Chat, "messages": Messages, "responses": Responses}
