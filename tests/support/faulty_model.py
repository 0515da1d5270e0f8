"""A model server of chat completions that breaks HTTP and its own protocol in every way, byte by byte.

The path of a request says how: /MODE/v1/chat/completions answers each attempt in that way, /MODE/once/v1/chat/completions the
first one of each item. It keeps a ledger of every attempt, in the form that the checker reads.
"""
import gzip
import json
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PROMPT_TOKENS = 7
HANG_S = 5
LARGE_BODY_BYTES = 100 << 20
BOMB_BYTES = 64 << 20
ITEM = re.compile(rb"id=(item-[0-9]+)")


def good_body(item: str) -> bytes:
    return json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "stand-in", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": f"This is an answer to {item}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 5, "total_tokens": PROMPT_TOKENS + 5}}).encode()


def message(status: int, body: bytes, *headers: str, type: str = "application/json", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} As-It-Was-Told", f"Content-Type: {type}",
             f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error(status: int, *headers: str) -> bytes:
    return message(status, b'{"error":{"message":"as it was told","type":"told","param":null,"code":"told"}}', *headers)


class Hangup(Exception):
    """The connection ends here."""


@dataclass
class Call:
    """One request, and the connection it came on."""

    connection: socket.socket
    item: str
    held: list[bytes]  # answers to earlier requests of this connection

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def hang(self) -> None:
        """Until the client gives up, and no longer than it may take to."""
        self.connection.settimeout(HANG_S)
        try:
            self.connection.recv(1)
        except OSError:
            pass
        raise Hangup

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup

    def part_of_good(self, part: str) -> None:
        """Nothing, the head, or the head and half of the body of a good answer."""
        whole = message(200, good_body(self.item))
        head = whole.index(b"\r\n\r\n") + 4
        self.send(whole[:{"nothing": 0, "head": head, "half": head + (len(whole) - head) // 2}[part]])

    def drip(self) -> None:
        for byte in message(200, good_body(self.item)):
            self.send(bytes([byte]))
            time.sleep(1)

    def cut_chunks(self) -> None:
        body = good_body(self.item)
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.send(f"{len(body):x}\r\n".encode() + body + b"\r\n")  # the whole document, and no last chunk
        raise Hangup

    def say_more_than_comes(self) -> None:
        self.send(message(200, good_body(self.item), length=len(good_body(self.item)) + 10))
        raise Hangup

    def flood(self) -> None:
        self.send(message(200, b"", length=LARGE_BODY_BYTES))
        for _ in range(LARGE_BODY_BYTES >> 20):
            self.send(b" " * (1 << 20))

    def answer_the_one_before(self) -> None:
        self.held.append(message(200, good_body(self.item)))
        if len(self.held) > 1:
            self.send(self.held[-2])


BOMB = gzip.compress(b" " * BOMB_BYTES)

MODES: dict[str, Callable[[Call], None]] = {
    **{str(status): lambda call, status=status: call.send(error(status))
       for status in (400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 504)},
    "429-retry-after": lambda call: call.send(error(429, "Retry-After: 1")),
    "hang": lambda call: call.hang(),
    "hang-after-head": lambda call: (call.part_of_good("head"), call.hang()),
    "hang-in-body": lambda call: (call.part_of_good("half"), call.hang()),
    "reset": lambda call: call.reset(),
    "reset-after-head": lambda call: (call.part_of_good("head"), call.reset()),
    "reset-in-body": lambda call: (call.part_of_good("half"), call.reset()),
    "drip": lambda call: call.drip(),
    "cut-chunks": lambda call: call.cut_chunks(),
    "length-too-long": lambda call: call.say_more_than_comes(),
    "length-too-short": lambda call: call.send(message(200, good_body(call.item), length=len(good_body(call.item)) - 10)),
    "no-json": lambda call: call.send(message(200, b'{"choices":[{"mess')),
    "other-schema": lambda call: call.send(message(200, b'{"hello":["world"]}')),
    "error-200": lambda call: call.send(message(200, b'{"error":{"message":"out of memory","type":"told"}}')),
    "large": lambda call: call.flood(),
    "nul": lambda call: call.send(message(200, good_body(call.item).replace(b"answer", b"ans\0wer"))),
    "gzip-bomb": lambda call: call.send(message(200, BOMB, "Content-Encoding: gzip")),
    "redirect": lambda call: call.send(message(307, b"", "Location: /good/v1/chat/completions")),
    "other-type": lambda call: call.send(message(200, good_body(call.item), type="text/html")),
    "twice": lambda call: call.send(2 * message(200, good_body(call.item))),
    "late-by-one": lambda call: call.answer_the_one_before(),
    "good": lambda call: call.send(message(200, good_body(call.item))),
}
# Whose answers are whole and right.
GOOD_MODES = ("good", "other-type", "twice")


@dataclass
class FaultyModel:
    """Serves from `with` on, on a free port."""

    entries: list[dict] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "FaultyModel":
        model = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                model.serve(self.request)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 256

        self.listener = Listener(("127.0.0.1", 0), Connection)
        self.thread = threading.Thread(target=self.listener.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join(10)

    def url(self, mode: str, once: bool = False) -> str:
        return f"http://127.0.0.1:{self.listener.server_address[1]}/{mode}{'/once' if once else ''}/v1"

    def ledger(self) -> list[dict]:
        with self.lock:
            return list(self.entries)

    def attempts(self, item: str) -> list[dict]:
        return [entry for entry in self.ledger() if entry["id"] == item]

    def serve(self, connection: socket.socket) -> None:
        held: list[bytes] = []
        buffered = b""
        try:
            while True:
                request, buffered = read_request(connection, buffered)
                self.answer(connection, request, held)
        except (Hangup, OSError):
            connection.close()

    def answer(self, connection: socket.socket, request: bytes, held: list[bytes]) -> None:
        path = request.split(b" ", 2)[1].decode()
        if request.startswith(b"GET"):
            connection.sendall(message(200, b'{"object":"list","data":[{"id":"stand-in","object":"model"}]}'))
            return
        item = ITEM.search(request)[1].decode()
        _, mode, *rest = path.split("/")
        with self.lock:
            is_first = all(entry["id"] != item for entry in self.entries)
            if rest[0] == "once" and not is_first:
                mode = "good"
            entry = {"id": item, "mode": mode, "status": 200 if mode in GOOD_MODES else 0,
                     "arrived_us": time.monotonic() * 1e6, "prompt_tokens": PROMPT_TOKENS}
            self.entries.append(entry)
        try:
            MODES[mode](Call(connection, item, held))
        finally:
            entry["ended_us"] = time.monotonic() * 1e6


def read_request(connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """One whole request, and what came after it."""
    while True:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            length = re.search(rb"content-length: *([0-9]+)", data[:end], re.IGNORECASE)
            whole = end + 4 + int(length[1] if length else 0)
            if len(data) >= whole:
                return data[:whole], data[whole:]
        piece = connection.recv(1 << 16)
        if not piece:
            raise Hangup
        data += piece
