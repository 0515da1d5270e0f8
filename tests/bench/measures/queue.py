"""Jobs that do nothing through a durable queue: our stores, and graphile-worker on PostgreSQL (PERFORMANCE P4, P5)."""
import json
import os
import pathlib
import subprocess

from harness import LOAD_CORE, PAIRS, pinned, postgres, row

JOBS = 50_000
JS = pathlib.Path(__file__).resolve().parents[1] / "js"


def graphile_worker(url):
    """Jobs a second, batching on; the worker on the last core."""
    done = subprocess.run(["node", "drain.js", str(JOBS)], cwd=JS, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True,
                          preexec_fn=pinned(LOAD_CORE), timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"bench: graphile-worker: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["drained"]


def our_store(build, folder, store, core=None):
    """Items a second, and those of bare synced appends."""
    done = subprocess.run([build / "store_bench", "--drain", store, "--dir", folder], capture_output=True, text=True, check=True,
                          preexec_fn=None if core is None else pinned(core))
    told = json.loads(done.stdout)
    return told["completed"], told["appends"]


def rest(url):
    """What earlier arms left to write is no part of the next."""
    subprocess.run(["psql", url, "-qc", "VACUUM", "-c", "CHECKPOINT"], check=True)


def bench_queue(build, folder):
    """50,000 jobs for graphile-worker, 100,000 items of 700 bytes for ours, every commit synced.

    PostgreSQL is on core 0, whoever asks it on the last core; our store on SQLite has both, as those two together. A first turn, not
    counted, is for PostgreSQL's memory and log files.
    """
    if not (JS / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=JS, check=True)
    sqlite, appends, ours, theirs = [], [], [], []
    with postgres(folder / "postgres") as url:
        for _ in range(PAIRS + 1):
            completed, appended = our_store(build, folder, "sqlite")
            sqlite.append(completed)
            appends.append(appended)
            rest(url)
            ours.append(our_store(build, folder, url, LOAD_CORE)[0])
            rest(url)
            theirs.append(graphile_worker(url))
    return [row("claim and complete, SQLite, against graphile-worker", sqlite[1:], theirs[1:], "items/s", 4),
            row("the same against synced appends of 256", sqlite[1:], appends[1:], "items/s", 0.4),
            row("claim and complete, PostgreSQL, against graphile-worker on it", ours[1:], theirs[1:], "items/s", 2.5)]
