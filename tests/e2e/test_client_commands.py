"""`sheaf submit`, `watch`, `results`, `cancel`, `delete` and `list`: against a real server, piped and in a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import api
from sheaf_server import scripted_model

ESCAPE = "\x1b"


@pytest.fixture
def shell(scripted):
    return Shell(scripted)


@pytest.fixture
def slow_shell(slow):
    return Shell(slow)


class Shell:
    """Runs the client commands as a user of this account would."""

    def __init__(self, account) -> None:
        self.account = account
        self.binary = str(account.server.binary)
        self.environment = {**os.environ, "SHEAF_SERVER": account.server.url, "SHEAF_API_KEY": account.key.key,
                            "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.environment.pop("NO_COLOR", None)

    def run(self, *arguments: object, timeout_s: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=timeout_s, env=self.environment | environment)
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        assert ESCAPE not in done.stdout + done.stderr, "no escape codes into a pipe"
        assert "\r" not in done.stdout + done.stderr, "no bars into a pipe"
        return done

    def start(self, *arguments: object) -> subprocess.Popen:
        return subprocess.Popen([self.binary, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, stdin=subprocess.DEVNULL, env=self.environment)

    def in_terminal(self, *arguments: object, timeout_s: float = 60, interrupt_on: str | None = None,
                    columns: int = 80) -> tuple[int, str]:
        """Exit code and everything shown on a terminal. `interrupt_on`: press Ctrl-C once this was shown."""
        pid, master = pty.fork()
        if pid == 0:
            try:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                os.execve(self.binary, [self.binary, *map(str, arguments)], self.environment)
            finally:
                os._exit(127)
        shown = b""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                if select.select([master], [], [], 0.2)[0]:
                    try:
                        data = os.read(master, 65536)
                    except OSError:
                        break
                    if not data:
                        break
                    shown += data
                    if interrupt_on is not None and re.search(interrupt_on, shown.decode(errors="replace")):
                        os.write(master, b"\x03")
                        interrupt_on = None
            else:
                os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"did not end within {timeout_s} s: {shown!r}")
        finally:
            os.close(master)
            _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


def created_batch(shell: Shell, media, items: int = 2) -> str:
    account = shell.account
    return api.create_batch(account.client, api.general_batch(items, account.asset(media.clip)))["batch_id"]


def test_submit_uploads_follows_and_prints(shell, media):
    done = shell.run("submit", "--prompt", "What happens?", media.clip, media.other_clip)
    assert done.returncode == 0, done
    assert done.stdout.count("What happens?") == 2 and media.clip.name in done.stdout
    listed = shell.account.client.get("/analyze/batches").json()["data"]
    assert len(listed) == 1 and listed[0]["ready_items"] == 2


def test_submit_as_json_lines_for_programs(shell, media):
    done = shell.run("submit", "--prompt", "What happens?", "--json", media.clip, media.other_clip)
    assert done.returncode == 0, done
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 and {line["status"] for line in lines} == {"ready"}
    assert all(line["data"]["data"] for line in lines)


def test_submit_writes_a_results_file(shell, media, tmp_path):
    target = tmp_path / "results.jsonl"
    done = shell.run("submit", "--prompt", "What happens?", "--results", target, media.clip)
    assert done.returncode == 0, done
    lines = api.parse_results(target.read_bytes())
    assert [line["status"] for line in lines] == ["ready"]
    assert list(tmp_path.iterdir()) == [target], "nothing else is left"


def test_submit_a_request_file(shell, media, tmp_path):
    request = {"model_name": "pegasus1.5", "analysis_mode": "general",
               "defaults": {"prompt": {"input_text": "Default?"}},
               "requests": [{"video": {"type": "file", "path": str(media.clip)}, "custom_id": "by-file"},
                            {"video": api.video(shell.account.asset(media.clip)), "custom_id": "by-id"}]}
    path = tmp_path / "batch.json"
    path.write_text(json.dumps(request))
    done = shell.run("submit", "--requests", path, "--json")
    assert done.returncode == 0, done
    assert [json.loads(line)["custom_id"] for line in done.stdout.splitlines()] == ["by-file", "by-id"]


def test_submit_segments(scene, media, tmp_path):
    path = tmp_path / "scenes.json"
    path.write_text(json.dumps([{"id": "shot", "description": "Every shot"}]))
    done = Shell(scene).run("submit", "--segments", path, "--json", media.clip)
    assert done.returncode == 0, done
    line, = [json.loads(line) for line in done.stdout.splitlines()]
    assert json.loads(line["data"]["data"])["shot"]


def test_no_wait_prints_the_id_and_watch_comes_back_to_it(slow_shell, media):
    done = slow_shell.run("submit", "--prompt", "x", "--no-wait", media.clip, media.other_clip)
    assert done.returncode == 0, done
    batch_id = done.stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{24}", batch_id), "nothing but the id on stdout"
    watched = slow_shell.run("watch", batch_id)
    assert watched.returncode == 0, watched
    results = slow_shell.run("results", batch_id, "--json")
    assert results.returncode == 0 and len(results.stdout.splitlines()) == 2
    listed = slow_shell.run("list", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [batch_id]


def test_results_while_it_runs_and_into_a_file(slow_shell, media, tmp_path):
    batch_id = created_batch(slow_shell, media, 6)
    early = slow_shell.run("results", batch_id, "--json")
    assert early.returncode in (0, 1) and len(early.stdout.splitlines()) < 6, "those that are over"
    assert slow_shell.run("cancel", batch_id).returncode == 0
    assert slow_shell.run("watch", batch_id).returncode == 1, "some items were canceled"
    target = tmp_path / "out.jsonl"
    assert slow_shell.run("results", batch_id, "-o", target).returncode == 1
    assert target.read_bytes() == api.raw_results(slow_shell.account.client, batch_id)
    assert slow_shell.run("cancel", batch_id).returncode == 5, "it has ended"


def test_cancel_and_delete_tell_their_outcome(shell, slow_shell, media):
    batch_id = created_batch(slow_shell, media, 4)
    refused = slow_shell.run("delete", batch_id)
    assert refused.returncode == 5 and refused.stderr.strip()
    as_json = slow_shell.run("cancel", batch_id, "--json")
    assert as_json.returncode == 0 and json.loads(as_json.stdout)["state"] in ("canceling", "ended")
    api.wait_for_batch(slow_shell.account.client, batch_id)
    assert slow_shell.run("delete", batch_id).returncode == 0
    for command in ("delete", "cancel", "watch", "results"):
        missing = slow_shell.run(command, batch_id)
        assert missing.returncode == 4 and missing.stderr.strip(), command


def test_failed_items_are_exit_code_1(make_server, account_of, media):
    shell = Shell(account_of(make_server(models=[scripted_model(fail_rate=1)])))
    done = shell.run("submit", "--prompt", "x", media.clip)
    assert done.returncode == 1, done
    assert "failed" in done.stdout + done.stderr


def test_what_cannot_be_reached_or_used(shell, media, tmp_path):
    away = shell.run("list", SHEAF_SERVER="http://127.0.0.1:9", timeout_s=120)
    assert away.returncode == 3 and "127.0.0.1:9" in away.stderr
    denied = shell.run("list", SHEAF_API_KEY="sheaf_wrong")
    assert denied.returncode == 3 and denied.stderr.strip()
    none = shell.run("list", SHEAF_API_KEY="")
    assert none.returncode in (2, 3) and "key" in none.stderr.lower()
    assert shell.run("submit", "--prompt", "x", tmp_path / "none.mp4").returncode == 2
    assert shell.run("submit").returncode == 2
    assert shell.run("watch", "nonsense").returncode in (2, 4)
    (tmp_path / "bad.json").write_text("{")
    assert shell.run("submit", "--requests", tmp_path / "bad.json").returncode == 2
    broken = shell.run("submit", "--prompt", "x", media.broken)
    assert broken.returncode in (1, 2, 3) and media.broken.name in broken.stderr
    assert api.count_batches(shell.account.client) == 0


def test_a_key_from_a_file_and_on_the_command_line(shell, tmp_path):
    (tmp_path / "key").write_text(shell.account.key.key + "\n")
    assert shell.run("list", "--key-file", tmp_path / "key", SHEAF_API_KEY="").returncode == 0
    assert shell.run("list", SHEAF_KEY_FILE=str(tmp_path / "key"), SHEAF_API_KEY="").returncode == 0
    assert shell.run("list", "--key", shell.account.key.key, "--server", shell.account.server.url, SHEAF_API_KEY="",
                     SHEAF_SERVER="http://127.0.0.1:9").returncode == 0


def test_what_a_model_says_cannot_command_the_terminal(make_server, account_of, media):
    nasty = "before \x1b[31mred\x1b]0;title\x07 \x9b2J after"
    shell = Shell(account_of(make_server(models=[scripted_model(answer=nasty)])))
    done = shell.run("submit", "--prompt", "x", media.clip)  # run() looks for escapes
    assert done.returncode == 0 and "before" in done.stdout and "after" in done.stdout and "\x07" not in done.stdout
    batch_id = created_batch(shell, media, 1)
    api.wait_for_batch(shell.account.client, batch_id)
    code, shown = shell.in_terminal("results", batch_id)
    assert code == 0 and "before" in shown
    assert "\x1b[31m" not in shown and "\x1b]0" not in shown and "\x07" not in shown


def test_a_bar_is_drawn_in_a_terminal_and_taken_away(slow_shell, media):
    batch_id = created_batch(slow_shell, media, 4)
    code, shown = slow_shell.in_terminal("watch", batch_id)
    assert code == 0, shown
    assert re.search(r"\d+ ?%", shown) and ("\r" in shown or ESCAPE in shown), shown
    narrow_id = created_batch(slow_shell, media, 2)
    code, shown = slow_shell.in_terminal("watch", narrow_id, columns=30)
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert all(len(part) <= 30 for line in plain.split("\n") for part in line.split("\r") if "%" in part), plain


def test_ctrl_c_stops_watching_and_not_the_batch(slow_shell, media):
    batch_id = created_batch(slow_shell, media, 6)
    started = time.monotonic()
    code, shown = slow_shell.in_terminal("watch", batch_id, interrupt_on=r"%")
    assert code == 130 and time.monotonic() - started < 10, shown
    assert batch_id in shown, "it says how to come back"
    assert api.batch_of(slow_shell.account.client, batch_id)["status"] == "processing", "the batch goes on"


def test_a_signal_stops_a_piped_command_too(slow_shell, media):
    batch_id = created_batch(slow_shell, media, 6)
    process = slow_shell.start("watch", batch_id)
    assert "of 6 done" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130 and ESCAPE not in out + err


def test_a_reader_that_leaves_early_is_no_crash(shell, media):
    batch_id = created_batch(shell, media, 200)
    api.wait_for_batch(shell.account.client, batch_id)
    process = shell.start("results", batch_id, "--json")
    process.stdout.readline()
    process.stdout.close()
    process.wait(15)
    assert "Sanitizer" not in process.stderr.read()


def test_watching_goes_on_over_a_restart_of_the_server(make_server, account_of, media):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server(models=[scripted_model(delay_ms=700, concurrency=1, attempts_max=20)], port_wanted=port)
    shell = Shell(account_of(server))
    batch_id = created_batch(shell, media, 6)
    process = shell.start("watch", batch_id)
    assert "of 6 done" in process.stderr.readline()
    server.kill()
    time.sleep(0.5)
    server.start()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
