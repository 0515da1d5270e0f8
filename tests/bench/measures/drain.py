"""A large batch on a model server that costs nothing: Sheaf is the limit (PERFORMANCE P6)."""
import contextlib
import json
import re
import shutil
import subprocess
import time

from harness import LOAD_CORE, PAIRS, SERVER_CORE, answers, free_port, pinned, row, running, sheaf
from measures.text_batches import (against, chat_body, config, cpu_seconds, create, model_server, upload,
                                   wait_until_all_succeeded)

ITEMS = 100_000
CONNECTIONS = 64
SECONDS = 4
ANSWER = json.dumps({"id": "chatcmpl-0", "object": "chat.completion", "created": 1700000000, "model": "stand-in",
                     "choices": [{"index": 0, "message": {"role": "assistant", "content": "This is an answer"}, "logprobs": None,
                                  "finish_reason": "stop"}],
                     "usage": {"prompt_tokens": 20, "completion_tokens": 16, "total_tokens": 36}}, separators=(",", ":"))


@contextlib.contextmanager
def nginx_with_an_answer(root):
    """One worker on the last core that answers everything alike. Yields the URL of an API."""
    root.mkdir(parents=True)
    port = free_port()
    (root / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {root}/pid; error_log /dev/null;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; keepalive_requests 100000000; default_type application/json; client_body_temp_path {root}/t1;\n"
        f"  proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n"
        f"  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{ANSWER}'; }} }} }}\n")
    with running(["nginx", "-p", str(root), "-c", str(root / "nginx.conf")], lambda: answers(port), preexec_fn=pinned(LOAD_CORE)):
        yield f"http://127.0.0.1:{port}/v1"


def drain(build, folder, url):
    """Items a second from the acknowledged create to the last durable result, and microseconds of CPU an item, the create included."""
    with sheaf(build, folder, config([url], CONNECTIONS), core=SERVER_CORE) as (process, port, key):
        file = upload(port, key, folder, (chat_body(number) for number in range(ITEMS)))
        before = cpu_seconds(process.pid)
        batch = create(port, key, file)
        created = time.monotonic()
        ended = wait_until_all_succeeded(port, key, batch)
        spent = cpu_seconds(process.pid) - before
    shutil.rmtree(folder)
    return ITEMS / (ended - created), spent / ITEMS * 1e6


def wrk_posts(folder, url):
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = {json.dumps(chat_body(0))}\n')
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script, f"{url}/chat/completions"],
                          capture_output=True, text=True, check=True, preexec_fn=pinned(SERVER_CORE))
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"bench: it answered errors:\n{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


def hey_posts(url):
    done = subprocess.run(["hey", "-z", f"{SECONDS}s", "-c", str(CONNECTIONS), "-m", "POST", "-T", "application/json", "-d", chat_body(0),
                           f"{url}/chat/completions"], capture_output=True, text=True, check=True, preexec_fn=pinned(SERVER_CORE))
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


def bench_at(build, folder, name, url):
    ours, wrk, hey, cpu = [], [], [], []
    wrk_posts(folder, url)
    for turn in range(PAIRS):
        speed, spent = drain(build, folder / str(turn), url)
        ours.append(speed)
        cpu.append(spent)
        wrk.append(wrk_posts(folder, url))
        hey.append(hey_posts(url))
    return [row(f"100,000 items, answered at once by {name}, against wrk -c64", ours, wrk, "items/s", 0.35),
            row("the same against hey -c64", ours, hey, "items/s", 1.0),
            row("CPU of it, create to end, against 40 us", cpu, against(40), "us/item", 1.0, at_most=True)]


def bench_drain(build, folder):
    """Whoever asks (Sheaf, wrk, hey) runs on core 0, the answering server and the clients of Sheaf on the last core."""
    with nginx_with_an_answer(folder / "nginx") as url:
        rows = bench_at(build, folder, "nginx", url)
    with model_server(build, folder / "model") as server:
        return rows + bench_at(build, folder, "our model server", server.url)
