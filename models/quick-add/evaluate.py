#!/usr/bin/env python3
"""Exact match of the whole task on the held-out notes, in PyTorch or through a running llama-server.

  evaluate.py                                      the float16 weights of repo/ in PyTorch
  evaluate.py --server http://127.0.0.1:8080       through the server's chat completions
  evaluate.py --server http://127.0.0.1:8080 --schema
                                                   the same with a JSON schema as response_format
  evaluate.py --server http://127.0.0.1:8080 --tokenizer
                                                   only compare the server's tokens with ours
"""
import argparse
import json
import os
import struct
import urllib.request

import generate
import tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ["title", "date", "time", "priority", "tags"]
SCHEMA = {
    "type": "object", "additionalProperties": False, "required": FIELDS,
    "properties": {
        "title": {"type": "string"}, "date": {"type": ["string", "null"]}, "time": {"type": ["string", "null"]},
        "priority": {"type": "string", "enum": ["low", "normal", "high"]},
        "tags": {"type": "array", "items": {"type": "string"}}}}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def ask_server(server, note, with_schema):
    body = {"messages": [{"role": "user", "content": note}], "temperature": 0, "max_tokens": 256}
    if with_schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "task", "strict": True, "schema": SCHEMA}}
    return post(server + "/v1/chat/completions", body)["choices"][0]["message"]["content"]


def compare_tokens(server, notes):
    """Tokens of notes and of whole rendered conversations, ours against the server's."""
    different = 0
    for note, task in notes:
        answer = generate.as_json(task)
        rendered = post(server + "/apply-template", {"messages": [{"role": "user", "content": note}]})["prompt"]
        pairs = [(note, tokenizer.encode(note)), (answer, tokenizer.encode(answer)), (rendered, tokenizer.prompt_ids(note))]
        for text, ours in pairs:
            theirs = post(server + "/tokenize", {"content": text, "parse_special": text is rendered})["tokens"]
            if theirs != ours:
                different += 1
                print(f"different tokens: {text!r}\n  ours   {ours}\n  server {theirs}")
    print(f"{len(notes)} notes, answers and rendered prompts compared, {different} different")
    return different == 0


def load_model(path):
    """The float16 weights of model.safetensors, computed in float32."""
    import numpy
    import torch
    from model import Llama
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    state = {}
    for name, info in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + o for o in info["data_offsets"])
            array = numpy.frombuffer(data[begin:end], dtype=numpy.float16).reshape(info["shape"])
            state[name] = torch.from_numpy(array.astype(numpy.float32))
    model = Llama()
    model.load_state_dict(state)
    return model


def generate_answer(model, note, limit=256):
    import torch
    ids, start = tokenizer.prompt_ids(note), len(tokenizer.prompt_ids(note))
    with torch.no_grad():
        while len(ids) - start < limit:
            token = int(model(torch.tensor([ids]))[0, -1].argmax())
            if token == tokenizer.END:
                break
            ids.append(token)
    return tokenizer.decode(ids[start:])


def torch_answers(notes):
    """Greedy answers; one pass over the expected answer decides the right ones, only the others are generated."""
    import torch
    from train import exact_match
    torch.set_num_threads(1)
    model = load_model(os.path.join(HERE, "repo", "model.safetensors"))
    right = exact_match(model, notes)
    model.eval()
    return [generate.as_json(task) if ok else generate_answer(model, note) for (note, task), ok in zip(notes, right)]


def report(notes, answers, show):
    exact, invalid, fields, shown = 0, 0, dict.fromkeys(FIELDS, 0), 0
    for (note, task), answer in zip(notes, answers):
        exact += answer == generate.as_json(task)
        try:
            value = json.loads(answer)
            assert isinstance(value, dict)
        except (ValueError, AssertionError):
            value, invalid = {}, invalid + 1
        for field in FIELDS:
            fields[field] += field in value and value[field] == task[field]
        if answer != generate.as_json(task) and shown < show:
            shown += 1
            print(f"note     {note}\nexpected {generate.as_json(task)}\nanswer   {answer}\n")
    print(f"notes {len(notes)}  exact match {exact / len(notes):.4f} ({exact})  invalid JSON {invalid}")
    print("  ".join(f"{field} {count / len(notes):.4f}" for field, count in fields.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="base URL of a llama-server that serves the model; without it PyTorch is used")
    parser.add_argument("--schema", action="store_true", help="send the JSON schema as response_format")
    parser.add_argument("--tokenizer", action="store_true", help="compare tokens with the server's /tokenize instead")
    parser.add_argument("--limit", type=int, default=2000, help="number of held-out notes")
    parser.add_argument("--seed", type=int, default=2026, help="another seed draws other held-out notes")
    parser.add_argument("--show", type=int, default=0, help="print this many wrong answers")
    parser.add_argument("--write-heldout", metavar="FILE", help="write the first 200 held-out notes as JSON lines and stop")
    args = parser.parse_args()
    notes = generate.heldout_notes(args.limit, args.seed)
    if args.write_heldout:
        with open(args.write_heldout, "w", encoding="utf-8") as f:
            for note, task in notes[:200]:
                f.write(json.dumps({"note": note, "expected": task}, ensure_ascii=False) + "\n")
        return
    if args.tokenizer:
        raise SystemExit(0 if compare_tokens(args.server.rstrip("/"), notes) else 1)

    def answer_all(some):
        if args.server:
            return [ask_server(args.server.rstrip("/"), note, args.schema) for note, _ in some]
        return torch_answers(some)

    report(notes, answer_all(notes), args.show)
    promised = generate.promised_tasks()
    for (note, task), answer in zip(promised, answer_all(promised)):
        print("right" if answer == generate.as_json(task) else "WRONG", note, answer)


if __name__ == "__main__":
    main()
