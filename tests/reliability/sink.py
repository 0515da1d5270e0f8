"""Receivers of webhooks that keep a ledger: what came, how it was signed, and what whoever looked at that moment was shown."""
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Listener:
    """Serves on a port of its own until it is left; what it does is its handler's."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, bytes], None], host: str = "127.0.0.1") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()

    def url(self, path: str = "/") -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}{path}"


class Sink(Listener):
    """`look` tells how a path's batch or item is shown just now; `moods` says how a path's tries are answered, in order:
    a status, "slow", or "redirect"; then 200."""

    def __init__(self, look: Callable[[str, bytes], str | None], led_to: str) -> None:
        super().__init__(self.take)
        self.look, self.led_to = look, led_to
        self.moods: dict[str, list] = {}
        self.entries: list[dict] = []

    def take(self, asked: BaseHTTPRequestHandler, body: bytes) -> None:
        entry = {"t": time.monotonic(), "wall": time.time(), "path": asked.path, "body": body.decode(), "answered": None,
                 "headers": {name.lower(): value for name, value in asked.headers.items()}, "shown": self.look(asked.path, body)}
        self.entries.append(entry)
        moods = self.moods.get(asked.path)
        mood = moods.pop(0) if moods else 200
        if mood == "slow":
            time.sleep(0.5)
        status = {"slow": 200, "redirect": 307}.get(mood, mood)
        asked.send_response(status)
        if mood == "redirect":
            asked.send_header("location", self.led_to)
        asked.send_header("content-length", "0")
        asked.end_headers()
        entry["answered"] = status

    def deliveries(self) -> list[dict]:
        return [dict(entry) for entry in self.entries]
