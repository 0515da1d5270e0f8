"""The status of a batch that many clients poll."""
import json
import subprocess
import time
import urllib.request

from harness import PAIRS, call, nginx, requests_per_second, row, sheaf


def make_batch(port, key, folder):
    clip = folder / "clip.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=5", "-pix_fmt", "yuv420p", str(clip)],
                   check=True)
    boundary = "sheaf-bench-boundary"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="method"\r\n\r\ndirect\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n').encode()
    body += clip.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1.3/assets", data=body, headers={
        "x-api-key": key, "Content-Type": f"multipart/form-data; boundary={boundary}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        asset = json.loads(response.read())["_id"]
    while json.loads(call(port, key, "GET", f"/v1.3/assets/{asset}")[0])["status"] == "processing":
        time.sleep(0.05)
    created, _ = call(port, key, "POST", "/v1.3/analyze/batches", {
        "model_name": "pegasus1.5", "analysis_mode": "general", "defaults": {"prompt": {"input_text": "What happens?"}},
        "requests": [{"video": {"type": "asset_id", "asset_id": asset}} for _ in range(100)]})
    batch = json.loads(created)["batch_id"]
    while json.loads(call(port, key, "GET", f"/v1.3/analyze/batches/{batch}")[0])["status"] != "completed":
        time.sleep(0.05)
    return batch


def bench_poll(build, folder):
    """Status of a batch against nginx serving a file of the same bytes; server on core 0, load on the last core."""
    config = '[[model]]\nname = "pegasus1.5"\nbackend = "scripted"\n'
    with sheaf(build, folder / "sheaf", config, core=0) as (_, port, key):
        batch = make_batch(port, key, folder)
        path = f"/v1.3/analyze/batches/{batch}"
        body, _ = call(port, key, "GET", path)
        html = folder / "html"
        html.mkdir()
        (html / "status.json").write_bytes(body)
        with nginx(folder / "nginx", html) as nginx_port:
            ours_url, nginx_url = f"http://127.0.0.1:{port}{path}", f"http://127.0.0.1:{nginx_port}/status.json"
            requests_per_second(ours_url, key, 1), requests_per_second(nginx_url, key, 1)
            ours, theirs = [], []
            for _ in range(PAIRS):
                ours.append(requests_per_second(ours_url, key, 3))
                theirs.append(requests_per_second(nginx_url, key, 3))
    return [row("status poll of a batch against nginx, static file", ours, theirs, "requests/s", 0.5)]
