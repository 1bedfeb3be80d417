#!/usr/bin/env python3
"""Write the trained model to repo/ as safetensors and GGUF, with configuration and tokenizer files."""
import argparse
import json
import os
import struct

import numpy as np
import torch

import tokenizer
from model import CONFIG

HERE = os.path.dirname(os.path.abspath(__file__))
NAME, LICENSE = "Locara Quick Add 1.3M", "apache-2.0"
ALIGNMENT = 32

# GGUF value types, tensor types and token types
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
F32, F16, Q8_0 = 0, 1, 8
NORMAL_TOKEN, CONTROL_TOKEN, USER_DEFINED_TOKEN, UNUSED_TOKEN = 1, 3, 4, 5


# --------------------------------------------------------------------------
# safetensors and the Hugging Face files
# --------------------------------------------------------------------------

def write_safetensors(path, tensors):
    """tensors: name -> float16 array."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F16", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            f.write(np.ascontiguousarray(array).tobytes())


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")


def write_hugging_face_files(folder):
    write_json(os.path.join(folder, "config.json"), {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **CONFIG,
        "head_dim": CONFIG["hidden_size"] // CONFIG["num_attention_heads"], "hidden_act": "silu", "attention_bias": False,
        "mlp_bias": False, "attention_dropout": 0.0, "rope_scaling": None, "tie_word_embeddings": True, "use_cache": True,
        "initializer_range": 0.02, "pretraining_tp": 1, "bos_token_id": tokenizer.END, "eos_token_id": tokenizer.END,
        "pad_token_id": tokenizer.END, "torch_dtype": "float16"})
    write_json(os.path.join(folder, "generation_config.json"), {
        "do_sample": False, "max_new_tokens": 256, "bos_token_id": tokenizer.END, "eos_token_id": tokenizer.END,
        "pad_token_id": tokenizer.END})
    vocabulary = tokenizer.vocabulary()
    hidden = set(tokenizer.CONTROL_TOKENS + tokenizer.UNUSED_TOKENS)
    added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": text in hidden}
             for i, text in enumerate(vocabulary) if text in hidden or text in tokenizer.JSON_TOKENS]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    write_json(os.path.join(folder, "tokenizer.json"), {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {text: i for i, text in enumerate(vocabulary)}, "merges": []}})
    end = tokenizer.CONTROL_TOKENS[tokenizer.END]
    write_json(os.path.join(folder, "tokenizer_config.json"), {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end, "pad_token": end,
        "add_bos_token": False, "add_eos_token": False, "clean_up_tokenization_spaces": False,
        "model_max_length": CONFIG["max_position_embeddings"], "chat_template": tokenizer.CHAT_TEMPLATE})


# --------------------------------------------------------------------------
# GGUF
# --------------------------------------------------------------------------

def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_string(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def gguf_entry(key, kind, value, item_kind=None):
    data = gguf_string(key) + struct.pack("<I", kind)
    if kind != ARRAY:
        return data + gguf_value(kind, value)
    data += struct.pack("<IQ", item_kind, len(value))
    return data + b"".join(gguf_value(item_kind, item) for item in value)


def quantize_q8_0(array):
    """Blocks of 32: a float16 scale and 32 signed bytes."""
    blocks = array.astype(np.float32).reshape(-1, 32)
    scale = (np.abs(blocks).max(1, keepdims=True) / 127).astype(np.float16)
    wide = scale.astype(np.float32)
    quantized = np.where(wide > 0, np.round(blocks / np.where(wide > 0, wide, 1)), 0).clip(-127, 127).astype(np.int8)
    return np.concatenate([scale.view(np.int8), quantized], 1).tobytes()


def permute_for_rope(weight, heads):
    """llama.cpp rotates neighbouring pairs, Hugging Face rotates halves: reorder the rows of q and k."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_tensors(tensors):
    """(name, array) in the names and layout of llama.cpp's "llama" architecture."""
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    yield "output_norm.weight", tensors["model.norm.weight"]
    yield "token_embd.weight", tensors["model.embed_tokens.weight"]
    for layer in range(CONFIG["num_hidden_layers"]):
        for theirs, ours in names.items():
            array = tensors[f"model.layers.{layer}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                array = permute_for_rope(array, CONFIG["num_attention_heads"])
            yield f"blk.{layer}.{ours}.weight", array


def write_gguf(path, tensors, matrix_type):
    vocabulary = tokenizer.vocabulary()
    token_type = [CONTROL_TOKEN if t in tokenizer.CONTROL_TOKENS else USER_DEFINED_TOKEN if t in tokenizer.JSON_TOKENS
                  else UNUSED_TOKEN if t in tokenizer.UNUSED_TOKENS else NORMAL_TOKEN for t in vocabulary]
    entries = [
        ("general.architecture", STRING, "llama"), ("general.type", STRING, "model"), ("general.name", STRING, NAME),
        ("general.author", STRING, "Locara"), ("general.license", STRING, LICENSE), ("general.size_label", STRING, "1.3M"),
        ("general.description", STRING, "Turns a one-line note into a structured task as compact JSON."),
        ("general.languages", ARRAY, ["en"], STRING), ("general.tags", ARRAY, ["text-generation", "quick-add"], STRING),
        ("general.alignment", UINT32, ALIGNMENT), ("general.file_type", UINT32, 1 if matrix_type == F16 else 7),
        ("general.quantization_version", UINT32, 2),
        ("llama.vocab_size", UINT32, len(vocabulary)), ("llama.context_length", UINT32, CONFIG["max_position_embeddings"]),
        ("llama.embedding_length", UINT32, CONFIG["hidden_size"]), ("llama.block_count", UINT32, CONFIG["num_hidden_layers"]),
        ("llama.feed_forward_length", UINT32, CONFIG["intermediate_size"]),
        ("llama.attention.head_count", UINT32, CONFIG["num_attention_heads"]),
        ("llama.attention.head_count_kv", UINT32, CONFIG["num_key_value_heads"]),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, CONFIG["rms_norm_eps"]),
        ("llama.rope.dimension_count", UINT32, CONFIG["hidden_size"] // CONFIG["num_attention_heads"]),
        ("llama.rope.freq_base", FLOAT32, CONFIG["rope_theta"]),
        ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", ARRAY, vocabulary, STRING), ("tokenizer.ggml.token_type", ARRAY, token_type, INT32),
        ("tokenizer.ggml.merges", ARRAY, [], STRING),
        ("tokenizer.ggml.bos_token_id", UINT32, tokenizer.END), ("tokenizer.ggml.eos_token_id", UINT32, tokenizer.END),
        ("tokenizer.ggml.eot_token_id", UINT32, tokenizer.END), ("tokenizer.ggml.padding_token_id", UINT32, tokenizer.END),
        ("tokenizer.ggml.add_bos_token", BOOL, False), ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.chat_template", STRING, tokenizer.CHAT_TEMPLATE)]
    infos, blobs, offset = [], [], 0
    for name, array in gguf_tensors(tensors):
        kind = F32 if array.ndim == 1 else matrix_type
        data = {F32: lambda: array.astype(np.float32).tobytes(), F16: lambda: array.astype(np.float16).tobytes(),
                Q8_0: lambda: quantize_q8_0(array)}[kind]()
        dimensions = array.shape[::-1]
        infos.append(gguf_string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset))
        data += b"\0" * (-len(data) % ALIGNMENT)
        blobs.append(data)
        offset += len(data)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
    head += b"".join(gguf_entry(*entry) for entry in entries) + b"".join(infos)
    head += b"\0" * (-len(head) % ALIGNMENT)
    with open(path, "wb") as f:
        f.write(head + b"".join(blobs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--checkpoint", default=os.path.join(HERE, "work", "checkpoint.pt"))
    parser.add_argument("--out", default=os.path.join(HERE, "repo"))
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    state = torch.load(args.checkpoint, map_location="cpu")
    weights = state.get("average") or state["model"]
    tensors = {name: value.to(torch.float16).numpy() for name, value in sorted(weights.items())}
    write_safetensors(os.path.join(args.out, "model.safetensors"), tensors)
    write_hugging_face_files(args.out)
    write_gguf(os.path.join(args.out, "quick-add-f16.gguf"), tensors, F16)
    write_gguf(os.path.join(args.out, "quick-add-q8_0.gguf"), tensors, Q8_0)
    print(f"step {state['step']}, {sum(t.size for t in tensors.values())} parameters")
    for name in sorted(os.listdir(args.out)):
        print(f"{os.path.getsize(os.path.join(args.out, name)):9d} {name}")


if __name__ == "__main__":
    main()
