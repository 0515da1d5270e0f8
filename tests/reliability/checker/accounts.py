"""Accounts: none sees anything of another, nothing secret gets out, and each keeps to its limits."""
import collections

from .world import World


def nobody_sees_anothers(world: World):
    """I19: no byte of another account's, and its ids are answered like ids that never were."""
    owner = {event["canary"]: event["account"] for event in world.all("account")}
    for event in world.events:
        for canary in event.get("canaries", ()):
            if owner[canary] != event["account"]:
                yield f"{event['account']} was shown the canary of {owner[canary]} in {event['op']}"
    endpoint = {event["path"]: event["account"] for event in world.all("endpoint")}
    for delivery in world.deliveries:
        for canary in owner:
            if canary in delivery["body"] and owner[canary] != endpoint[delivery["path"]]:
                yield f"{endpoint[delivery['path']]} was told the canary of {owner[canary]}"
    for event in world.all("not_yours", "ok"):
        if event["theirs"] != event["nobodys"]:
            yield f"{event['call']} tells what is another's from what does not exist: {event['theirs']}, {event['nobodys']}"
    makers = collections.defaultdict(set)
    for event in world.all("create", "ok"):
        makers[world.id_of(event["batch"])].add(event.get("account"))
    for id, accounts in makers.items():
        if len(accounts) > 1:
            yield f"{id} was given to {sorted(accounts)}"
    for event in world.all("list", "ok") + world.all("paged", "ok"):
        shown = event["ids"] if event["op"] == "paged" else [batch["id"] for batch in event["page"]["batches"]]
        for id in map(world.id_of, shown):
            if id in makers and event.get("account") not in makers[id]:
                yield f"{event['account']} has {id} of {sorted(makers[id])} in a list"


def secrets_stay_in(world: World):
    """I25: no key, secret of a webhook or credential of a model server is in an answer, a delivery, a counter or the log."""
    for event in world.events:
        yield from (f"{secret} is in the answer to {event['op']}" for secret in event.get("secrets", ()))
    for event in world.all("secret_out"):
        yield f"{event['secret']} is in {event['where']}"


def limits_hold(world: World):
    """I20: an account never has more unfinished batches than it may, and may have some."""
    for limit in world.all("limit"):
        mine = [batch for batch in world.accepted() if batch.created.get("account") == limit["account"]
                and batch.created.get("dialect") == limit["dialect"]]
        sure = [(batch.created["t"], max(look["asked_at"] for look in batch.looks if look["shown"]["state"] != "ended"))
                for batch in mine if any(look["shown"]["state"] != "ended" for look in batch.looks)]
        refused = [event for event in world.all("create", "refused")
                   if (event.get("account"), event.get("dialect"), event["status"]) == (limit["account"], limit["dialect"], 429)]
        if refused and not mine:
            yield f"{limit['account']} was refused all of {len(refused)} batches of {limit['dialect']}, and may have {limit['most']}"
        most = max((sum(begin <= at <= end for begin, end in sure) for at, _ in sure), default=0)
        if most > limit["most"]:
            yield f"{limit['account']} had {most} unfinished batches of {limit['dialect']}, and may have {limit['most']}"
        for event in world.all("list", "ok"):
            active = [batch["id"] for batch in event["page"]["batches"]
                      if event.get("account") == limit["account"] and batch["dialect"] == limit["dialect"] and batch["state"] != "ended"]
            if len(active) > limit["most"]:
                yield f"{limit['account']} was shown {len(active)} unfinished batches of {limit['dialect']}, and may have {limit['most']}"
