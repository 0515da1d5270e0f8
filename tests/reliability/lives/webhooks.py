"""Targets that fail, redirect and answer slowly, and a server that is killed while it tells them."""
import pathlib
import time

import clips
from stage import Stage, played

MOODS = [500, 503, 410, "slow", "redirect"]
ACCOUNTS = ("anna", "bob")


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(Stage(build, folder, seed, ACCOUNTS), life)


def life(stage: Stage) -> None:
    clip = clips.make_clip(stage.folder / "clip.mp4", seconds=6, sound=False, text=False)
    for account in ACCOUNTS:
        stage.add_webhook(account, "twelvelabs", f"/{account}/twelvelabs", shown_by_twelvelabs)
        stage.add_webhook(account, "openai", f"/{account}/openai", shown_by_openai)
        for dialect in ("twelvelabs", "openai"):
            stage.sink.moods[f"/{account}/{dialect}"] = [stage.dice.choice(MOODS) for _ in range(4)]
    told: list[tuple[str, str]] = []
    for account in ACCOUNTS:
        with stage.client(account) as client:
            asset = client.upload_clip(clip)
            told += [(f"/{account}/openai", batch) for batch in make_openai(stage, client)]
            told += [(f"/{account}/twelvelabs", batch) for batch in make_twelvelabs(stage, client, asset)]
            told += make_sail(stage, client, account)
    time.sleep(stage.dice.uniform(0, 0.6))
    stage.kill_and_start()
    stage.settle_all()
    stage.wait_until_told(lambda: all(any(each["path"] == path and each["answered"] == 200 and id in each["body"]
                                          for each in stage.sink.deliveries()) for path, id in told))


def make_openai(stage: Stage, client) -> list[str]:
    """One runs to its end, one is canceled."""
    made = [client.create_openai(stage.items(3)), client.create_openai(items := stage.items(3), None, stage.faults(items, ["slow"]))]
    client.cancel(made[1])
    return made


def make_twelvelabs(stage: Stage, client, asset: str) -> list[str]:
    items = stage.items(3)
    return [client.create_twelvelabs(items, asset, None, {items[0]: "tell"}), client.create_twelvelabs(stage.items(2), asset)]


def make_sail(stage: Stage, client, account: str) -> list[tuple[str, str]]:
    """Each item names its own target; a target that fails would be told again half a minute later, so none does."""
    items = stage.items(3)
    paths = {item: f"/{account}/sail/{item}" for item in items}
    tokens = {item: f"token-{stage.dice.getrandbits(64):016x}" for item in items}
    for item, token in tokens.items():
        stage.history.secrets[f"the token of {item}"] = token
    stage.lookers |= {path: (account, shown_by_sail) for path in paths.values()}
    batch = client.create_sail(items, None, metadata={
        item: {"completion_webhook": stage.sink.url(paths[item]), "webhook_token": tokens[item]} for item in items})
    for item, path in paths.items():
        stage.sail_batches[item] = batch
        stage.history.mark("endpoint", path=path, account=account, dialect="sail", secret=tokens[item], item=item, batch=batch)
    return [(path, item) for item, path in paths.items()]


def shown_by_twelvelabs(stage: Stage, account: str, told: dict) -> str:
    kind = "tasks" if ".task." in told["type"] else "batches"
    return stage.peek(account, f"/v1.3/analyze/{kind}/{told['data']['id']}")["status"]


def shown_by_openai(stage: Stage, account: str, told: dict) -> str:
    return stage.peek(account, f"/v1/batches/{told['data']['id']}")["status"]


def shown_by_sail(stage: Stage, account: str, told: dict) -> str:
    return stage.peek(account, f"/sail/v1/batches/{stage.sail_batches[told['custom_id']]}/{told['custom_id']}")["status"]
