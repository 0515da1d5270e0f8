"""`sheaf serve` and `sheaf keys`: exit codes, messages, settings."""

import json
import os
import re
import socket
import subprocess

import httpx

import api
from sheaf_server import scripted_model, toml_document


def run(binary, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60, env={**os.environ, **environment})


def test_help_and_version(binary):
    top = run(binary, "--help")
    assert top.returncode == 0 and top.stderr == ""
    for command in ("serve", "keys", "webhooks", "fsck", "backup", "submit", "watch", "results", "cancel", "delete"):
        assert re.search(rf"^\s+{command}\b", top.stdout, re.M), command
        below = run(binary, command, "--help")
        assert below.returncode == 0 and below.stdout, command
        assert "\x1b" not in below.stdout
    version = run(binary, "--version")
    assert version.returncode == 0 and re.match(r"sheaf \d+\.\d+\.\d+", version.stdout)


def test_misuse_is_exit_code_2_and_said_on_stderr(binary, tmp_path):
    cases = [[], ["frobnicate"], ["serve", "--colour"], ["keys"], ["keys", "revoke"],
             ["serve", "--config", str(tmp_path / "none.toml"), "--data", str(tmp_path / "d")],
             ["keys", "create", "--account", "no spaces", "--data", str(tmp_path / "d")]]
    for arguments in cases:
        done = run(binary, *arguments)
        assert done.returncode == 2, (arguments, done)
        assert done.stderr.strip(), arguments
        assert "Sanitizer" not in done.stderr, done.stderr


def test_wrong_settings_are_named(binary, tmp_path):
    cases = {"not TOML [": "TOML", toml_document({"colour": "red"}): "colour",
             toml_document({"limits": {"batch_items_max": 0}}): "batch_items_max",
             toml_document({"limits": {"batch_items_max": "many"}}): "batch_items_max",
             toml_document({"limits": {"batch_itmes_max": 10}}): "batch_itmes_max",
             toml_document({"listen": "somewhere"}): "somewhere",
             toml_document({"model": [{"name": "a", "backend": "magic"}]}): "magic",
             toml_document({"model": [{"name": "a", "backend": "chat", "model": "m"}]}): "url",
             toml_document({"model": [{"name": "a", "backend": "scene"}, {"name": "a", "backend": "scene"}]}): "a",
             toml_document({"model": [{"name": "a", "backend": "scripted", "fail_rate": 2}]}): "fail_rate",
             toml_document({"log_level": "loud"}): "loud"}
    for text, word in cases.items():
        config = tmp_path / "sheaf.toml"
        config.write_text(text)
        done = run(binary, "serve", "--config", str(config), "--data", str(tmp_path / "data"))
        assert done.returncode == 2 and word in done.stderr, (text, done)


def test_an_address_in_use_is_exit_code_3(binary, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(binary, "serve", "--listen", address, "--data", str(tmp_path / "data"))
    assert done.returncode == 3 and address.split(":")[1] in done.stderr, done


def test_a_data_directory_that_cannot_be_is_exit_code_3(binary, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(binary, "serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "file" / "data"))
    assert done.returncode == 3 and done.stderr.strip(), done


def test_the_first_start_makes_a_key_and_later_ones_do_not(make_server):
    server = make_server(models=[scripted_model()])
    key = api.wait_for(lambda: re.search(r"sheaf_[0-9A-Za-z]{40,}", server.log_path.read_text()), timeout_s=5,
                       what="the first key in the output")
    with server.client(key[0]) as client:
        assert client.get("/analyze/batches").status_code == 200
    server.restart()
    assert re.findall(r"sheaf_[0-9A-Za-z]{40,}", server.log_path.read_text()) == [key[0]], "it is printed once"


def test_keys_are_listed_without_their_secrets_and_revoked(make_server):
    server = make_server(models=[scripted_model()])
    key = server.create_key("team-a")
    listed = server.cli("keys", "list", "--json", "--data", str(server.data))
    assert listed.returncode == 0
    entries = [json.loads(line) for line in listed.stdout.splitlines()]
    mine, = [entry for entry in entries if entry["id"] == key.id]
    assert mine["account"] == "team-a" and not mine["revoked_at"]
    assert key.key not in listed.stdout
    table = server.cli("keys", "list", "--data", str(server.data))
    assert "team-a" in table.stdout and key.key not in table.stdout and "\x1b" not in table.stdout
    assert server.cli("keys", "revoke", "nosuchkey000", "--data", str(server.data)).returncode == 4
    assert server.cli("keys", "revoke", key.id, "--data", str(server.data)).returncode == 0
    assert server.cli("keys", "revoke", key.id, "--data", str(server.data)).returncode in (0, 4)
    plain = server.cli("keys", "create", "--account", "team-b", "--data", str(server.data))
    assert plain.returncode == 0 and re.fullmatch(r"sheaf_[0-9A-Za-z]+\n", plain.stdout), "nothing but the key"


def test_settings_from_the_environment_win_over_the_file(make_server, tmp_path):
    server = make_server(models=[scripted_model()], start=False)
    server.settings["public_url"] = "http://file.example"
    server.write_config()
    os.environ["SHEAF_PUBLIC_URL"] = "https://batch.example:8443"
    try:
        server.start()
    finally:
        del os.environ["SHEAF_PUBLIC_URL"]
    with server.client(server.create_key("a")) as client:
        session = client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                 "total_size": 10}).json()
    assert session["upload_urls"][0]["url"].startswith("https://batch.example:8443/v1.3/")


def test_private_files_are_private(make_server, account_of, media):
    server = make_server(models=[scripted_model()])
    account_of(server).asset(media.clip)
    assert server.data.stat().st_mode & 0o077 == 0 or server.data.stat().st_uid == os.geteuid()
    open_to_all = [str(path) for path in server.data.rglob("*") if path.is_file() and path.stat().st_mode & 0o007]
    assert open_to_all == [], "what clients uploaded is nobody else's"


def test_it_serves_on_defaults_alone(binary, tmp_path):
    """No configuration file at all: the embedded analysis, no other service."""
    port_file = tmp_path / "port"
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([str(binary), "serve", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0",
                                    "--port-file", str(port_file)], stdout=log, stderr=log)
    try:
        api.wait_for(lambda: port_file.exists() and port_file.read_text().strip(), what="the server being ready")
        health = httpx.get(f"http://127.0.0.1:{port_file.read_text().strip()}/healthz", trust_env=False)
        assert health.json() == {"status": "ok"}
    finally:
        process.terminate()
        assert process.wait(30) == 0
