"""What the measurements share: rows of results, programs that run pinned to a core, calls and loads."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import statistics
import subprocess
import time
import urllib.request

PAIRS = 5
SERVER_CORE = 0
LOAD_CORE = os.cpu_count() - 1


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
def running(command, ready, every_s=0.05, **options):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        deadline = time.monotonic() + 20
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {command[0]} did not start")
            time.sleep(every_s)
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
def sheaf(build, folder, config="", core=None, options=()):
    """A server on a fresh data directory: yields the process, its port and a key. It and `sheaf keys` are given the options."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sheaf.toml").write_text(config)
    port_file = folder / "port"
    command = [build / "sheaf", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0", "--port-file", port_file,
               "--config", folder / "sheaf.toml", *options]
    with running([str(part) for part in command], port_file.exists, preexec_fn=pinned(core) if core is not None else None) as process:
        made = subprocess.run([str(build / "sheaf"), "keys", "create", "--data", str(folder / "data"), "--account", "bench", "--json",
                               *options], capture_output=True, text=True, check=True)
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


def postgres_program(name):
    """Of the newest PostgreSQL that is installed: Debian keeps its programs out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise SystemExit(f"bench: PostgreSQL's {name} is not installed")
    return found[-1]


@contextlib.contextmanager
def postgres(folder):
    """A server on a database of its own, on core 0; every commit is synced, as by default. Yields its URL."""
    port = free_port()
    # It refuses to run as root.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
    folder.mkdir()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.parent.chmod(0o755)
    subprocess.run([postgres_program("initdb"), "-D", folder / "data", "-U", "bench", "--auth=trust"], check=True,
                   stdout=subprocess.DEVNULL, **as_user)
    command = [postgres_program("postgres"), "-D", folder / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", folder,
               "-c", "shared_buffers=512MB"]
    with running([str(part) for part in command], lambda: answers(port), preexec_fn=pinned(SERVER_CORE), **as_user):
        yield f"postgres://bench@127.0.0.1:{port}/postgres"


def curl(*arguments):
    """Seconds that a call took, and its body."""
    done = subprocess.run(["curl", "-sS", "--fail-with-body", "-w", "\n%{time_total}", *map(str, arguments)], capture_output=True, text=True,
                          preexec_fn=pinned(os.cpu_count() - 1))
    if done.returncode != 0:
        raise SystemExit(f"bench: curl {arguments} failed:\n{done.stdout}{done.stderr}")
    body, seconds = done.stdout.rsplit("\n", 1)
    return float(seconds), body


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def anonymous_mib(status):
    return int(re.search(r"RssAnon:\s+(\d+) kB", status.read_text()).group(1)) / 1024


def peak_of_anonymous_memory(pid, stop, found):
    """Looks every few milliseconds until `stop` is set, then leaves the most it saw, in MiB, in `found`."""
    status = pathlib.Path(f"/proc/{pid}/status")
    most = 0
    while not stop.is_set():
        most = max(most, anonymous_mib(status))
        time.sleep(0.005)
    found.append(most)


def wait_until_ended(port, key, batch):
    while json.loads(call(port, key, "GET", f"/sheaf/v1/batches/{batch}")[0])["state"] != "ended":
        time.sleep(0.2)
