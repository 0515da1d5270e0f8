"""Batches of text requests for the measurements of the dispatcher, run on the model server of tests/support."""
import json
import os
import pathlib
import sys
import time

from harness import LOAD_CORE, PAIRS, call, curl

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

from model_server_process import ModelServer  # noqa: E402

REVIEW = "Say in one word whether this review is good or bad: it works well, and I like it."


def model_server(build, folder, *arguments):
    return ModelServer(build / "model_server", folder, *arguments, core=LOAD_CORE)


def config(urls, concurrency, model_settings="", settings=""):
    """Of a server with one model, "stand-in", that speaks Chat Completions. `concurrency` is written as it is given."""
    return (f'log_level = "error"\n{settings}\n[openai]\nbatch_lines_max = 1000000\nbatch_file_bytes_max = 268435456\n'
            f'[[model]]\nname = "stand-in"\nmodel = "stand-in"\nbackend = "chat"\nurls = {json.dumps(list(urls))}\n'
            f'concurrency = {json.dumps(concurrency)}\n{model_settings}\n')


def chat_body(number, text=REVIEW, max_tokens=16):
    """What the model server is sent for an item; its ledger calls it by its number."""
    return json.dumps({"model": "stand-in", "max_tokens": max_tokens,
                       "messages": [{"role": "user", "content": f"{text} id=item-{number:07}"}]}, separators=(",", ":"))


def upload(port, key, folder, bodies, name="items"):
    """An OpenAI batch file with one request for each body. Returns its id."""
    path = folder / f"{name}.jsonl"
    with path.open("w") as out:
        for number, body in enumerate(bodies):
            out.write(f'{{"custom_id":"item-{number:07}","method":"POST","url":"/v1/chat/completions","body":{body}}}\n')
    _, answer = curl("-F", f"file=@{path}", "-F", "purpose=batch", "-H", f"Authorization: Bearer {key}", f"http://127.0.0.1:{port}/v1/files")
    path.unlink()
    return json.loads(answer)["id"]


def create(port, key, file):
    asked = json.dumps({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"})
    _, answer = curl("--data-binary", asked, "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {key}",
                     f"http://127.0.0.1:{port}/v1/batches")
    return json.loads(answer)["id"]


def state(port, key, batch):
    return json.loads(call(port, key, "GET", f"/sheaf/v1/batches/{batch}")[0])


def wait_until_all_succeeded(port, key, batch, every_s=0.02):
    """When the batch ended, by time.monotonic(). It ends the measurement when an item failed."""
    while (now := state(port, key, batch))["state"] != "ended":
        time.sleep(every_s)
    ended = time.monotonic()
    if now["counts"]["succeeded"] != now["counts"]["total"]:
        raise SystemExit(f"bench: items of {batch} failed: {now}")
    return ended


def cpu_seconds(pid):
    """User and system time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def against(limit):
    """A yardstick that is a number and not a program."""
    return [float(limit)] * PAIRS
