#!/usr/bin/env python3
"""Fails on an #include that crosses the map of ARCHITECTURE.md.

A module may include itself, `base` and what its row names. An implementation's subfolder is private to its port:
only the same port may include from it, but for the headers named in EXPORTED.
"""
import pathlib
import re
import sys

ALLOWED = {
    "base": "",
    "core": "",
    "async": "",
    "jsonl": "",
    "protocol": "core jsonl",
    "http": "async",
    "fetch": "",
    "store": "core",
    "blob": "core",
    "media": "core async blob",
    "backend": "core async http jsonl media protocol",
    "service": "core async jsonl store blob fetch media",
    "scheduler": "core async store blob backend media fetch service",
    "webhook": "core async store fetch service",
    "dialect": "core async http jsonl protocol service",
    "cli": "http jsonl async",
    "app": "core async jsonl protocol http fetch store blob media backend service scheduler dialect webhook cli",
}
PORTS = {"store", "blob", "media", "backend", "dialect", "fetch"}
# What the wiring needs of an implementation's own folder, through the port's list.
EXPORTED = {
    "dialect/anthropic/anthropic.h",
    "dialect/openai/openai.h",
    "dialect/sail/sail.h",
    "dialect/sheaf/sheaf.h",
    "dialect/twelvelabs/twelvelabs.h",
}
# `core` is values and pure functions.
CORE_FORBIDDEN = re.compile(
    r"#include <(thread|mutex|atomic|random|fstream|iostream|filesystem|sys/.*|unistd\.h|fcntl\.h|sqlite3\.h|simdjson\.h|boost/.*|spdlog/.*)>"
)
INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.MULTILINE)


def faults_of(path: pathlib.Path, root: pathlib.Path) -> list[str]:
    relative = path.relative_to(root)
    module = relative.parts[0]
    text = path.read_text()
    if module not in ALLOWED:
        return [f"{path}: the module '{module}' is not in the map of scripts/check_layers.py"]
    is_test = path.name.endswith("_test.cpp")
    may = {module, "base", *ALLOWED[module].split()}
    faults = []
    for header in INCLUDE.findall(text):
        parts = header.split("/")
        if len(parts) < 2:
            faults.append(f'{path}: include "{header}" by its path from src/')
        elif parts[0] not in may:
            # Tests may stand on the fakes of other ports.
            if not is_test:
                faults.append(f"{path}: '{module}' may not include \"{header}\"")
        elif parts[0] in PORTS and len(parts) > 2 and parts[0] != module and header not in EXPORTED:
            faults.append(f'{path}: "{header}" is private to {parts[0]}')
    if module == "core" and not is_test:
        faults += [f"{path}: core must not include <{found}>" for found in CORE_FORBIDDEN.findall(text)]
    return faults


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    sources = sorted(path for path in root.rglob("*") if path.suffix in {".h", ".cpp"})
    faults = [fault for path in sources for fault in faults_of(path, root)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
