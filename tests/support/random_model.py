"""A tiny language model with random weights, as a GGUF file that llama.cpp serves.

It knows a list of words and says them in an order that depends on all of the prompt. The same seed makes the same
file, and greedy sampling the same answer. Needs the packages of tests/real_model/requirements.txt.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy

CONTEXT_TOKENS = 4096
LAYERS = 2
WIDTH = 64
HEADS = 4
FEED_FORWARD = 128

WORDS = """barley binds bundle corn cut dawn dry ear earth field gather gold grain harvest hay heap late light load long
meadow mill oats old rain ripe row rye scythe seed sheaf sickle soil sow stack stalk straw sun tall thresh till tie
warm wheat wind yield""".split()

UNKNOWN, BEGIN, TURN_BEGIN, TURN_END, TOOL_CALL = range(5)
SPECIAL = ["<unk>", "<s>", "<|im_start|>", "<|im_end|>", "<tool_call>"]
SPACE = "\u2581"  # how this kind of vocabulary writes a blank

# In the manner of ChatML and Hermes: llama.cpp reads from it how tool calls are written, and holds the model to that.
CHAT_TEMPLATE = r"""
{%- if tools %}{{ "<|im_start|>system\nTools:\n" }}
{%- for tool in tools %}{{ tool | tojson }}{{ "\n" }}{% endfor %}{{ "<|im_end|>\n" }}
{%- endif %}
{%- for message in messages %}{{ "<|im_start|>" + message.role + "\n" }}
{%- if message.content %}{{ message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}
{{- "<tool_call>" }}{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}
{{- "</tool_call>" }}
{%- endfor %}{{ "<|im_end|>\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif %}"""

# The logits that a token kind starts from. Bytes make texts of every language readable as prompts; an answer of random
# bytes would not be text.
NEVER, RARELY, OFTEN = -400.0, -11.0, 0.0

# A model that, made to call a tool, comes to it within a few hundred tokens; not every seed's does.
SEED = 2


def vocabulary() -> tuple[list[str], list[gguf.TokenType], list[float]]:
    """The tokens, their types, and the logits that they start from."""
    byte_tokens = [f"<0x{value:02X}>" for value in range(256)]
    characters = [SPACE, *(chr(code) for code in range(0x21, 0x7F))]
    words = [SPACE + word for word in WORDS]
    tokens = SPECIAL + byte_tokens + characters + words
    kind = gguf.TokenType
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL, kind.CONTROL, kind.USER_DEFINED,
             *[kind.BYTE] * len(byte_tokens), *[kind.NORMAL] * (len(characters) + len(words))]
    logits = [NEVER] * (len(SPECIAL) + len(byte_tokens) + len(characters)) + [OFTEN] * len(words)
    logits[TURN_END] = logits[TOOL_CALL] = RARELY
    return tokens, types, logits


def write_random_model(path: Path, *, seed: int = SEED, name: str = "tiny") -> None:
    tokens, types, logits = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)

    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(TURN_END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    for tensor, values in random_tensors(numpy.random.default_rng(seed), logits):
        writer.add_tensor(tensor, values.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_tensors(generator: numpy.random.Generator,
                   logits: list[float]) -> Iterator[tuple[str, numpy.ndarray]]:
    """Names and values. Dimension 0 of the residual stream is a constant, by which `logits` act as the missing bias."""
    def matrix(rows: int, columns: int, gain: float = 1.0) -> numpy.ndarray:
        return generator.standard_normal((rows, columns)) * gain / columns**0.5

    constant = 4.0
    embedding = generator.standard_normal((len(logits), WIDTH))
    embedding[:, 0] = constant
    yield "token_embd.weight", embedding
    for layer in range(LAYERS):
        at = f"blk.{layer}"
        yield f"{at}.attn_norm.weight", numpy.ones(WIDTH)
        for part in ("q", "k", "v"):
            yield f"{at}.attn_{part}.weight", matrix(WIDTH, WIDTH, 3.0)
        yield f"{at}.ffn_norm.weight", numpy.ones(WIDTH)
        for part in ("gate", "up"):
            yield f"{at}.ffn_{part}.weight", matrix(FEED_FORWARD, WIDTH)
        for part, columns in (("attn_output", WIDTH), ("ffn_down", FEED_FORWARD)):
            into_stream = matrix(WIDTH, columns, 4.0)
            into_stream[0] = 0
            yield f"{at}.{part}.weight", into_stream
    yield "output_norm.weight", numpy.ones(WIDTH)
    output = matrix(len(logits), WIDTH, 3.0)
    output[:, 0] = numpy.array(logits) / constant
    yield "output.weight", output
