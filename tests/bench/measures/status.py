"""The status of a batch, asked on a schedule, while the server is as busy as it gets (PERFORMANCE P11)."""
import json
import os
import shutil
import subprocess

from harness import LOAD_CORE, PAIRS, SERVER_CORE, row, sheaf
from measures.ingest import AnthropicIngest
from measures.text_batches import against, chat_body, config, create, model_server, upload, wait_until_all_succeeded

ITEMS = 100_000
PER_SECOND = 1000


def on_load_core_first():
    """The sender's own waiting for the core is not what is measured."""
    os.sched_setaffinity(0, {LOAD_CORE})
    if os.geteuid() == 0:
        os.nice(-20)


def waiting_model(server):
    """What comes in meanwhile is for a model that starts nothing."""
    return f'[[model]]\nname = "practice"\nmodel = "practice"\nbackend = "chat"\nurl = "{server.url}"\nconcurrency = 1\n'


def busy_status(build, folder, with_ingest):
    """Latencies while ITEMS drain, and 236 MB come in or not; and items a second."""
    with model_server(build, folder / "model") as server, model_server(build, folder / "held", "--held") as held, \
            sheaf(build, folder / "sheaf", config([server.url], 64) + waiting_model(held), core=SERVER_CORE) as (process, port, key):
        file = upload(port, key, folder, (chat_body(number) for number in range(ITEMS)))
        ingest = AnthropicIngest(folder, port, key)
        ingest.write_body()
        batch = create(port, key, file)
        done = folder / "done"
        sender = subprocess.Popen([build / "open_loop", str(port), f"/v1/batches/{batch}", key, str(PER_SECOND), "120", done],
                                  stdout=subprocess.PIPE, text=True, preexec_fn=on_load_core_first)
        since = server.wait_for(lambda stats: stats["requests"] > 0, 30)["first_arrived_us"] / 1e6
        if with_ingest:
            ingest.create()
        ended = wait_until_all_succeeded(port, key, batch)
        done.touch()
        told = json.loads(sender.communicate(timeout=150)[0])
        process.kill()
    shutil.rmtree(folder)
    if told["failed"]:
        raise SystemExit(f"bench: status calls failed: {told}")
    return told, ITEMS / (ended - since)


def bench_status(build, folder):
    """Sheaf on core 0; the sender (ahead of the others), curl and the model server on the last core."""
    p99, p999 = [], []
    for turn in range(PAIRS):
        told, speed = busy_status(build, folder / str(turn), with_ingest=True)
        print(f"  {told['sent']:,} calls, p50 {told['p50_ms']:.1f} ms, p99.9 {told['p999_ms']:.1f} ms, most {told['max_ms']:.1f} ms, "
              f"{speed:,.0f} items/s")
        p99.append(told["p99_ms"])
        p999.append(told["p999_ms"])
    return [row("status p99 while 100,000 items drain, 236 MB come in", p99, against(10), "ms", 1.0, at_most=True),
            row("its p99.9, against 50 ms", p999, against(50), "ms", 1.0, at_most=True)]
