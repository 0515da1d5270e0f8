"""Results and status of large batches going out."""
import http.client
import json
import time

from harness import PAIRS, call, curl, nginx, requests_per_second, row, sheaf, wait_until_ended


def make_text_batch(port, key, count):
    asked = {"requests": [{"custom_id": f"item-{number:06}", "params": {"model": "practice", "max_tokens": 16, "messages": [
        {"role": "user", "content": "say it"}]}} for number in range(count)]}
    created, _ = call(port, key, "POST", "/v1/messages/batches", asked)
    batch = json.loads(created)["id"]
    wait_until_ended(port, key, batch)
    return batch, laid_out_bytes(port, key, f"/v1/messages/batches/{batch}/results")


def laid_out_bytes(port, key, path):
    """How much the results weigh, once they lie in a file of their own: from then on their length is told."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers={"x-api-key": key})
        length = connection.getresponse().getheader("Content-Length")
        connection.close()
        if length is not None:
            return int(length)
        time.sleep(0.2)


def bench_read(build, folder):
    """The results of a finished batch of 1 GB against nginx sending the same file; polls of a large batch against a small one."""
    config = f'[[model]]\nname = "practice"\nbackend = "scripted"\nanswer = "{"word " * 2000}"\nconcurrency = 256\n'
    html = folder / "html"
    html.mkdir()
    with sheaf(build, folder / "sheaf", config, core=0) as (_, port, key), nginx(folder / "nginx", html) as nginx_port:
        large, results_bytes = make_text_batch(port, key, 100_000)
        small, _ = make_text_batch(port, key, 100)
        results = f"http://127.0.0.1:{port}/v1/messages/batches/{large}/results"
        bearer = ["-H", f"Authorization: Bearer {key}"]
        curl(*bearer, "-o", html / "results.jsonl", results)
        if (html / "results.jsonl").stat().st_size != results_bytes:
            raise SystemExit("bench: the results are not whole")
        ours, theirs = [], []
        for _ in range(PAIRS):
            ours.append(results_bytes / 1e6 / curl(*bearer, "-o", "/dev/null", results)[0])
            theirs.append(results_bytes / 1e6 / curl("-o", "/dev/null", f"http://127.0.0.1:{nginx_port}/results.jsonl")[0])
        rows = [row(f"results of {results_bytes / 1e9:.2f} GB against nginx, sendfile", ours, theirs, "MB/s", 0.8)]
        polls = {batch: f"http://127.0.0.1:{port}/v1/messages/batches/{batch}" for batch in (large, small)}
        ours, theirs = [], []
        for url in polls.values():
            requests_per_second(url, key, 1)
        for _ in range(PAIRS):
            ours.append(requests_per_second(polls[large], key, 3))
            theirs.append(requests_per_second(polls[small], key, 3))
        rows.append(row("status of 100,000 items against one of 100", ours, theirs, "requests/s", 0.95))
    return rows
