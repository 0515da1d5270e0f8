"""The test runner counts what happened, and never mistakes a crash for a pass."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

import run_tests  # noqa: E402
from run_tests import Finished  # noqa: E402

REPORT = json.dumps({"tests": 4, "testsuites": [{"name": "Lease", "testsuite": [
    {"name": "IsGiven", "status": "RUN", "result": "COMPLETED"},
    {"name": "IsLost", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "lease_test.cpp:7\nnot lost"}]},
    {"name": "IsRenewed", "status": "RUN", "result": "SKIPPED"},
    {"name": "IsDisabled", "status": "NOTRUN", "result": "SUPPRESSED"}]}]})

PASSING = json.dumps({"testsuites": [{"name": "A", "testsuite": [{"name": "B", "status": "RUN",
                                                                  "result": "COMPLETED"}]}]})


def test_a_report_is_counted():
    tally = run_tests.judge_program("lease_test", Finished(1, ""), REPORT, 600)
    assert tally.summary() == "1 passed, 1 failed, 1 skipped"
    assert tally.failures[0].name == "Lease.IsLost" and "not lost" in tally.failures[0].text


def test_nothing_but_passes_has_no_word_on_skipping():
    assert run_tests.judge_program("a_test", Finished(0, ""), PASSING, 600).summary() == "1 passed, 0 failed"


def test_a_crash_without_a_report_counts_as_a_failure_of_the_running_test():
    output = "[ RUN      ] A.First\n[       OK ] A.First (0 ms)\n[ RUN      ] A.Second\nboom\n"
    tally = run_tests.judge_program("a_test", Finished(-11, output), None, 600)
    assert tally.summary() == "1 passed, 1 failed"
    assert tally.failures[0].name == "a_test: A.Second" and "SIGSEGV" in tally.failures[0].text


def test_a_truncated_report_counts_as_none():
    tally = run_tests.judge_program("a_test", Finished(1, "out of memory"), PASSING[:20], 600)
    assert tally.summary() == "0 passed, 1 failed" and "out of memory" in tally.failures[0].text


def test_a_leak_found_after_the_last_test_is_a_failure():
    tally = run_tests.judge_program("a_test", Finished(23, "LeakSanitizer: 8 bytes"), PASSING, 600)
    assert tally.summary() == "1 passed, 1 failed" and "LeakSanitizer" in tally.failures[0].text


def test_a_hang_is_a_failure_whatever_was_reported():
    tally = run_tests.judge_program("a_test", Finished(-9, "[ RUN      ] A.B\n", timed_out=True), PASSING, 5)
    assert tally.summary() == "0 passed, 1 failed" and "within 5 s" in tally.failures[0].text


def test_a_program_that_says_nothing_is_a_failure():
    assert run_tests.judge_program("a_test", Finished(0, ""), None, 600).summary() == "0 passed, 1 failed"


def test_programs_are_found_built_or_not():
    listing = json.dumps({"tests": [{"name": "core_test", "command": ["/b/core_test"]}, {"name": "http_test"}]})
    assert run_tests.parse_ctest(listing, Path("/b")) == [["/b/core_test"], ["/b/http_test"]]


def test_a_program_that_was_not_built_is_a_failure(tmp_path):
    tally = run_tests.run_program([str(tmp_path / "no_test")], tmp_path, None, 5)
    assert tally.summary() == "0 passed, 1 failed"


def test_a_real_program_is_run_bounded_and_judged(tmp_path):
    program = tmp_path / "slow_test"
    program.write_text("#!/bin/sh\necho '[ RUN      ] A.Sleeps'\nsleep 60\n")
    program.chmod(0o755)
    tally = run_tests.run_program([str(program)], tmp_path, None, 0.3)
    assert tally.summary() == "0 passed, 1 failed" and tally.failures[0].name == "slow_test: A.Sleeps"


def test_junit_reports_are_counted():
    report = """<testsuites><testsuite>
        <testcase classname="tests.e2e.test_a" name="test_one"/>
        <testcase classname="tests.e2e.test_a" name="test_two"><failure message="m">assert 1 == 2</failure></testcase>
        <testcase classname="tests.e2e.test_a" name="test_three"><error message="m">setup broke</error></testcase>
        <testcase classname="tests.e2e.test_a" name="test_four"><skipped message="needs root"/></testcase>
        </testsuite></testsuites>"""
    tally = run_tests.judge_pytest(Finished(1, ""), report, 600)
    assert tally.summary() == "1 passed, 2 failed, 1 skipped"
    assert tally.failures[0].name == "test_a::test_two"


def test_tracebacks_are_shown_without_the_insides_of_libraries():
    text = ("tests/e2e/test_a.py:7: in test_one\n    client.get()\n/x/lib/python3.11/site-packages/httpx/a.py:9: in get\n"
            "    raise mapped\nE   httpx.ConnectError: refused")
    assert run_tests.own_frames(text) == \
        "tests/e2e/test_a.py:7: in test_one\n    client.get()\nE   httpx.ConnectError: refused"


def test_pytest_that_broke_down_is_a_failure():
    assert run_tests.judge_pytest(Finished(3, "INTERNALERROR"), None, 600).summary() == "0 passed, 1 failed"
    assert run_tests.judge_pytest(Finished(2, "interrupted"), "<testsuites/>", 600).summary() == "0 passed, 1 failed"
    assert run_tests.judge_pytest(Finished(5, ""), "<testsuites/>", 600).summary() == "0 passed, 0 failed"


def test_the_environment_keeps_what_the_caller_set(monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    monkeypatch.delenv("UBSAN_OPTIONS", raising=False)
    environment = run_tests.test_environment()
    assert environment["ASAN_OPTIONS"] == "detect_leaks=0" and "halt_on_error=1" in environment["UBSAN_OPTIONS"]
