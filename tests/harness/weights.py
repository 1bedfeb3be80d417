"""Files of weights for tests, of any size and in little time, and manifests for them."""
import hashlib
import json
import math
import struct

GGUF_I8 = 24
GGUF_BF16 = 30
WIDTHS = {GGUF_I8: 1, GGUF_BF16: 2}


def noise(seed, size):
    """`size` bytes that do not pack; the same for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def bf16(seed, count):
    """`count` bfloat16 values like those of trained weights: sign and upper exponent are those of a normal distribution
    around 0 with deviation 0.02, the other eight bits are even."""
    def below(x):
        return 0.5 + math.erf(x / 0.02 / math.sqrt(2)) / 2

    def value(high):
        return struct.unpack(">f", bytes([high, 0, 0, 0]))[0]
    # How much of the distribution has each upper byte of a positive value, in 128ths; the byte 0x80 higher is negative.
    table = []
    for high in range(0x80):
        share = 2 * (below(value(high + 1) if high < 0x7f else math.inf) - below(value(high)))
        table += [high] * round(share * 128)
    table = (table + [0x3c] * 128)[:128]
    chance = noise(seed, 2 * count)
    out = bytearray(2 * count)
    out[0::2] = chance[:count]
    out[1::2] = chance[count:].translate(bytes(table + [high | 0x80 for high in table]))
    return bytes(out)


def gguf_header(size, kind=GGUF_I8):
    """What a GGUF file begins with whose one tensor has `size` bytes; they follow at once."""
    def text(value):
        return struct.pack("<Q", len(value)) + value
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)  # version, one tensor, one key
    header += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    # One dimension; where the values begin behind the header.
    header += text(b"weight") + struct.pack("<IQIQ", 1, size // WIDTHS[kind], kind, 0)
    return header + bytes(-len(header) % 32)


def gguf(values, kind=GGUF_I8):
    return gguf_header(len(values), kind) + values


def with_texts(content, texts):
    """A GGUF file with more keys, whose values are texts."""
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def text(at):
        return at + 8 + struct.unpack_from("<Q", content, at)[0]

    def value(kind, at):
        if kind == 8:
            return text(at)
        if kind != 9:
            return at + sizes[kind]
        element, count = struct.unpack_from("<IQ", content, at)
        at += 12
        for _ in range(count):
            at = value(element, at)
        return at
    magic, version, tensors, keys = struct.unpack_from("<4sIQQ", content)
    at = 24
    for _ in range(keys):
        at = text(at)
        at = value(struct.unpack_from("<I", content, at)[0], at + 4)
    table = at
    for _ in range(tensors):
        at = text(at)
        at += 4 + 8 * struct.unpack_from("<I", content, at)[0] + 12
    more = b"".join(struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(said)) + said
                    for key, said in ((one.encode(), other.encode()) for one, other in texts.items()))
    header = struct.pack("<4sIQQ", magic, version, tensors, keys + len(texts)) + content[24:table] + more + content[table:at]
    return header + bytes(-len(header) % 32) + content[at + -at % 32:]


def manifest(like, repo, revision, path, size, sha256):
    """A model manifest (text) of one file; what it does not pin is taken from the manifest `like`."""
    made = json.loads(like.read_text())
    made["id"] = made["source"]["repo"] = repo
    made["source"]["revision"] = revision
    made["variants"][0]["files"] = [{"path": path, "size": size, "sha256": sha256, "xet_hash": None, "format": "gguf"}]
    made["variants"][0]["weights_bytes"] = size
    made["variants"][0]["quality"] = None
    made["chat_template"] = made["tokenizer"] = None
    return json.dumps(made)
