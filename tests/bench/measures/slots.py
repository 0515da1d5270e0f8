"""How full a model server's slots are kept (PERFORMANCE P7)."""
import shutil

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import (against, chat_body, config, create, model_server, upload, wait_until_all_succeeded)

SLOTS = 256
LATENCY_MS = 200
ITEMS = 80 * SLOTS
FAULTS = ["--fault", "429:0.025", "--fault", "500:0.025", "--fault", "hang:0.01", "--retry-after-s", "0"]


def slot_use(build, folder, faults, model_settings=""):
    """Time that slots were busy, of all they had from the first request to the last answer."""
    with model_server(build, folder / "model", "--slots", SLOTS, "--latency-ms", LATENCY_MS, "--metrics", "none", *faults) as server, \
            sheaf(build, folder / "sheaf", config([server.url], SLOTS, model_settings), core=SERVER_CORE) as (_, port, key):
        batch = create(port, key, upload(port, key, folder, (chat_body(number) for number in range(ITEMS))))
        wait_until_all_succeeded(port, key, batch, every_s=0.2)
        stats = server.stats()
    shutil.rmtree(folder)
    return stats["busy_slot_us"] / (SLOTS * (stats["last_ended_us"] - stats["first_arrived_us"]))


def bench_slots(build, folder):
    """Sheaf on core 0, the model server on the last core. A hang holds its slot until Sheaf gives up on it, after 2 s."""
    calm, faulty = [], []
    for turn in range(PAIRS):
        calm.append(slot_use(build, folder / f"calm-{turn}", []))
        faulty.append(slot_use(build, folder / f"faulty-{turn}", FAULTS, "answer_time_s = 2"))
    return [row(f"{ITEMS:,} items of 200 ms on {SLOTS} slots", calm, against(1), "slot use", 0.99),
            row("the same, 5 % 429 and 500, 1 % hangs", faulty, against(1), "slot use", 0.97)]
