"""A TCP proxy that passes bytes on one at a time, each in a segment of its own as far as the kernel allows."""

import asyncio
import contextlib
import socket
import threading


class RechunkingProxy:
    """Forwards connections to a server, cutting what the server says (and, if asked, what the client says).

    The response body is not decoded: with Transfer-Encoding: chunked the client's parser still sees its data in
    pieces, since it is handed what each read gave it. `pause_s` between pieces lets the client read each alone.
    """

    def __init__(self, port: int, *, piece: int = 1, pause_s: float = 0.0, cut_requests: bool = False) -> None:
        self.target_port = port
        self.piece = piece
        self.pause_s = pause_s
        self.cut_requests = cut_requests
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.ready = threading.Event()

    def __enter__(self) -> "RechunkingProxy":
        self.thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1.3"

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        try:
            self.loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0.01))
            self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up_writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(self._pass_on(reader, up_writer, cut=self.cut_requests),
                             self._pass_on(up_reader, writer, cut=True), return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cut: bool) -> None:
        try:
            while data := await reader.read(65536):
                if not cut:
                    writer.write(data)
                    await writer.drain()
                    continue
                for start in range(0, len(data), self.piece):
                    writer.write(data[start:start + self.piece])
                    await writer.drain()
                    await asyncio.sleep(self.pause_s)
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()
