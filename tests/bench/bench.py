#!/usr/bin/env python3
"""Measures Sheaf against yardsticks that run in the same minutes, and prints ratios.

    bench.py --build-dir build/release [NAME…]

Each measurement prints a table and writes build/bench/NAME.json: one row a figure, with the medians, the ratio and its
minimum and maximum over interleaved pairs. Absolute figures wander on a shared machine; the ratios are what counts.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from measures import adaptive, drain, fairness, first, ingest, memory, million, nodes, poll, prefix, queue, read, slots, status, tail


def bench_program(name):
    def run(build, folder):
        rows = folder / "rows.json"
        subprocess.run([str(build / f"{name}_bench"), "--json", str(rows)], check=True)
        return json.loads(rows.read_text())
    return run


BENCHES = {"store": bench_program("store"), "plan": bench_program("plan"), "frames": bench_program("frames"), "poll": poll.bench_poll, "memory": memory.bench_memory,
           "ingest": ingest.bench_ingest, "read": read.bench_read, "drain": drain.bench_drain, "slots": slots.bench_slots, "first": first.bench_first,
           "prefix": prefix.bench_prefix, "tail": tail.bench_tail, "fairness": fairness.bench_fairness,
           "adaptive": adaptive.bench_adaptive, "status": status.bench_status, "million": million.bench_million,
           "queue": queue.bench_queue, "nodes": nodes.bench_nodes}


def figure(value):
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def show(name, rows):
    print(f"\n{name}")
    print(f"  {'':62} {'ours':>12} {'yardstick':>12} {'unit':<11} {'ratio':>7}  {'min–max':<13} {'target':>7}")
    for r in rows:
        at_most = r.get("at_most", False)
        met = r["ratio"] <= r["target"] if at_most else r["ratio"] >= r["target"]
        print(f"  {r['row']:<62} {figure(r['ours']):>12} {figure(r['yardstick']):>12} {r['unit']:<11} {r['ratio']:>7.2f}  "
              f"{r['ratio_min']:.2f}–{r['ratio_max']:<8.2f} {'<=' if at_most else '>='} {r['target']:<5} {'met' if met else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    arguments = parser.parse_args()
    output = pathlib.Path("build/bench")
    output.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in arguments.names or BENCHES:
        with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
            rows = BENCHES[name](arguments.build_dir.resolve(), pathlib.Path(folder))
        (output / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
        show(name, rows)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
