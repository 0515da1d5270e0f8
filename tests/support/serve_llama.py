"""Serves a GGUF file with the HTTP server and the handlers of llama.cpp's llama-server, out of the package xllamacpp.

    python serve_llama.py MODEL.gguf NAME PORT_FILE

Listens on a free port of 127.0.0.1, writes its number to PORT_FILE once requests are taken, and runs until killed.
"""

import signal
import sys
from pathlib import Path

import xllamacpp

SLOTS = 4  # sequences at once; more wait
SLOT_TOKENS = 4096


def main() -> None:
    model, name, port_file = sys.argv[1:]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {name}
    parameters.port = 0
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * SLOT_TOKENS
    parameters.ui = False
    # Threads of one computation wait for each other by spinning, which stalls for seconds where cores are shared.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    # What was asked before must not change an answer's last digits, nor its usage.
    parameters.cache_prompt = False
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(parameters)
    Path(port_file).write_text(f"{server.listening_address.rsplit(':', 1)[-1]}\n")
    signal.pause()


if __name__ == "__main__":
    main()
