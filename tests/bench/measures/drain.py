"""A large batch on a model server that costs nothing: Sheaf is the limit (PERFORMANCE P6)."""
import json
import re
import shutil
import subprocess

from harness import PAIRS, SERVER_CORE, pinned, row, sheaf
from measures.text_batches import (against, chat_body, config, cpu_seconds, create, model_server, upload,
                                   wait_until_all_succeeded)

ITEMS = 100_000
CONNECTIONS = 64
SECONDS = 4


def drain(build, folder, server):
    """Items a second from the first request to the last durable result, and microseconds of CPU an item from create to end."""
    with sheaf(build, folder, config([server.url], CONNECTIONS), core=SERVER_CORE) as (process, port, key):
        file = upload(port, key, folder, (chat_body(number) for number in range(ITEMS)))
        server.control(reset=1)
        before = cpu_seconds(process.pid)
        batch = create(port, key, file)
        ended = wait_until_all_succeeded(port, key, batch)
        spent = cpu_seconds(process.pid) - before
        stats = server.stats()
    shutil.rmtree(folder)
    if stats["answered"] != ITEMS:
        raise SystemExit(f"bench: {ITEMS} items took {stats['answered']} answers")
    return ITEMS / (ended - stats["first_arrived_us"] / 1e6), spent / ITEMS * 1e6


def wrk_posts(folder, url):
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = {json.dumps(chat_body(0))}\n')
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script, f"{url}/chat/completions"],
                          capture_output=True, text=True, check=True, preexec_fn=pinned(SERVER_CORE))
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"bench: the model server answered errors:\n{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


def hey_posts(url):
    done = subprocess.run(["hey", "-z", f"{SECONDS}s", "-c", str(CONNECTIONS), "-m", "POST", "-T", "application/json", "-d", chat_body(0),
                           f"{url}/chat/completions"], capture_output=True, text=True, check=True, preexec_fn=pinned(SERVER_CORE))
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


def bench_drain(build, folder):
    """Whoever asks (Sheaf, wrk, hey) runs on core 0, the model server and the clients of Sheaf on the last core."""
    ours, wrk, hey, cpu = [], [], [], []
    with model_server(build, folder / "model") as server:
        wrk_posts(folder, server.url)
        for turn in range(PAIRS):
            speed, spent = drain(build, folder / str(turn), server)
            ours.append(speed)
            cpu.append(spent)
            wrk.append(wrk_posts(folder, server.url))
            hey.append(hey_posts(server.url))
    return [row("100,000 items, answered at once, against wrk -c64", ours, wrk, "items/s", 0.35),
            row("the same against hey -c64", ours, hey, "items/s", 1.0),
            row("CPU of it, create to end, against 40 us", cpu, against(40), "us/item", 1.0, at_most=True)]
