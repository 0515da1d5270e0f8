"""Jobs that do nothing through a durable queue: our store, and graphile-worker on PostgreSQL (PERFORMANCE P4, P5)."""
import contextlib
import json
import os
import pathlib
import pwd
import subprocess

from harness import LOAD_CORE, PAIRS, SERVER_CORE, answers, free_port, pinned, row, running

JOBS = 50_000
JS = pathlib.Path(__file__).resolve().parents[1] / "js"


def program(name):
    """Of the newest PostgreSQL that is installed: Debian keeps its programs out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise SystemExit(f"bench: queue needs PostgreSQL's {name}")
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
    subprocess.run([program("initdb"), "-D", folder / "data", "-U", "bench", "--auth=trust"], check=True, stdout=subprocess.DEVNULL, **as_user)
    command = [program("postgres"), "-D", folder / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", folder,
               "-c", "shared_buffers=512MB"]
    with running([str(part) for part in command], lambda: answers(port), preexec_fn=pinned(SERVER_CORE), **as_user):
        yield f"postgres://bench@127.0.0.1:{port}/postgres"


def graphile_worker(url):
    """Jobs a second, batching on; the worker on the last core."""
    done = subprocess.run(["node", "drain.js", str(JOBS)], cwd=JS, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True,
                          preexec_fn=pinned(LOAD_CORE), timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"bench: graphile-worker: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["drained"]


def our_store(build, folder):
    """Items a second on SQLite, and those of bare synced appends. Both cores, as PostgreSQL and its worker have."""
    done = subprocess.run([build / "store_bench", "--drain", "yes", "--dir", folder], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return told["completed"], told["appends"]


def bench_queue(build, folder):
    """50,000 jobs for graphile-worker, 100,000 items of 700 bytes for ours; groups of 256, every commit synced."""
    if not (JS / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=JS, check=True)
    ours, appends, theirs = [], [], []
    with postgres(folder / "postgres") as url:
        for _ in range(PAIRS):
            completed, appended = our_store(build, folder)
            ours.append(completed)
            appends.append(appended)
            theirs.append(graphile_worker(url))
    return [row("claim and complete, SQLite, against graphile-worker", ours, theirs, "items/s", 4),
            row("the same against synced appends of 256", ours, appends, "items/s", 0.4)]
