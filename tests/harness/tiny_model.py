"""Tiny random models as a Hugging Face repository holds them, and what such a model answers, computed in plain Python from
the same safetensors: what llama-server answers from the GGUF made of them is held against that.

The formulas are those of transformers (modeling_llama.py, modeling_qwen2.py, modeling_qwen3.py): RMS norm, rotary positions
by halves of a head, grouped queries, SwiGLU."""
import json
import math
import random
import struct

HEADS, KV_HEADS, LAYERS, FEED_FORWARD, VOCABULARY = 4, 2, 2, 64, 288
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
END = 256


def letters():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte if byte in plain else next(spare)) for byte in range(256)]


def tokenizer(split=None):
    """Bytes, and "he", " the" by merges."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": split is None}
    before = level if split is None else {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}, level]}
    vocabulary = {letter: byte for byte, letter in enumerate(letters())}
    for merged in ("he", "th", "\u0120t", "\u0120the"):
        vocabulary[merged] = len(vocabulary) + 1
    return {"version": "1.0", "added_tokens": [{"id": END, "content": "<|end|>", "normalized": False, "special": True}],
            "normalizer": None if split is None else {"type": "NFC"}, "pre_tokenizer": before, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "vocab": vocabulary, "ignore_merges": False,
                      "merges": [["h", "e"], ["t", "h"], ["\u0120", "t"], ["\u0120t", "he"]]}}


def bfloat(value):
    """The nearest number that bfloat16 has, well enough."""
    return struct.unpack("<f", struct.pack("<I", (struct.unpack("<I", struct.pack("<f", value))[0] + 0x8000) & 0xFFFF0000))[0]


class Tiny:
    """hidden_size 32; `head_dim` may be other than 8."""

    def __init__(self, architecture, tied, head_dim=8, dtype="F32", seed=1):
        self.architecture, self.tied, self.head_dim, self.dtype = architecture, tied, head_dim, dtype
        self.hidden = 32
        self.theta, self.epsilon = 10000.0, 1e-5
        dice = random.Random(seed)

        def matrix(rows, columns, scale):
            return [[self.round(dice.gauss(0, scale)) for _ in range(columns)] for _ in range(rows)]

        def vector(size, middle, scale):
            return [self.round(dice.gauss(middle, scale)) for _ in range(size)]
        queries, keys = HEADS * head_dim, KV_HEADS * head_dim
        self.tensors = {"model.embed_tokens.weight": matrix(VOCABULARY, self.hidden, 0.5), "model.norm.weight": vector(self.hidden, 1, 0.2)}
        if not tied:
            self.tensors["lm_head.weight"] = matrix(VOCABULARY, self.hidden, 0.4)
        for layer in range(LAYERS):
            def add(name, value, layer=layer):
                self.tensors[f"model.layers.{layer}.{name}"] = value
            for name in ("input_layernorm", "post_attention_layernorm"):
                add(name + ".weight", vector(self.hidden, 1, 0.2))
            for name, rows in (("q", queries), ("k", keys), ("v", keys)):
                add(f"self_attn.{name}_proj.weight", matrix(rows, self.hidden, 0.3))
                if architecture == "Qwen2ForCausalLM":
                    add(f"self_attn.{name}_proj.bias", vector(rows, 0, 0.5))
            if architecture == "Qwen3ForCausalLM":
                add("self_attn.q_norm.weight", vector(head_dim, 1, 0.3))
                add("self_attn.k_norm.weight", vector(head_dim, 1, 0.3))
            add("self_attn.o_proj.weight", matrix(self.hidden, queries, 0.3))
            add("mlp.gate_proj.weight", matrix(FEED_FORWARD, self.hidden, 0.3))
            add("mlp.up_proj.weight", matrix(FEED_FORWARD, self.hidden, 0.3))
            add("mlp.down_proj.weight", matrix(self.hidden, FEED_FORWARD, 0.3))

    def round(self, value):
        return bfloat(value) if self.dtype == "BF16" else struct.unpack("<f", struct.pack("<f", value))[0]

    def config(self):
        config = {"architectures": [self.architecture], "vocab_size": VOCABULARY, "hidden_size": self.hidden,
                  "intermediate_size": FEED_FORWARD, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
                  "num_key_value_heads": KV_HEADS, "rms_norm_eps": self.epsilon, "rope_theta": self.theta,
                  "max_position_embeddings": 128, "hidden_act": "silu", "tie_word_embeddings": self.tied, "eos_token_id": END}
        return config if self.head_dim == 8 else {**config, "head_dim": self.head_dim}

    def safetensors(self, names=None):
        header, data = {}, b""
        for name in sorted(names or self.tensors):
            value = self.tensors[name]
            shape = [len(value), len(value[0])] if isinstance(value[0], list) else [len(value)]
            numbers = [n for row in value for n in row] if len(shape) == 2 else value
            packed = struct.pack(f"<{len(numbers)}f", *numbers)
            if self.dtype == "BF16":
                packed = b"".join(packed[i + 2:i + 4] for i in range(0, len(packed), 4))
            header[name] = {"dtype": self.dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
            data += packed
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def write(self, folder, shards=1):
        folder.mkdir(parents=True, exist_ok=True)
        qwen = self.architecture.startswith("Qwen")
        (folder / "config.json").write_text(json.dumps(self.config()))
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer(QWEN2 if qwen else None)))
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "add_bos_token": False}))
        (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.5, "top_k": 20}))
        if shards == 1:
            (folder / "model.safetensors").write_bytes(self.safetensors())
            return
        places = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(sorted(self.tensors))}
        for shard in set(places.values()):
            (folder / shard).write_bytes(self.safetensors([name for name, place in places.items() if place == shard]))
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))

    # -- what it answers --

    def norm(self, vector, weight):
        scale = 1 / math.sqrt(sum(n * n for n in vector) / len(vector) + self.epsilon)
        return [n * scale * w for n, w in zip(vector, weight)]

    def project(self, name, vector):
        bias = self.tensors.get(name + ".bias", [0] * len(self.tensors[name + ".weight"]))
        return [sum(w * n for w, n in zip(row, vector)) + b for row, b in zip(self.tensors[name + ".weight"], bias)]

    def rotate(self, head, position):
        half = len(head) // 2
        out = list(head)
        for i in range(half):
            angle = position / self.theta ** (2 * i / len(head))
            out[i] = head[i] * math.cos(angle) - head[i + half] * math.sin(angle)
            out[i + half] = head[i + half] * math.cos(angle) + head[i] * math.sin(angle)
        return out

    def heads(self, stem, name, vector, position, rotated=True):
        flat = self.project(stem + f"self_attn.{name}_proj", vector)
        heads = [flat[at:at + self.head_dim] for at in range(0, len(flat), self.head_dim)]
        weight = self.tensors.get(stem + f"self_attn.{name}_norm.weight")
        heads = [self.norm(head, weight) for head in heads] if weight else heads
        return [self.rotate(head, position) for head in heads] if rotated else heads

    def next_log_probabilities(self, tokens):
        states = [list(self.tensors["model.embed_tokens.weight"][token]) for token in tokens]
        for layer in range(LAYERS):
            stem = f"model.layers.{layer}."
            normed = [self.norm(state, self.tensors[stem + "input_layernorm.weight"]) for state in states]
            keys = [self.heads(stem, "k", one, at) for at, one in enumerate(normed)]
            values = [self.heads(stem, "v", one, at, rotated=False) for at, one in enumerate(normed)]
            for at, one in enumerate(normed):
                mixed = []
                for number, query in enumerate(self.heads(stem, "q", one, at)):
                    kv = number // (HEADS // KV_HEADS)
                    scores = [sum(q * k for q, k in zip(query, keys[i][kv])) / math.sqrt(self.head_dim) for i in range(at + 1)]
                    weights = [math.exp(score - max(scores)) for score in scores]
                    mixed += [sum(w * values[i][kv][d] for i, w in enumerate(weights)) / sum(weights) for d in range(self.head_dim)]
                states[at] = [a + b for a, b in zip(states[at], self.project(stem + "self_attn.o_proj", mixed))]
            for at, state in enumerate(states):
                one = self.norm(state, self.tensors[stem + "post_attention_layernorm.weight"])
                gate = [n / (1 + math.exp(-n)) for n in self.project(stem + "mlp.gate_proj", one)]
                inner = [a * b for a, b in zip(gate, self.project(stem + "mlp.up_proj", one))]
                states[at] = [a + b for a, b in zip(state, self.project(stem + "mlp.down_proj", inner))]
        last = self.norm(states[-1], self.tensors["model.norm.weight"])
        head = self.tensors["model.embed_tokens.weight" if self.tied else "lm_head.weight"]
        logits = [sum(w * n for w, n in zip(row, last)) for row in head]
        top = max(logits)
        total = top + math.log(sum(math.exp(logit - top) for logit in logits))
        return [logit - total for logit in logits]
