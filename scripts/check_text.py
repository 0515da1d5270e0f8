#!/usr/bin/env python3
"""Small rules about text that no other check holds: each is a row of RULES, an exception is a row of EXCEPT."""
import pathlib
import re
import subprocess
import sys

RULES = [
    (r"\.(h|cpp|py|sh|cmake|md|toml|txt|js|mjs)$", re.compile(r"[ \t]+$", re.MULTILINE), "blanks at the end of a line"),
    (r"\.(h|cpp|py|js|mjs)$", re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))"), "a TODO needs an issue: TODO(#12)"),
    (r"\.(h|cpp)$", re.compile(r"^\t", re.MULTILINE), "a tab"),
    (r"\.h$", re.compile(r"\A(?!#pragma once)"), "a header begins with #pragma once"),
    (r"\.(h|cpp)$", re.compile(r"^\s*//\s*(-{4,}|={4,}|\*{4,})", re.MULTILINE), "a banner"),
]
EXCEPT = {
    "scripts/check_text.py": "it holds the rules",
}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
    faults = []
    for name in listed.splitlines():
        path = root / name
        if name in EXCEPT or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for pattern, rule, what in RULES:
            if re.search(pattern, name) and (found := rule.search(text)):
                line = text.count("\n", 0, found.start()) + 1
                faults.append(f"{name}:{line}: {what}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
