"""A model server that breaks HTTP's rules as it is told, and keeps a ledger of what it was asked and what it answered whole.

An item's prompt says `id=ITEM`, and may say `fault=KIND` or `fault=KIND*N`: its first N tries are answered so, all of them without N.

    500, 503    an error                         429         slow down, and come again in a second
    cut         a whole answer in chunks that lack the last one        half    less than Content-Length says
    twice       two answers to one request, the second one to nobody   late    after the client has given up, on its connection
    redirect    to an address that nobody may be led to                tell    an error that repeats the credential it was asked with
    garbage     200 and no JSON                                       slow    a good answer after 0.4 s
"""
import asyncio
import contextlib
import json
import re
import threading
import time

ITEM = re.compile(rb"id=(item-[0-9]+)")
FAULT = re.compile(rb"fault=([a-z0-9]+)(?:\*([0-9]+))?")
CANARY = re.compile(rb"canary-[a-z]+-[0-9a-f]+")
PROMPT_TOKENS, ANSWER_TOKENS = 12, 7
SLOW_S, LATE_S = 0.4, 1.3


class WickedModel:
    def __init__(self, latency_s: float = 0.01, led_to: str = "http://127.0.0.1:9/") -> None:
        self.latency_s, self.led_to = latency_s, led_to
        self.entries: list[dict] = []
        self.tries: dict[str, int] = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "WickedModel":
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.serve, "127.0.0.1", 0), self.loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def close(self) -> None:
        self.server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"

    def ledger(self) -> list[dict]:
        return [dict(entry) for entry in self.entries]

    def asked(self, item: str) -> int:
        return self.tries.get(item, 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self.serve_one(reader, writer):
                pass
        writer.close()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        length = re.search(r"(?i)\r\ncontent-length: *([0-9]+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if method == "GET":
            writer.write(response(200 if path.endswith("/models") else 404, b'{"object":"list","data":[]}'))
            await writer.drain()
            return True
        credential = re.search(r"(?i)\r\nauthorization: *([^\r]*)", head)
        return await self.answer(writer, path, body, credential[1] if credential else "")

    async def answer(self, writer: asyncio.StreamWriter, path: str, body: bytes, credential: str) -> bool:
        found = ITEM.search(body)
        item = found[1].decode() if found else "nobody"
        self.tries[item] = self.tries.get(item, 0) + 1
        entry = {"id": item, "arrived_us": int(time.monotonic() * 1e6), "status": -2, "prompt_tokens": PROMPT_TOKENS,
                 "nonce": f"n{len(self.entries)}"}
        self.entries.append(entry)
        told = FAULT.search(body)
        fault = told[1].decode() if told and (told[2] is None or self.tries[item] <= int(told[2])) else ""
        entry["fault"] = fault
        await asyncio.sleep({"slow": SLOW_S, "late": LATE_S}.get(fault, self.latency_s))
        canary = CANARY.search(body)
        good = rendered(path, f"This is an answer to {item} by {entry['nonce']}. {canary[0].decode() if canary else ''}")
        sent, status, stays = self.wicked(fault, good, credential)
        ended_us = int(time.monotonic() * 1e6)  # nobody has the answer before
        writer.write(sent)
        await writer.drain()
        entry["status"] = status
        if status == 429:
            entry["retry_after_s"] = 1
        entry["ended_us"] = ended_us
        return stays

    def wicked(self, fault: str, good: bytes, credential: str) -> tuple[bytes, int, bool]:
        """The bytes to send, what the ledger says of them, and whether the connection stays."""
        if fault in ("500", "503", "429"):
            later = "Retry-After: 1\r\n" if fault == "429" else ""
            return response(int(fault), b'{"error":{"message":"as it was told"}}', later), int(fault), True
        if fault == "tell":
            return response(400, json.dumps({"error": {"message": f"the credential {credential} is odd"}}).encode()), 400, True
        if fault == "garbage":
            return response(200, b'{"choices":[{"mess'), -1, True
        if fault == "redirect":
            return response(307, b"", f"Location: {self.led_to}\r\n"), 307, True
        if fault == "half":
            return response(200, good, "", len(good) + 20), -1, False
        if fault == "cut":
            chunk = b"%x\r\n%b\r\n" % (len(good), good)
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, -1, False
        if fault == "twice":
            stray = re.sub(rb"by n[0-9]+", b"by nobody", good)
            return response(200, good) + response(200, stray), 200, True
        return response(200, good), -1 if fault == "late" else 200, True


def response(status: int, body: bytes, headers: str = "", length: int | None = None) -> bytes:
    return (f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n{headers}"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


def rendered(path: str, text: str) -> bytes:
    if path.endswith("/messages"):
        return json.dumps({"id": "msg_0", "type": "message", "role": "assistant", "model": "stand-in", "stop_reason": "end_turn",
                           "content": [{"type": "text", "text": text}], "stop_sequence": None,
                           "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": ANSWER_TOKENS}}).encode()
    if path.endswith("/responses"):
        return json.dumps({"id": "resp_0", "object": "response", "created_at": 1700000000, "status": "completed", "model": "stand-in",
                           "output": [{"type": "message", "id": "msg_0", "status": "completed", "role": "assistant",
                                       "content": [{"type": "output_text", "annotations": [], "text": text}]}],
                           "usage": {"input_tokens": PROMPT_TOKENS, "input_tokens_details": {"cached_tokens": 0},
                                     "output_tokens": ANSWER_TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
                                     "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS}}).encode()
    return json.dumps({"id": "chatcmpl-0", "object": "chat.completion", "created": 1700000000, "model": "stand-in", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS,
                  "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS}}).encode()
