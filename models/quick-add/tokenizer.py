"""The quick-add tokenizer: one token per UTF-8 byte, plus whole tokens for the JSON frame of an answer.

Words are spelled out byte by byte because the model's main skill is copying words it has never seen.
The JSON pieces are ordinary (visible) added tokens; only END, USER and ASSISTANT are control tokens.
"""

END, USER, ASSISTANT = 0, 1, 2
CONTROL_TOKENS = ["<|end|>", "<|user|>", "<|assistant|>"]
JSON_TOKENS = ['{"title":"', '","date"', ',"date"', ',"time"', ',"priority"', ',"tags":[', ':null', ':"', ':"low"', ':"normal"',
               ':"high"', '","', '"]}', ']}']
FIRST_BYTE = len(CONTROL_TOKENS) + len(JSON_TOKENS)
VOCAB_SIZE = 288  # 3 control + 14 JSON + 256 bytes + unused, a multiple of 32
UNUSED_TOKENS = [f"<|unused{i}|>" for i in range(VOCAB_SIZE - FIRST_BYTE - 256)]

# Longest first, as llama.cpp splits added tokens out of a text.
_BY_LENGTH = sorted(((text, i + len(CONTROL_TOKENS)) for i, text in enumerate(JSON_TOKENS)), key=lambda t: -len(t[0]))

CHAT_TEMPLATE = ("{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>' + message['content'] }}"
                 "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + '<|end|>' }}"
                 "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def byte_alphabet():
    """The printable character that stands for each byte in GPT-2 style vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare, alphabet = 256, {}
    for byte in range(256):
        if byte in printable:
            alphabet[byte] = chr(byte)
        else:
            alphabet[byte] = chr(spare)
            spare += 1
    return alphabet


def vocabulary():
    """All token texts by id, bytes in the GPT-2 byte alphabet."""
    alphabet = byte_alphabet()
    return CONTROL_TOKENS + JSON_TOKENS + [alphabet[b] for b in range(256)] + UNUSED_TOKENS


def encode(text):
    """Token ids of plain text (control tokens are never produced)."""
    parts = [text]
    for piece, token in _BY_LENGTH:
        split = []
        for part in parts:
            if isinstance(part, int):
                split.append(part)
                continue
            before, *rest = part.split(piece)
            split.append(before)
            for after in rest:
                split += [token, after]
        parts = split
    ids = []
    for part in parts:
        ids += [part] if isinstance(part, int) else [FIRST_BYTE + b for b in part.encode()]
    return ids


def decode(ids):
    data = b""
    for i in ids:
        if FIRST_BYTE <= i < FIRST_BYTE + 256:
            data += bytes([i - FIRST_BYTE])
        elif len(CONTROL_TOKENS) <= i < FIRST_BYTE:
            data += JSON_TOKENS[i - len(CONTROL_TOKENS)].encode()
    return data.decode("utf-8", "replace")


def prompt_ids(note):
    """What the chat template renders for one user message, with the generation prompt."""
    return [USER] + encode(note) + [ASSISTANT]


def answer_ids(answer):
    return encode(answer) + [END]
