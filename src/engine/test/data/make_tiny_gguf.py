#!/usr/bin/env python3
"""Writes tiny.gguf: a llama of one layer with random weights that the real engine loads.

It answers nonsense, quickly; tests of the engine and the broker need no more. Format: GGUF version 3,
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Deterministic: the same file every time.

    make_tiny_gguf.py tiny.gguf
"""
import random
import struct
import sys

EMBEDDING, HEADS, FEED_FORWARD, CONTEXT, ALIGNMENT = 32, 2, 64, 512, 32
U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def array(kind, values, pack):
    return struct.pack("<IQ", kind, len(values)) + b"".join(pack(v) for v in values)


def vocabulary():
    tokens = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    tokens += [("<0x%02X>" % b, BYTE) for b in range(256)]
    tokens += [("\u2581", NORMAL)] + [(chr(c), NORMAL) for c in range(33, 127)]
    return tokens


def metadata(tokens):
    u32 = lambda v: (U32, struct.pack("<I", v))
    f32 = lambda v: (F32, struct.pack("<f", v))
    string = lambda v: (STRING, text(v))
    return {
        "general.architecture": string("llama"),
        "general.name": string("tiny random weights for tests"),
        "general.alignment": u32(ALIGNMENT),
        "llama.context_length": u32(CONTEXT),
        "llama.embedding_length": u32(EMBEDDING),
        "llama.block_count": u32(1),
        "llama.feed_forward_length": u32(FEED_FORWARD),
        "llama.attention.head_count": u32(HEADS),
        "llama.attention.head_count_kv": u32(HEADS),
        "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
        "llama.rope.dimension_count": u32(EMBEDDING // HEADS),
        "llama.vocab_size": u32(len(tokens)),
        "tokenizer.ggml.model": string("llama"),
        "tokenizer.ggml.tokens": (ARRAY, array(STRING, [t for t, _ in tokens], text)),
        "tokenizer.ggml.scores": (
            ARRAY,
            array(F32, [-float(i) for i in range(len(tokens))], lambda v: struct.pack("<f", v)),
        ),
        "tokenizer.ggml.token_type": (
            ARRAY,
            array(I32, [k for _, k in tokens], lambda v: struct.pack("<i", v)),
        ),
        "tokenizer.ggml.bos_token_id": u32(1),
        "tokenizer.ggml.eos_token_id": u32(2),
        "tokenizer.ggml.unknown_token_id": u32(0),
        "tokenizer.chat_template": string(TEMPLATE),
    }


def tensors(vocabulary_size):
    e, f = EMBEDDING, FEED_FORWARD
    return [
        ("token_embd.weight", [e, vocabulary_size]),
        ("output_norm.weight", [e]),
        ("blk.0.attn_norm.weight", [e]),
        ("blk.0.attn_q.weight", [e, e]),
        ("blk.0.attn_k.weight", [e, e]),
        ("blk.0.attn_v.weight", [e, e]),
        ("blk.0.attn_output.weight", [e, e]),
        ("blk.0.ffn_norm.weight", [e]),
        ("blk.0.ffn_gate.weight", [e, f]),
        ("blk.0.ffn_up.weight", [e, f]),
        ("blk.0.ffn_down.weight", [f, e]),
    ]


def main(path):
    dice = random.Random(20261122)
    tokens = vocabulary()
    keys = metadata(tokens)
    shapes = tensors(len(tokens))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(keys))
    for key, (kind, value) in keys.items():
        head += text(key) + struct.pack("<I", kind) + value
    data = b""
    for name, shape in shapes:
        head += text(name) + struct.pack("<I", len(shape))
        head += b"".join(struct.pack("<Q", n) for n in shape)
        head += struct.pack("<IQ", 0, len(data))  # type 0 is F32
        count = 1
        for n in shape:
            count *= n
        norm = name.endswith("norm.weight")
        values = [1.0 if norm else dice.gauss(0.0, 0.2) for _ in range(count)]
        data += struct.pack("<%df" % count, *values)
        data += b"\0" * (-len(data) % ALIGNMENT)
    head += b"\0" * (-len(head) % ALIGNMENT)
    with open(path, "wb") as out:
        out.write(head + data)


if __name__ == "__main__":
    main(sys.argv[1])
