"""Batches that have two seconds for more than that, one of them while the server is down."""
import pathlib
import time

from stage import Stage, played, wait_until

LASTS_S = 2


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(Stage(build, folder, seed, limits={"batch_time_s": LASTS_S}, model={"concurrency": 2}), life)


def life(stage: Stage) -> None:
    """What is too much for its time, what waits for a try that never comes, what is being canceled, and what ends early enough."""
    with stage.client() as client:
        early = client.create_openai(stage.items(2))
        items = stage.items(16)
        begun = [client.create_anthropic(items, {item: "slow" for item in items})]
        items = stage.items(4)
        begun.append(client.create_openai(items, None, {item: "429" for item in items}))
        items = stage.items(12)
        begun.append(client.create_openai(items, None, {item: "slow" for item in items}))
        wait_until(lambda: client.has_ended(early))
        client.cancel(begun[2])
        watch(client, begun, stage.dice.uniform(0.2, 1))
    is_down_at_the_end = stage.dice.random() < 0.5
    stage.history.mark("kill")
    stage.server.kill()
    time.sleep(LASTS_S if is_down_at_the_end else 0.1)
    stage.server.start()
    with stage.client() as client:
        begun.append(client.create_anthropic(items := stage.items(12), {item: "slow" for item in items}))
        watch(client, begun, LASTS_S + 1)
    stage.settle_all()


def watch(client, batches: list[str], for_s: float) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        for batch in batches:
            client.look(batch)
        client.results(batches[0])
        time.sleep(0.05)
