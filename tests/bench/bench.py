#!/usr/bin/env python3
"""Measures Sheaf against yardsticks that run in the same minutes, and prints ratios.

    bench.py --build-dir build/release [NAME…]

Each measurement prints a table and writes build/bench/NAME.json: one row a figure, with the medians, the ratio and its
minimum and maximum over interleaved pairs. Absolute figures wander on a shared machine; the ratios are what counts.
"""
import argparse
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PAIRS = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def row(name, ours, yardstick, unit, target, at_most=False):
    ratios = [mine / theirs for mine, theirs in zip(ours, yardstick)]
    result = {
        "row": name,
        "ours": statistics.median(ours),
        "yardstick": statistics.median(yardstick),
        "unit": unit,
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "target": target,
    }
    if at_most:
        result["at_most"] = True
    return result


@contextlib.contextmanager
def running(command, ready, **options):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        deadline = time.monotonic() + 20
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {command[0]} did not start")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    return False


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def sheaf(build, folder, config="", core=None):
    """A server on a fresh data directory: yields the process, its port and a key."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sheaf.toml").write_text(config)
    port_file = folder / "port"
    command = [build / "sheaf", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0", "--port-file", port_file,
               "--config", folder / "sheaf.toml"]
    with running([str(part) for part in command], port_file.exists, preexec_fn=pinned(core) if core is not None else None) as process:
        made = subprocess.run([str(build / "sheaf"), "keys", "create", "--data", str(folder / "data"), "--account", "bench", "--json"],
                              capture_output=True, text=True, check=True)
        yield process, int(port_file.read_text()), json.loads(made.stdout)["key"]


def call(port, key, method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers={"x-api-key": key},
                                     data=None if body is None else json.dumps(body).encode())
    if body is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read(), response.headers


def requests_per_second(url, key, seconds):
    done = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"x-api-key: {key}", url], capture_output=True, text=True,
                          check=True, preexec_fn=pinned(os.cpu_count() - 1))
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"bench: {url} answered errors:\n{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


@contextlib.contextmanager
def nginx(root, html):
    """One worker on core 0: serves the folder `html`, and stores what is posted to /store in a file. Yields its port.

    The answer to /store comes from a second server of its own, once the whole body is in its file.
    """
    root.mkdir(parents=True)
    port, answer_port = free_port(), free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not read our folder
    (root / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {root}/pid; error_log /dev/null;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; keepalive_requests 100000000; default_type application/json;\n"
        f"  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;\n"
        f"  scgi_temp_path {root}/t5; sendfile on; client_max_body_size 2g;\n"
        f"  server {{ listen 127.0.0.1:{port}; root {html};\n"
        f"    location /store {{ client_body_in_file_only clean; proxy_pass_request_body off; proxy_set_header Content-Length '';\n"
        f"      proxy_pass http://127.0.0.1:{answer_port}/; }} }}\n"
        f"  server {{ listen 127.0.0.1:{answer_port}; location / {{ return 200 stored; }} }} }}\n")
    with running(["nginx", "-p", str(root), "-c", str(root / "nginx.conf")], lambda: answers(port), preexec_fn=pinned(0)):
        yield port


def bench_poll(build, folder):
    """Status of a batch against nginx serving a file of the same bytes; server on core 0, load on the last core."""
    config = '[[model]]\nname = "pegasus1.5"\nbackend = "scripted"\n'
    with sheaf(build, folder / "sheaf", config, core=0) as (_, port, key):
        batch = make_batch(port, key, folder)
        path = f"/v1.3/analyze/batches/{batch}"
        body, _ = call(port, key, "GET", path)
        html = folder / "html"
        html.mkdir()
        (html / "status.json").write_bytes(body)
        with nginx(folder / "nginx", html) as nginx_port:
            ours_url, nginx_url = f"http://127.0.0.1:{port}{path}", f"http://127.0.0.1:{nginx_port}/status.json"
            requests_per_second(ours_url, key, 1), requests_per_second(nginx_url, key, 1)
            ours, theirs = [], []
            for _ in range(PAIRS):
                ours.append(requests_per_second(ours_url, key, 3))
                theirs.append(requests_per_second(nginx_url, key, 3))
    return [row("status poll of a batch against nginx, static file", ours, theirs, "requests/s", 0.5)]


def make_batch(port, key, folder):
    clip = folder / "clip.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=5", "-pix_fmt", "yuv420p", str(clip)],
                   check=True)
    boundary = "sheaf-bench-boundary"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="method"\r\n\r\ndirect\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n').encode()
    body += clip.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1.3/assets", data=body, headers={
        "x-api-key": key, "Content-Type": f"multipart/form-data; boundary={boundary}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        asset = json.loads(response.read())["_id"]
    while json.loads(call(port, key, "GET", f"/v1.3/assets/{asset}")[0])["status"] == "processing":
        time.sleep(0.05)
    created, _ = call(port, key, "POST", "/v1.3/analyze/batches", {
        "model_name": "pegasus1.5", "analysis_mode": "general", "defaults": {"prompt": {"input_text": "What happens?"}},
        "requests": [{"video": {"type": "asset_id", "asset_id": asset}} for _ in range(100)]})
    batch = json.loads(created)["batch_id"]
    while json.loads(call(port, key, "GET", f"/v1.3/analyze/batches/{batch}")[0])["status"] != "completed":
        time.sleep(0.05)
    return batch


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def bench_memory(build, folder):
    """What a server that has just started, and has nothing to do, keeps resident; the limit is the yardstick."""
    ours = []
    for turn in range(PAIRS):
        with sheaf(build, folder / str(turn)) as (process, port, key):
            call(port, key, "GET", "/healthz")
            time.sleep(1)
            ours.append(resident_mib(process.pid))
    return [row("resident memory at rest against 40 MiB", ours, [40.0] * PAIRS, "MiB", 1.0, at_most=True)]


def peak_of_anonymous_memory(pid, stop, found):
    """Looks every few milliseconds until `stop` is set, then leaves the most it saw, in MiB, in `found`."""
    status = pathlib.Path(f"/proc/{pid}/status")
    most = 0
    while not stop.is_set():
        most = max(most, anonymous_mib(status))
        time.sleep(0.005)
    found.append(most)


def anonymous_mib(status):
    return int(re.search(r"RssAnon:\s+(\d+) kB", status.read_text()).group(1)) / 1024


def curl(*arguments):
    """Seconds that a call took, and its body."""
    done = subprocess.run(["curl", "-sS", "--fail-with-body", "-w", "\n%{time_total}", *map(str, arguments)], capture_output=True, text=True,
                          preexec_fn=pinned(os.cpu_count() - 1))
    if done.returncode != 0:
        raise SystemExit(f"bench: curl {arguments} failed:\n{done.stdout}{done.stderr}")
    body, seconds = done.stdout.rsplit("\n", 1)
    return float(seconds), body


INGEST_ITEMS = 100_000
INGEST_BYTES = 236_000_000


class Ingest:
    """One dialect's way to create a batch of INGEST_ITEMS requests in about INGEST_BYTES."""

    def __init__(self, folder, port, key):
        self.url, self.file = f"http://127.0.0.1:{port}", folder / f"{self.name}.json"
        self.key = ["-H", f"Authorization: Bearer {key}"]

    def write_body(self):
        empty = len(self.request(0, "")) + 1
        text = "lorem ipsum " * (INGEST_BYTES // INGEST_ITEMS // 12 + 1)
        text = text[:INGEST_BYTES // INGEST_ITEMS - empty]
        with self.file.open("w") as out:
            out.write(self.opening)
            for number in range(INGEST_ITEMS):
                out.write((self.separator if number else "") + self.request(number, text))
            out.write(self.closing)


class AnthropicIngest(Ingest):
    name, opening, separator, closing = "anthropic", '{"requests":[', ",", "]}"

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "params": {"model": "practice", "max_tokens": 16, "messages": [
            {"role": "user", "content": text}]}}, separators=(",", ":"))

    def sent(self):
        return ["--data-binary", f"@{self.file}", "-H", "Content-Type: application/json"]

    def create(self):
        seconds, body = curl(*self.sent(), *self.key, self.url + "/v1/messages/batches")
        return seconds, json.loads(body)["id"]


class SailIngest(AnthropicIngest):
    name, opening = "sail", '{"endpoint":"/v1/responses","requests":['

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "params": {"model": "practice", "input": text}}, separators=(",", ":"))

    def create(self):
        seconds, body = curl(*self.sent(), *self.key, self.url + "/sail/v1/batches")
        return seconds, json.loads(body)["id"]


class OpenAIIngest(Ingest):
    name, opening, separator, closing = "openai", "", "\n", "\n"

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "practice", "messages": [{"role": "user", "content": text}]}}, separators=(",", ":"))

    def sent(self):
        return ["-F", f"file=@{self.file}", "-F", "purpose=batch"]

    def create(self):
        upload, body = curl(*self.sent(), *self.key, self.url + "/v1/files")
        asked = json.dumps({"input_file_id": json.loads(body)["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"})
        create, body = curl("--data-binary", asked, "-H", "Content-Type: application/json", *self.key, self.url + "/v1/batches")
        return upload + create, json.loads(body)["id"]


INGEST_CONFIG = """
[openai]
batch_lines_max = 100000
batch_file_bytes_max = 268435456
[[model]]
name = "practice"
backend = "scripted"
answer = "answer for {custom_id}"
concurrency = 256
"""


def results_digest(port, key, batch):
    """Of the result lines as they are: how many, of how many names, and the hash of their bytes."""
    body, _ = call(port, key, "GET", f"/sheaf/v1/batches/{batch}/results")
    lines = body.decode().splitlines()
    return len(lines), len(set(re.findall(r"item-\d{6}", body.decode()))), hashlib.sha256(body).hexdigest()


def wait_until_ended(port, key, batch):
    while json.loads(call(port, key, "GET", f"/sheaf/v1/batches/{batch}")[0])["state"] != "ended":
        time.sleep(0.2)


def bench_ingest(build, folder):
    """100,000 requests in 236 MB through each dialect, against nginx storing the same body; and what it costs in memory.

    Sheaf on core 0, curl on the last core. Every batch then runs to its end, and its results must be complete and the
    same on every read.
    """
    rows = []
    (folder / "html").mkdir()
    for kind in (AnthropicIngest, OpenAIIngest, SailIngest):
        ours, theirs, grown = [], [], []
        with sheaf(build, folder / kind.name, INGEST_CONFIG, core=0) as (process, port, key), \
                nginx(folder / f"nginx-{kind.name}", folder / "html") as nginx_port:
            ingest = kind(folder, port, key)
            ingest.write_body()
            for _ in range(PAIRS):
                status = pathlib.Path(f"/proc/{process.pid}/status")
                before, stop, found = anonymous_mib(status), threading.Event(), []
                watcher = threading.Thread(target=peak_of_anonymous_memory, args=(process.pid, stop, found))
                watcher.start()
                seconds, batch = ingest.create()
                stop.set()
                watcher.join()
                ours.append(seconds)
                grown.append(found[0] - before)
                wait_until_ended(port, key, batch)
                first, again = results_digest(port, key, batch), results_digest(port, key, batch)
                if first != again or first[:2] != (INGEST_ITEMS, INGEST_ITEMS):
                    raise SystemExit(f"bench: the results of {kind.name} are not complete or not stable: {first} {again}")
                theirs.append(curl(*ingest.sent(), f"http://127.0.0.1:{nginx_port}/store")[0])
            ingest.file.unlink()
        shutil.rmtree(folder / kind.name)
        rows.append(row(f"{kind.name}: 100,000 requests in 236 MB, against nginx", ours, theirs, "s", 3.0, at_most=True))
        rows.append(row(f"{kind.name}: anonymous memory it takes, against 64 MiB", grown, [64.0] * PAIRS, "MiB", 1.0, at_most=True))
    return rows


def make_text_batch(port, key, count):
    asked = {"requests": [{"custom_id": f"item-{number:06}", "params": {"model": "practice", "max_tokens": 16, "messages": [
        {"role": "user", "content": "say it"}]}} for number in range(count)]}
    created, _ = call(port, key, "POST", "/v1/messages/batches", asked)
    batch = json.loads(created)["id"]
    wait_until_ended(port, key, batch)
    return batch, laid_out_bytes(port, key, f"/v1/messages/batches/{batch}/results")


def laid_out_bytes(port, key, path):
    """How much the results weigh, once they lie in a file of their own: from then on their length is told."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers={"x-api-key": key})
        length = connection.getresponse().getheader("Content-Length")
        connection.close()
        if length is not None:
            return int(length)
        time.sleep(0.2)


def bench_read(build, folder):
    """The results of a finished batch of 1 GB against nginx sending the same file; polls of a large batch against a small one."""
    config = f'[[model]]\nname = "practice"\nbackend = "scripted"\nanswer = "{"word " * 2000}"\nconcurrency = 256\n'
    html = folder / "html"
    html.mkdir()
    with sheaf(build, folder / "sheaf", config, core=0) as (_, port, key), nginx(folder / "nginx", html) as nginx_port:
        large, results_bytes = make_text_batch(port, key, 100_000)
        small, _ = make_text_batch(port, key, 100)
        results = f"http://127.0.0.1:{port}/v1/messages/batches/{large}/results"
        bearer = ["-H", f"Authorization: Bearer {key}"]
        curl(*bearer, "-o", html / "results.jsonl", results)
        if (html / "results.jsonl").stat().st_size != results_bytes:
            raise SystemExit("bench: the results are not whole")
        ours, theirs = [], []
        for _ in range(PAIRS):
            ours.append(results_bytes / 1e6 / curl(*bearer, "-o", "/dev/null", results)[0])
            theirs.append(results_bytes / 1e6 / curl("-o", "/dev/null", f"http://127.0.0.1:{nginx_port}/results.jsonl")[0])
        rows = [row(f"results of {results_bytes / 1e9:.2f} GB against nginx, sendfile", ours, theirs, "MB/s", 0.8)]
        polls = {batch: f"http://127.0.0.1:{port}/v1/messages/batches/{batch}" for batch in (large, small)}
        ours, theirs = [], []
        for url in polls.values():
            requests_per_second(url, key, 1)
        for _ in range(PAIRS):
            ours.append(requests_per_second(polls[large], key, 3))
            theirs.append(requests_per_second(polls[small], key, 3))
        rows.append(row("status of 100,000 items against one of 100", ours, theirs, "requests/s", 0.95))
    return rows


def bench_program(name):
    def run(build, folder):
        rows = folder / "rows.json"
        subprocess.run([str(build / f"{name}_bench"), "--json", str(rows)], check=True)
        return json.loads(rows.read_text())
    return run


BENCHES = {"store": bench_program("store"), "frames": bench_program("frames"), "poll": bench_poll, "memory": bench_memory,
           "ingest": bench_ingest, "read": bench_read}


def show(name, rows):
    print(f"\n{name}")
    print(f"  {'':62} {'ours':>12} {'yardstick':>12} {'unit':<11} {'ratio':>7}  {'min–max':<13} {'target':>7}")
    for r in rows:
        at_most = r.get("at_most", False)
        met = r["ratio"] <= r["target"] if at_most else r["ratio"] >= r["target"]
        print(f"  {r['row']:<62} {r['ours']:>12,.1f} {r['yardstick']:>12,.1f} {r['unit']:<11} {r['ratio']:>7.2f}  "
              f"{r['ratio_min']:.2f}–{r['ratio_max']:<8.2f} {'<=' if at_most else '>='} {r['target']:<5} {'met' if met else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    arguments = parser.parse_args()
    output = pathlib.Path("build/bench")
    output.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in arguments.names or BENCHES:
        with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
            rows = BENCHES[name](arguments.build_dir.resolve(), pathlib.Path(folder))
        (output / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
        show(name, rows)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
