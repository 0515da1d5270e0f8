#!/usr/bin/env python3
"""Builds a server with bugs in it: BUILD/planted/sheaf, of which SHEAF_PLANTED chooses one by its number, or none.

    planted_build.py --build-dir build/release

The patches of planted/ are applied to copies of the sources they change. Only those are compiled, with the flags of the build
they are added to, which must be up to date; what no patch touches is linked from there. A patch that does not apply, or that
changes a header, is an error.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATCHES = HERE / "planted"


def patches() -> dict[int, pathlib.Path]:
    return {int(path.name[:2]): path for path in sorted(PATCHES.glob("*.patch"))}


def write_if_new(path: pathlib.Path, text: str) -> None:
    """What did not change keeps its time, and is not compiled again."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def patched_sources(folder: pathlib.Path) -> dict[pathlib.Path, str]:
    """The text of each changed source, by its path below the root."""
    names = {name for path in patches().values() for name in re.findall(r"^\+\+\+ b/(\S+)", path.read_text(), re.MULTILINE)}
    if others := sorted(name for name in names if not name.endswith(".cpp")):
        raise SystemExit(f"planted: only .cpp files may be changed, not {', '.join(others)}")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text((ROOT / name).read_text())
    for path in patches().values():
        done = subprocess.run(["patch", "-p1", "--fuzz=0", "--batch", "--no-backup-if-mismatch", "-d", folder, "-i", path], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"planted: {path.relative_to(ROOT)} does not apply any more:\n{done.stdout}{done.stderr}")
    return {pathlib.Path(name): (folder / name).read_text() for name in sorted(names)}


def compile_command(build: pathlib.Path, source: pathlib.Path) -> list[str]:
    """How the build compiles this source, without input and output."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == str(ROOT / source):
            words = shlex.split(entry["command"])
            return ["ccache", *words[:words.index("-o")]]
    raise SystemExit(f"planted: {build} does not compile {source}")


def compiler(build: pathlib.Path) -> str:
    return re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)[1]


def link_command(build: pathlib.Path) -> list[str]:
    found = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", "sheaf"], check=True, capture_output=True, text=True).stdout
    return shlex.split(found.replace(": &&", "").replace("&& :", ""))


def ninja_file(build: pathlib.Path, sources: list[pathlib.Path]) -> str:
    lines = ["rule compile", "  command = $compile -MD -MF $out.d -o $out -c $in", "  depfile = $out.d", "  deps = gcc",
             "rule link", f"  command = cd {build} && $link",
             "rule preload", f"  command = {compiler(build)} -O1 -std=c++20 -shared -fPIC -o $out $in"]
    objects = {source: str(source).replace("/", "-") + ".o" for source in sources}
    for source, made in objects.items():
        command = [*compile_command(build, source), "-include", str(PATCHES / "planted.h")]
        lines += [f"build {made}: compile tree/{source}", f"  compile = {shlex.join(command)}"]
    link = link_command(build)
    at = link.index("-o")
    # An object that is named comes before the member of an archive that defines the same.
    link[at:at + 2] = [*(f"planted/{made}" for made in objects.values()), "-o", f"planted/{link[at + 1]}"]
    archives = [f"../{word}" for word in link if word.startswith("libsheaf")]
    lines += [f"build sheaf: link {' '.join(objects.values())} | {' '.join(archives)}", f"  link = {shlex.join(link)}"]
    lines += [f"build {path.stem}.so: preload {path}" for path in sorted(PATCHES.glob("*.cpp"))]
    return "\n".join(lines) + "\n"


def build_planted(build: pathlib.Path) -> pathlib.Path:
    """The program. `build` is absolute."""
    folder = build / "planted"
    fresh = folder / "fresh"
    sources = patched_sources(fresh)
    for source, text in sources.items():
        write_if_new(folder / "tree" / source, text)
    write_if_new(folder / "build.ninja", ninja_file(build, list(sources)))
    for beside in ("model_server", "lossy_mount"):
        if not (folder / beside).is_symlink():
            (folder / beside).symlink_to(f"../{beside}")
    # As ./dev build does: else what uses a precompiled header would be compiled anew each time.
    environment = {**os.environ, "CCACHE_SLOPPINESS": "pch_defines,time_macros,include_file_mtime,include_file_ctime"}
    done = subprocess.run(["ninja", "-C", folder], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"planted: it does not build:\n{done.stdout[-4000:]}")
    return folder / "sheaf"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    print(build_planted(parser.parse_args().build_dir.resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
