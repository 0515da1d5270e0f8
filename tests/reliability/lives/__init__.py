"""Lives to be played on a real server: run(build, folder, seed) gives what the checker found."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from . import accounts, crowd, expiry, faults, nodes, webhooks  # noqa: E402

LIVES = {"accounts": accounts.run, "crowd": crowd.run, "expiry": expiry.run, "faults": faults.run, "nodes": nodes.run,
         "webhooks": webhooks.run}
