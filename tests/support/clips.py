"""Small media files, made by the ffmpeg program."""

import subprocess
from pathlib import Path

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"


def ffmpeg(*arguments: str) -> None:
    done = subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stderr


def drawtext(text: str) -> str:
    font = f"fontfile={FONT}:" if Path(FONT).exists() else ""
    return f"drawtext={font}text='{text}':fontsize=64:fontcolor=black:box=1:boxcolor=white:boxborderw=12:x=40:y=140"


def make_clip(path: Path, *, seconds: float = 6, width: int = 640, height: int = 360, fps: int = 10,
              sound: bool = True, text: bool = True) -> Path:
    """Three shots of equal length, one colour each, with a word on the second and a tone in the last."""
    part = seconds / 3
    colours = ["steelblue", "white", "darkgreen"]
    arguments: list[str] = []
    for colour in colours:
        arguments += ["-f", "lavfi", "-t", f"{part}", "-i", f"color=c={colour}:s={width}x{height}:r={fps}"]
    middle = f"[1:v]{drawtext('CHAPTER TWO')}[m];" if text else "[1:v]null[m];"
    graph = f"{middle}[0:v][m][2:v]concat=n=3:v=1:a=0[v]"
    maps = ["-map", "[v]"]
    if sound:
        arguments += ["-f", "lavfi", "-t", f"{seconds}", "-i", f"sine=frequency=440:duration={part}:sample_rate=16000"]
        graph += f";[3:a]adelay={int(2 * part * 1000)}|{int(2 * part * 1000)},apad=whole_dur={seconds}[a]"
        maps += ["-map", "[a]", "-c:a", "aac", "-b:a", "32k"]
    ffmpeg(*arguments, "-filter_complex", graph, *maps, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt",
           "yuv420p", "-g", str(fps * 2), "-t", f"{seconds}", str(path))
    return path


def make_image(path: Path, colour: str = "red") -> Path:
    ffmpeg("-f", "lavfi", "-i", f"color=c={colour}:s=320x240:d=1", "-frames:v", "1", str(path))
    return path


def make_sound(path: Path, seconds: float = 5) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"sine=frequency=330:duration={seconds}", "-b:a", "64k", str(path))
    return path


def pad_mp4(source: Path, path: Path, bytes_total: int) -> Path:
    """The same film with a "free" box at the end, which players skip: a large file that is cheap to make."""
    data = source.read_bytes()
    padding = bytes_total - len(data)
    assert padding >= 8
    with open(path, "wb") as file:
        file.write(data)
        file.write(padding.to_bytes(4, "big") + b"free")
        # Not all zeros, so that a chunk put in the wrong place is noticed by its sum.
        block = bytes(range(251)) * 4096
        left = padding - 8
        while left > 0:
            file.write(block[:left])
            left -= len(block)
    return path
