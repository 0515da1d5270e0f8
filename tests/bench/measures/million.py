"""A data directory with a million queued items: memory, and how soon a killed server is there again (PERFORMANCE P13, P14)."""
import contextlib
import json
import pathlib
import subprocess
import time

from harness import PAIRS, SERVER_CORE, anonymous_mib, call, pinned, row, running
from measures.text_batches import against, chat_body, config, create, model_server, state, upload

BATCHES, ITEMS = 10, 100_000


@contextlib.contextmanager
def started(build, folder):
    """A server on the data that is there: yields the process, its port, and the seconds until it answered."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    command = [build / "sheaf", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0", "--port-file", port_file,
               "--config", folder / "sheaf.toml"]
    with running([str(part) for part in command], port_file.exists, every_s=0.002, preexec_fn=pinned(SERVER_CORE)) as process:
        yield process, int(port_file.read_text())
        process.kill()


def bench_million(build, folder):
    """Ten batches of 100,000 items for a model server that starts none of them. Every start is after SIGKILL."""
    memory, ready = [], []
    with model_server(build, folder / "model", "--held") as server:
        (folder / "sheaf.toml").write_text(config([server.url], 64))
        with started(build, folder) as (process, port):
            made = subprocess.run([build / "sheaf", "keys", "create", "--data", folder / "data", "--account", "bench", "--json"],
                                  capture_output=True, text=True, check=True)
            key = json.loads(made.stdout)["key"]
            for number in range(BATCHES):
                batch = create(port, key, upload(port, key, folder, (chat_body(number) for number in range(ITEMS))))
            time.sleep(2)
            after_creates = anonymous_mib(pathlib.Path(f"/proc/{process.pid}/status"))
        for _ in range(PAIRS):
            since = time.monotonic()
            with started(build, folder) as (process, port):
                call(port, key, "GET", f"/sheaf/v1/batches/{batch}")
                ready.append(time.monotonic() - since)
                time.sleep(2)
                now = state(port, key, batch)["counts"]
                if now["queued"] + now["running"] != ITEMS:
                    raise SystemExit(f"bench: items of {batch} are not queued: {now}")
                memory.append(anonymous_mib(pathlib.Path(f"/proc/{process.pid}/status")))
    return [row("a good answer after SIGKILL, a million items stored", ready, against(1), "s", 1.0, at_most=True),
            row("anonymous memory, a million queued, against 150 MiB", memory, against(150), "MiB", 1.0, at_most=True),
            row("the same in the process that took them in, once", [after_creates], [150.0], "MiB", 1.0, at_most=True)]
