"""An HTTP proxy in front of the server that counts what clients send and answers some of it wrongly, once each."""

import contextlib
import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case


@dataclass
class FaultProxy:
    """Forwards to 127.0.0.1:`port`. `faults` are used up one a request, in order, and None forwards:

    503 (any status)  answered so without asking the server
    "lost"            the server is asked, and its answer never arrives: the connection is cut
    "half"            the server is asked, and half of its answer's body arrives
    """

    port: int
    faults: list = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> "FaultProxy":
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_any(self) -> None:
                proxy.handle(self)

            do_GET = do_POST = do_DELETE = do_PUT = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def requests(self, method: str) -> list[Seen]:
        return [one for one in self.seen if one.method == method]

    def handle(self, client: BaseHTTPRequestHandler) -> None:
        body = self.read_body(client)
        self.seen.append(Seen(client.command, client.path, {k.lower(): v for k, v in client.headers.items()}))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            text = b'{"type":"error","error":{"type":"api_error","message":"told to"}}'
            client.send_response(fault)
            client.send_header("Content-Type", "application/json")
            client.send_header("Content-Length", str(len(text)))
            client.send_header("retry-after-ms", "10")
            client.end_headers()
            client.wfile.write(text)
            return
        # Host stays the client's: the server builds its URLs from it.
        headers = {k: v for k, v in client.headers.items() if k.lower() not in HOP_BY_HOP}
        headers["Host"] = client.headers["Host"]
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as server:
            server.request(client.command, client.path, body or None, headers)
            answer = server.getresponse()
            text = answer.read()
        if fault == "lost":
            client.close_connection = True
            client.connection.close()
            return
        client.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                client.send_header(name, value)
        client.send_header("Content-Length", str(len(text)))
        client.end_headers()
        client.wfile.write(text[:len(text) // 2] if fault == "half" else text)
        if fault == "half":
            client.wfile.flush()
            client.close_connection = True
            client.connection.close()

    @staticmethod
    def read_body(client: BaseHTTPRequestHandler) -> bytes:
        if "chunked" in client.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(client.rfile.readline().split(b";")[0], 16):
                body += client.rfile.read(size)
                client.rfile.readline()
            client.rfile.readline()
            return body
        return client.rfile.read(int(client.headers.get("Content-Length", 0)))
