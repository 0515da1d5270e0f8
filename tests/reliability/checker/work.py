"""What the model server was asked for, and what became of its answers."""
from .world import World

EXTRA_RUNS_MAX = 2
# Documented in docs/operations.md: what a model server says and Sheaf makes of it.
OVERLOADED = (429, 503, 529)
BROKEN = (500, 502, 504, 307)
OUT_AFTER, OUTAGES_MAX = 3, 16
CLOCK_STEP_S = 0.05
WRITTEN_WITHIN_S = WAKES_WITHIN_S = 3
CALLED_OFF_WITHIN_S = 1
NODES_LISTEN_WITHIN_S = 10  # to each other, after a fault
SLACK_S = 0.5  # for a call that was on its way when the end became known


def answers_have_a_source(world: World):
    """I9: a good line says what the model server answered to that very item."""
    for batch in world.batches.values():
        for line in batch.readings[-1]["lines"] if batch.readings else []:
            if not line["is_good"]:
                continue
            if line["says"] != line["item"]:
                yield f"{batch.id}: {line['item']} has the answer to {line['says']}"
            if not any(attempt["status"] == 200 and attempt.get("nonce") == line.get("nonce") for attempt in world.attempts[line["item"]]):
                yield f"{batch.id}: {line['item']} has an answer that no model server gave"


def failures_have_a_reason(world: World):
    """I9: what failed was asked, and no answer to it was good."""
    for batch in world.accepted():
        for line in batch.readings[-1]["lines"] if batch.readings else []:
            attempts = world.attempts[line["item"]]
            if line.get("is_failed") and (not attempts or any(attempt["status"] == 200 for attempt in attempts)):
                yield f"{batch.id}: {line['item']} failed, and was answered {[attempt['status'] for attempt in attempts]}"


def retries_are_bounded(world: World):
    """I10, I26: an item is asked as often as it may be, and once more for each fault that met it and each extra run."""
    excused = tries_that_do_not_count(world)
    for item, attempts in world.attempts.items():
        arrivals = [attempt["arrived_us"] / 1e6 for attempt in attempts]
        more = len(world.faults_between(min(arrivals, default=0), max(arrivals, default=0))) + EXTRA_RUNS_MAX
        counted = [attempt for attempt in attempts if attempt["status"] not in OVERLOADED]
        count = len(counted) - min(OUTAGES_MAX, sum(id(attempt) in excused for attempt in counted))
        if count > world.attempts_max + more:
            yield f"{item} was asked {count} times"
        good = sum(attempt["status"] == 200 for attempt in attempts)
        if good > 1 + more:
            yield f"{item} was answered well {good} times"


def tries_that_do_not_count(world: World) -> set[int]:
    """Those that broke when so many in a row had broken that the model server counts as out."""
    excused, broken_in_a_row = set(), 0
    tries = (attempt for attempts in world.attempts.values() for attempt in attempts)
    for attempt in sorted(tries, key=lambda each: each.get("ended_us", each["arrived_us"])):
        broken_in_a_row = broken_in_a_row + 1 if attempt["status"] < 0 or attempt["status"] in BROKEN else 0
        if broken_in_a_row >= OUT_AFTER:
            excused.add(id(attempt))
    return excused


def waits_are_kept(world: World):
    """I10: what is told to come again later does."""
    for item, attempts in world.attempts.items():
        for before, after in zip(attempts, attempts[1:]):
            early = before["ended_us"] / 1e6 + before["retry_after_s"] - after["arrived_us"] / 1e6 if "retry_after_s" in before else 0
            if early > CLOCK_STEP_S and not world.faults_between(before["arrived_us"] / 1e6, after["arrived_us"] / 1e6):
                yield f"{item} was asked {early:.3f} s before it was to come again"


def what_was_written_is_not_asked_again(world: World):
    """I11, I26: an answer is asked for again only when a fault came before it could be written, or while the first is on its way."""
    for item, attempts in world.attempts.items():
        good = [attempt for attempt in attempts if attempt["status"] == 200]
        for before, after in zip(good, good[1:]):
            began, ended, again = before["arrived_us"] / 1e6, before.get("ended_us", before["arrived_us"]) / 1e6, after["arrived_us"] / 1e6
            is_met = world.faults_between(began - CLOCK_STEP_S, ended + WRITTEN_WITHIN_S)
            if again > ended + SLACK_S and not is_met and not is_of_one_who_wakes(world, again):
                yield f"{item} was asked {again - ended:.3f} s after it was answered well"
    for batch in world.accepted():
        read_at: dict[str, float] = {}
        for reading in batch.readings:
            for line in reading["lines"]:
                read_at.setdefault(line["item"], reading["t"])
        for item, t in read_at.items():
            if late := attempts_after(world, item, t):
                yield f"{item} was asked {late[0]['arrived_us'] / 1e6 - t:.3f} s after its line was read"


def attempts_after(world: World, item: str, t: float) -> list[dict]:
    return [attempt for attempt in world.attempts[item]
            if attempt["arrived_us"] / 1e6 > t and not is_of_one_who_wakes(world, attempt["arrived_us"] / 1e6)]


def is_of_one_who_wakes(world: World, t: float) -> bool:
    """A node that was stopped does not know at once that others have taken its work; what comes of it is refused."""
    return any(wake["t"] - CLOCK_STEP_S < t < wake["t"] + WAKES_WITHIN_S for wake in world.all("wake"))


def no_work_after_the_end(world: World):
    """I11: nothing is asked for a batch that has ended or was deleted, nor, a moment later, for one whose cancel was acknowledged."""
    for batch in world.accepted():
        ends = [look["t"] for look in batch.looks if look["shown"]["state"] == "ended"]
        ends += [batch.deleted_at] if batch.deleted_at is not None else []
        cancels = [] if batch.created["dialect"] == "twelvelabs" else batch.cancels  # it finishes what is processing
        ends += [event["t"] + CALLED_OFF_WITHIN_S for event in cancels if event["phase"] == "ok"
                 and not world.faults_between(event["t"] - NODES_LISTEN_WITHIN_S, event["t"] + CALLED_OFF_WITHIN_S)]
        for item in batch.created["items"] if ends else []:
            if late := attempts_after(world, item, min(ends) + SLACK_S):
                yield f"{item} was asked {late[0]['arrived_us'] / 1e6 - min(ends):.3f} s after {batch.id} was over"


def usage_is_of_results(world: World):
    """I15: a batch's usage is that of its good lines, each once."""
    for batch in world.batches.values():
        if not batch.last or batch.last["state"] != "ended" or batch.created is None:
            continue
        ids = batch.created["items"]
        tokens = {attempt["prompt_tokens"] for item in ids for attempt in world.attempts[item] if attempt["status"] == 200}
        if len(tokens) == 1 and batch.last["usage"]["input_tokens"] != tokens.pop() * batch.last["counts"]["succeeded"]:
            yield f"{batch.id} used {batch.last['usage']['input_tokens']} tokens for {batch.last['counts']['succeeded']} results"
