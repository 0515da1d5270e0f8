#!/usr/bin/env python3
"""Writes the tables of docs/performance.md from what bench.py left in build/bench: report.py [--results DIR].

What stands between the markers is replaced: a section for each measurement that has results, losing rows included.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- tables: ./dev bench report -->\n", "<!-- end of tables -->"
# In the order of the page; what has no results is left out.
NAMES = ("drain", "slots", "first", "status", "million", "queue", "nodes", "adaptive", "prefix", "tail", "plan", "fairness", "ingest", "read", "poll", "memory",
         "store", "frames")


def machine():
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    kilobytes = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    disk = subprocess.run(["stat", "-f", "-c", "%T", "/tmp"], capture_output=True, text=True).stdout.strip()
    return (f"{os.cpu_count()} cores ({processor.group(1) if processor else platform.machine()}), {kilobytes / 2**20:.0f} GiB, "
            f"Linux {platform.release()}, {disk}")


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:.3g}"


def line(r):
    at_most = r.get("at_most", False)
    met = r["ratio"] <= r["target"] if at_most else r["ratio"] >= r["target"]
    return (f"| {r['row']} | {figure(r['ours'])} | {figure(r['yardstick'])} | {r['unit']} | {r['ratio']:.2f} | "
            f"{r['ratio_min']:.2f}–{r['ratio_max']:.2f} | {'≤' if at_most else '≥'} {r['target']} | {'met' if met else '**missed**'} |")


def section(name, path):
    taken = time.strftime("%Y-%m-%d %H:%M", time.gmtime(path.stat().st_mtime))
    rows = "\n".join(line(r) for r in json.loads(path.read_text()))
    return (f"### {name}\n\n`./dev bench {name}`, {taken} UTC\n\n"
            f"| what | ours | yardstick | unit | ratio | min–max | target | |\n|---|--:|--:|---|--:|---|---|---|\n{rows}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build" / "bench")
    results = parser.parse_args().results
    sections = [section(name, results / f"{name}.json") for name in NAMES if (results / f"{name}.json").exists()]
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    tables = f"\nThe machine: {machine()}.\n\n" + "\n".join(sections) + "\n"
    PAGE.write_text(head + BEGIN + tables + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
