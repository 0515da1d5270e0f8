"""Three accounts on one server, each with its canary in all it hands over: none sees, moves or crowds out another's."""
import concurrent.futures
import pathlib
import re

import clips
from stage import Stage, played, wait_until

ACCOUNTS = ("anna", "bob", "cleo")
ACTIVE_MAX = 3
AT_ONCE = 12
# What bob asks for with an id of anna's, by what the id is of.
CALLS = {
    "sheaf": [("GET", "/sheaf/v1/batches/ID"), ("GET", "/sheaf/v1/batches/ID/results"), ("GET", "/sheaf/v1/batches/ID/receipt"),
              ("GET", "/sheaf/v1/batches/ID/results?follow=true"), ("POST", "/sheaf/v1/batches/ID/cancel"),
              ("DELETE", "/sheaf/v1/batches/ID"), ("GET", "/sheaf/v1/batches?after=ID")],
    "anthropic": [("GET", "/v1/messages/batches/ID"), ("GET", "/v1/messages/batches/ID/results"),
                  ("POST", "/v1/messages/batches/ID/cancel"), ("DELETE", "/v1/messages/batches/ID"),
                  ("GET", "/v1/messages/batches?after_id=ID"), ("GET", "/v1/messages/batches?before_id=ID")],
    "openai": [("GET", "/v1/batches/ID"), ("POST", "/v1/batches/ID/cancel"), ("GET", "/v1/batches?after=ID")],
    "file": [("GET", "/v1/files/ID"), ("GET", "/v1/files/ID/content"), ("DELETE", "/v1/files/ID"), ("GET", "/v1/files?after=ID")],
    "sail": [("GET", "/sail/v1/batches/ID"), ("GET", "/sail/v1/batches/ID/ITEM"), ("POST", "/sail/v1/batches/ID/cancel"),
             ("GET", "/sail/v1/batches?before_id=ID"), ("GET", "/sail/v1/batches?after_id=ID")],
    "response": [("GET", "/sail/v1/responses/ID")],
    "twelvelabs": [("GET", "/v1.3/analyze/batches/ID"), ("GET", "/v1.3/analyze/batches/ID/results"),
                   ("POST", "/v1.3/analyze/batches/ID/cancel"), ("DELETE", "/v1.3/analyze/batches/ID")],
    "task": [("GET", "/v1.3/analyze/tasks/ID"), ("DELETE", "/v1.3/analyze/tasks/ID")],
    "asset": [("GET", "/v1.3/assets/ID"), ("DELETE", "/v1.3/assets/ID?force=true")],
}


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(Stage(build, folder, seed, ACCOUNTS, limits={"active_batches_max": ACTIVE_MAX}), life)


def life(stage: Stage) -> None:
    clip = clips.make_clip(stage.folder / "clip.mp4", seconds=6, sound=False, text=False)
    with stage.client("anna") as anna, stage.client("bob") as bob, stage.client("cleo") as cleo:
        annas = make_one_of_each(stage, anna, clip)
        make_one_of_each(stage, bob, clip)
        ask_for_annas(bob, annas, "while it runs")
        stage.settle("anna")
        ask_for_annas(bob, annas | what_came_of(anna, annas), "when it has ended")
        page_while_others_come_and_go(stage, cleo)
        create_at_once(stage, cleo, cleo.upload_clip(clip))
        create_under_one_key_at_once(stage)
        look_at_counters(stage, bob)
    stage.kill_and_start()
    stage.settle_all()


def make_one_of_each(stage: Stage, client, clip: pathlib.Path) -> dict[str, str]:
    """Under keys that are the same for all accounts. The ids, by what they are of."""
    made = {"asset": client.upload_clip(clip)}
    items = stage.items(4)
    made["sheaf"] = made["anthropic"] = client.create_anthropic(items, stage.faults(items, ["slow"]))
    made["openai"] = client.create_openai(stage.items(4), "the-same-key")
    items = stage.items(4)
    made |= {"sail": client.create_sail(items, "the-same-key", stage.faults(items, ["slow"])), "item": items[0]}
    made["twelvelabs"] = client.create_twelvelabs(stage.items(2), made["asset"], "the-same-key")
    return {what: id for what, id in made.items() if id is not None}


def what_came_of(client, made: dict[str, str]) -> dict[str, str]:
    """Files, responses and tasks, of what could be made."""
    if not {"openai", "sail", "twelvelabs"} <= made.keys():
        return {}
    wait_until(lambda: client.http.get(f"/v1/batches/{made['openai']}").json()["output_file_id"], 5)
    return {"file": client.http.get(f"/v1/batches/{made['openai']}").json()["output_file_id"],
            "response": client.http.get(f"/sail/v1/batches/{made['sail']}/{made['item']}").json()["id"],
            "task": client.http.get(f"/v1.3/analyze/batches/{made['twelvelabs']}/results").text.split('"task_id":"')[1].split('"')[0]}


def ask_for_annas(client, made: dict[str, str], when: str) -> None:
    for what, calls in CALLS.items():
        for method, path in calls if what in made else []:
            client.ask_for_anothers(method, path.replace("ITEM", made["item"]), made[what], nobodys(made[what]), when)


def nobodys(id: str) -> str:
    """One of the same form that never was."""
    kind, digits = re.fullmatch(r"(.*[^0-9A-Za-z])?([0-9A-Za-z]+)", id).groups(default="")
    return kind + digits[:8] + digits[8:19][::-1] + digits[19:]


def page_while_others_come_and_go(stage: Stage, client) -> None:
    """Between two pages one is made, and once one that was shown is deleted, though never the one that the cursor names."""
    creates = {"anthropic": lambda: client.create_anthropic(stage.items(1)), "sail": lambda: client.create_sail(stage.items(1), None),
               "openai": lambda: client.create_openai(stage.items(1))}
    made = {dialect: [create() for _ in range(5)] for dialect, create in creates.items()}
    wait_until(lambda: all(client.has_ended(batch) for batches in made.values() for batch in batches))
    for dialect, create in creates.items():
        pages = iter(range(100))

        def between(create=create, dialect=dialect) -> None:
            page = next(pages)
            if page < 3:
                create()
            if page == 1:
                client.delete(made[dialect][-1])

        client.page_through(dialect, 2, between)
    pages = iter(range(100))
    client.page_through("sheaf", 4, lambda: creates["sail"]() if next(pages) < 3 else None)


def create_at_once(stage: Stage, client, asset: str) -> None:
    """More batches than may be unfinished, all at one moment."""
    stage.history.mark("limit", account="cleo", dialect="twelvelabs", most=ACTIVE_MAX)
    asked = [stage.items(1) for _ in range(AT_ONCE)]

    def create(items: list[str]) -> str | None:
        with stage.client("cleo") as own:
            return own.create_twelvelabs(items, asset, faults={items[0]: "slow"})

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        made = [batch for batch in pool.map(create, asked) if batch is not None]
    client.list()
    for batch in made:
        client.look(batch)
    wait_until(lambda: all(client.has_ended(batch) for batch in made))


def create_under_one_key_at_once(stage: Stage) -> None:
    items = stage.items(2)

    def create(_: int) -> None:
        with stage.client("cleo") as own:
            own.create_sail(items, "a-key-in-a-rush")

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create, range(AT_ONCE)))


def look_at_counters(stage: Stage, client) -> None:
    client.call("counters", "GET", "/stats", {})
    client.call("page", "GET", "/v1.3/analyze/batches", {})
    client.call("page", "GET", "/v1/files", {})
