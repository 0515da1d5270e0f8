#!/usr/bin/env python3
"""Runs every test: the C++ test programs of a build, then the end-to-end tests against its server.

The suite real-model runs only when it is named: the same server in front of a real model server.

The last line is always "N passed, N failed" (and ", N skipped" where there are any). The exit code is 0 only when
nothing failed. A program that crashed, hung or left no report counts as a failed test. Needs nothing but Python 3.11.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
E2E = ROOT / "tests" / "e2e"
REAL_MODEL = ROOT / "tests" / "real_model"
TAIL_LINES = 40
TAIL_CHARACTERS = 6000

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:halt_on_error=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclass
class Failure:
    name: str
    text: str


@dataclass
class Tally:
    passed: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failures += other.failures
        self.skipped += other.skipped

    def summary(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.passed} passed, {len(self.failures)} failed{skipped}"


def tail(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])[-TAIL_CHARACTERS:]


def test_environment() -> dict[str, str]:
    """The caller's environment, with what the sanitizers need unless the caller set it."""
    environment = dict(os.environ)
    for name, value in SANITIZERS.items():
        environment.setdefault(name, value)
    return environment


@dataclass
class Finished:
    code: int
    output: str
    timed_out: bool = False


def run_bounded(command: list[str], timeout_s: float, environment: dict[str, str], log: Path) -> Finished:
    """Runs a command in a process group of its own, which does not outlive the call."""
    log.parent.mkdir(parents=True, exist_ok=True)
    timed_out = False
    with open(log, "wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=environment, cwd=ROOT, start_new_session=True)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Finished(process.returncode, log.read_text(errors="replace"), timed_out)


# The C++ programs.


def find_programs(build: Path) -> list[list[str]]:
    """The commands of the test programs that this build knows, built or not."""
    found = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, capture_output=True, text=True)
    if found.returncode != 0:
        raise SystemExit(f"ctest could not list the tests of {build}: {found.stderr.strip()}")
    return parse_ctest(found.stdout, build)


def parse_ctest(text: str, build: Path) -> list[list[str]]:
    commands = []
    for test in json.loads(text).get("tests", []):
        # ctest leaves the command out where the program was never built.
        commands.append(test.get("command") or [str(build / test["name"])])
    return commands


def parse_gtest(report: str) -> Tally:
    """What a --gtest_output=json report says."""
    tally = Tally()
    for suite in json.loads(report)["testsuites"]:
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            if test.get("failures"):
                tally.failures.append(Failure(name, tail("\n".join(f["failure"] for f in test["failures"]))))
            elif test.get("status") == "NOTRUN":
                continue
            elif test.get("result") == "SKIPPED":
                tally.skipped.append(name)
            else:
                tally.passed += 1
    return tally


def parse_gtest_output(output: str) -> tuple[Tally, str | None]:
    """What the printed lines say of a program that ended without a report, and the test it ended in."""
    tally = Tally()
    running = None
    for line in output.splitlines():
        if match := re.match(r"\[ RUN      \] (\S+)", line):
            running = match[1]
        elif match := re.match(r"\[       OK \] (\S+)", line):
            tally.passed += 1
            running = None
        elif match := re.match(r"\[  SKIPPED \] (\S+?)(?:,|$| \()", line):
            if running == match[1]:
                tally.skipped.append(match[1])
                running = None
        elif match := re.match(r"\[  FAILED  \] ([^\s,]+)", line):
            if running == match[1]:
                tally.failures.append(Failure(match[1], "failed before its program ended without a report"))
                running = None
    return tally, running


def describe_exit(finished: Finished, timeout_s: float) -> str:
    if finished.timed_out:
        return f"did not end within {timeout_s:.0f} s"
    if finished.code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-finished.code).name}"
    return f"ended with exit code {finished.code}"


def judge_program(name: str, finished: Finished, report: str | None, timeout_s: float) -> Tally:
    if report:
        try:
            tally = parse_gtest(report)
        except (ValueError, KeyError):
            tally = None
        if tally is not None and not finished.timed_out:
            if finished.code != 0 and not tally.failures:
                tally.failures.append(Failure(name, f"{describe_exit(finished, timeout_s)}, after every test passed\n"
                                                    f"{tail(finished.output)}"))
            return tally
    tally, running = parse_gtest_output(finished.output)
    where = f"{name}: {running}" if running else name
    tally.failures.append(Failure(where, f"{describe_exit(finished, timeout_s)}, without a report\n"
                                         f"{tail(finished.output)}"))
    return tally


def run_program(command: list[str], reports: Path, pattern: str | None, timeout_s: float) -> Tally:
    program = Path(command[0])
    if not program.exists():
        return Tally(failures=[Failure(program.name, "The test program was not built.")])
    report = reports / f"{program.name}.json"
    report.unlink(missing_ok=True)
    arguments = [*command, f"--gtest_output=json:{report}", "--gtest_brief=0", "--gtest_color=no"]
    if pattern:
        arguments.append(f"--gtest_filter=*{pattern}*")
    started = time.monotonic()
    finished = run_bounded(arguments, timeout_s, test_environment(), reports / f"{program.name}.log")
    text = report.read_text(errors="replace") if report.exists() else None
    tally = judge_program(program.name, finished, text, timeout_s)
    if not (pattern and tally.summary() == Tally().summary()):
        print(f"{program.name}: {tally.summary()} in {time.monotonic() - started:.1f} s", flush=True)
    return tally


def run_unit(build: Path, pattern: str | None, jobs: int, timeout_s: float) -> Tally:
    reports = build / "test-reports"
    reports.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(lambda command: run_program(command, reports, pattern, timeout_s),
                               find_programs(build)):
            tally.add(result)
    return tally


# The end-to-end tests.


def fingerprint(*files: Path, also: str = "") -> str:
    digest = hashlib.sha256(also.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def prepare_once(directory: Path, stamp: str, build) -> None:
    """Calls build() unless `directory` already carries this stamp."""
    marker = directory / "prepared"
    if marker.exists() and marker.read_text() == stamp:
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    build()
    marker.write_text(stamp)


def must_run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{tail(done.stdout)}")


def prepare_venv(venv: Path, requirements: Path) -> Path:
    """The Python interpreter of a folder with exactly these packages, made anew whenever the list changed."""
    python = venv / "bin" / "python"

    def make_venv() -> None:
        print(f"preparing the packages of {requirements.relative_to(ROOT)} ...", flush=True)
        must_run([sys.executable, "-m", "venv", "--clear", str(venv)], ROOT)
        must_run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                  "-r", str(requirements)], ROOT)

    prepare_once(venv, fingerprint(requirements, also=sys.version + str(venv)), make_venv)
    return python


def prepare_real_model(where: Path = ROOT / "build" / "real_model") -> Path:
    """The Python interpreter with the model server and what its tests import."""
    return prepare_venv(where / "venv", REAL_MODEL / "requirements.txt")


@dataclass
class ClientLibraries:
    """The official libraries that the end-to-end tests drive. Made once, and again whenever a lock file changed."""

    python: Path
    python_anthropic_0: Path  # a second folder: two versions of one package do not go into the first
    node_modules: Path

    @property
    def node(self) -> str:
        """A Node.js new enough for all of them, which a distribution's may not be."""
        brought = sorted(self.node_modules.glob("node-linux-*/bin/node"))
        return str(brought[0]) if brought else "node"


def prepare_e2e(where: Path = ROOT / "build" / "e2e") -> ClientLibraries:
    js = where / "js"

    def make_js() -> None:
        print("preparing the Node packages of the end-to-end tests ...", flush=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(E2E / "js" / name, js / name)
        must_run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], js)

    python = prepare_venv(where / "venv", E2E / "requirements.txt")
    prepare_once(js, fingerprint(E2E / "js" / "package.json", E2E / "js" / "package-lock.json"), make_js)
    return ClientLibraries(python, prepare_venv(where / "venv-anthropic-0", E2E / "requirements-anthropic-0.txt"),
                           js / "node_modules")


def own_frames(traceback: str) -> str:
    """A short traceback without what happened inside libraries."""
    kept, inside = [], False
    for line in traceback.splitlines():
        if re.match(r"\S+:\d+: in ", line):
            inside = "site-packages" in line or "/lib/python3" in line
        elif not line.startswith(" "):
            inside = False
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def parse_junit(text: str) -> Tally:
    tally = Tally()
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}".removeprefix("tests.").removeprefix("e2e.")
        broken = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if broken:
            said = "\n".join((child.text or child.get("message") or "") for child in broken)
            tally.failures.append(Failure(name, tail(own_frames(said))))
        elif skipped is not None:
            tally.skipped.append(f"{name}: {skipped.get('message', '')}")
        else:
            tally.passed += 1
    return tally


def judge_pytest(finished: Finished, report: str | None, timeout_s: float,
                 what: str = "end-to-end tests") -> Tally:
    tally = None
    if report:
        with contextlib.suppress(xml.etree.ElementTree.ParseError):
            tally = parse_junit(report)
    if tally is None or finished.timed_out:
        tally = tally or Tally()
        tally.failures.append(Failure(what, f"pytest {describe_exit(finished, timeout_s)}\n{tail(finished.output)}"))
    elif finished.code not in (0, 5) and not tally.failures:  # 5: no test was selected
        tally.failures.append(Failure(what, f"pytest {describe_exit(finished, timeout_s)}, though no test failed\n"
                                            f"{tail(finished.output)}"))
    return tally


@dataclass
class PytestRun:
    what: str  # as it is called in what is printed
    python: Path
    tests: Path
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


def run_pytest(run: PytestRun, build: Path, pattern: str | None, timeout_s: float) -> Tally:
    reports = build / "test-reports"
    reports.mkdir(parents=True, exist_ok=True)
    report, log = reports / f"{run.tests.stem}.xml", reports / f"{run.tests.stem}.log"
    report.unlink(missing_ok=True)
    command = [str(run.python), "-m", "pytest", str(run.tests), "-p", "no:cacheprovider", "-q", "--tb=short",
               f"--junit-xml={report}", "-o", "junit_family=xunit1", *run.arguments]
    if pattern:
        command += ["-k", pattern]
    environment = test_environment() | run.environment
    environment["SHEAF_BUILD_DIR"] = str(build)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    # The tests are told which server to use; nothing of the caller's is to reach a vendor.
    for name in list(environment):
        if name.startswith(("TWELVELABS_", "TWELVE_LABS_", "ANTHROPIC_", "OPENAI_")):
            del environment[name]
    started = time.monotonic()
    finished = run_bounded(command, timeout_s, environment, log)
    text = report.read_text(errors="replace") if report.exists() else None
    tally = judge_pytest(finished, text, timeout_s, run.what)
    print(f"{run.what}: {tally.summary()} in {time.monotonic() - started:.1f} s", flush=True)
    if tally.failures:
        print(f"what the servers of failed tests logged is in {log}", flush=True)
    return tally


def run_e2e(build: Path, pattern: str | None, jobs: int, timeout_s: float) -> Tally:
    libraries = prepare_e2e()
    arguments = ["-n", str(jobs), "--dist", "worksteal"] if jobs > 1 else []
    environment = {"NODE_PATH": str(libraries.node_modules), "SHEAF_TEST_NODE": libraries.node}
    tally = run_pytest(PytestRun("end-to-end tests", libraries.python, E2E, arguments, environment),
                       build, pattern, timeout_s)
    older = PytestRun("end-to-end tests with the older anthropic library", libraries.python_anthropic_0,
                      E2E / "test_sdk_anthropic.py", arguments)
    tally.add(run_pytest(older, build, pattern, timeout_s))
    return tally


def run_real_model(build: Path, pattern: str | None, timeout_s: float) -> Tally:
    return run_pytest(PytestRun("tests with a real model server", prepare_real_model(), REAL_MODEL),
                      build, pattern, timeout_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "dev")
    parser.add_argument("--filter", metavar="PATTERN", help="only tests whose name contains this")
    parser.add_argument("--suite", choices=["unit", "e2e", "all", "real-model"], default="all")
    parser.add_argument("--real-model", action="store_const", dest="suite", const="real-model",
                        help="the same as --suite real-model")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--e2e-jobs", type=int, default=3, help="more than processors: these tests wait most of their time")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="for each C++ test program")
    parser.add_argument("--e2e-timeout", type=float, default=1800, metavar="SECONDS", help="for all end-to-end tests")
    parser.add_argument("--prepare", action="store_true", help="only fetch what the end-to-end tests import")
    options = parser.parse_args()

    if options.prepare:
        prepare_e2e()
        return 0

    build = options.build_dir.resolve()
    tally = Tally()
    if options.suite in ("unit", "all"):
        tally.add(run_unit(build, options.filter, options.jobs, options.timeout))
    if options.suite in ("e2e", "all"):
        tally.add(run_e2e(build, options.filter, options.e2e_jobs, options.e2e_timeout))
    if options.suite == "real-model":
        tally.add(run_real_model(build, options.filter, options.e2e_timeout))
    if tally.passed == 0 and not tally.failures and not tally.skipped:
        tally.failures.append(Failure("selection", "No test was selected."))

    for name in tally.skipped:
        print(f"skipped: {name}")
    for failure in tally.failures:
        print(f"\nFAILED {failure.name}\n" + "\n".join(f"    {line}" for line in failure.text.splitlines()))
    print(f"\n{tally.summary()}", flush=True)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
