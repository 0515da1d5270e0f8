#!/usr/bin/env python3
"""Measures Sheaf against yardsticks that run in the same minutes, and prints ratios.

    bench.py --build-dir build/release [NAME…]

Each measurement prints a table and writes build/bench/NAME.json: one row a figure, with the medians, the ratio and its
minimum and maximum over interleaved pairs. Absolute figures wander on a shared machine; the ratios are what counts.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
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


def bench_poll(build, folder):
    """Status of a batch against nginx serving a file of the same bytes; server on core 0, load on the last core."""
    config = '[[model]]\nname = "pegasus1.5"\nbackend = "scripted"\n'
    with sheaf(build, folder / "sheaf", config, core=0) as (_, port, key):
        batch = make_batch(port, key, folder)
        path = f"/v1.3/analyze/batches/{batch}"
        body, _ = call(port, key, "GET", path)
        root = folder / "nginx"
        (root / "html").mkdir(parents=True)
        (root / "html" / "status.json").write_bytes(body)
        nginx_port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not read our folder
        (root / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {root}/pid; error_log /dev/null;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; keepalive_requests 100000000; default_type application/json;\n"
            f"  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;\n"
            f"  scgi_temp_path {root}/t5; sendfile on; server {{ listen 127.0.0.1:{nginx_port}; root {root}/html; }} }}\n")
        with running(["nginx", "-p", str(root), "-c", str(root / "nginx.conf")], lambda: answers(nginx_port), preexec_fn=pinned(0)):
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


def bench_program(name):
    def run(build, folder):
        rows = folder / "rows.json"
        subprocess.run([str(build / f"{name}_bench"), "--json", str(rows)], check=True)
        return json.loads(rows.read_text())
    return run


BENCHES = {"store": bench_program("store"), "frames": bench_program("frames"), "poll": bench_poll, "memory": bench_memory}


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
