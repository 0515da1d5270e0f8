"""A model server that breaks HTTP's rules: every item gets its own answer, whole, or none."""
import concurrent.futures
import contextlib
import pathlib
import time

from history import Gone
from stage import Stage, played, wait_until

PASSING = ["500*1", "cut*1", "half*2", "garbage*1", "late*1", "twice", "redirect*1", "slow", "429*1", "503*1"]
LASTING = ["cut", "half", "redirect", "garbage", "500", "tell"]


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(Stage(build, folder, seed, model={"concurrency": 6}), life)


def life(stage: Stage) -> None:
    creates = [lambda client, items, faults: client.create_anthropic(items, faults),
               lambda client, items, faults: client.create_sail(items, None, faults),
               lambda client, items, faults: client.create_openai(items, None, faults)]
    with stage.client() as client:
        made = []
        for create in creates:
            items = stage.items(30)
            faults = dict(zip(items, stage.dice.sample(LASTING, 2))) | stage.faults(items[2:], PASSING, 0.4)
            made.append(create(client, items, faults))
        with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
            followed = [pool.submit(follow, stage, batch) for batch in made]
            cancel_in_backoff(stage, client)
            time.sleep(stage.dice.uniform(0, 0.5))
            if stage.dice.random() < 0.5:
                stage.kill_and_start()
        for each in followed:
            each.result()
    stage.settle_all()


def follow(stage: Stage, batch: str) -> None:
    """To its end, or to the server's."""
    with contextlib.suppress(Gone), stage.client() as client:
        client.results(batch, follow=True)


def cancel_in_backoff(stage: Stage, client) -> None:
    """Canceled at once, what waits for its next try too: it is not asked again."""
    items = stage.items(6)
    batch = client.create_sail(items, None, {item: "429" for item in items})
    wait_until(lambda: all(stage.model.asked(item) for item in items))
    client.cancel_sail(batch)
    client.look(batch)
