"""A custom transfer agent of git-lfs (its docs/custom-transfers.md) that sends a file in parts, as the one of huggingface_hub 1.29
does: it knows a part's URL by its number, the size of parts by `chunk_size`, and ends with the parts' ETags."""
import json
import sys
import urllib.request


def say(message):
    print(json.dumps(message), flush=True)


def ask(method, url, body):
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=60) as answer:
        return answer.headers


def upload(message):
    header = dict(message["action"]["header"])
    size = int(header.pop("chunk_size"))
    parts, done = [], 0
    with open(message["path"], "rb") as file:
        for number in sorted(header, key=int):
            part = file.read(size)
            parts.append({"etag": ask("PUT", header[number], part)["ETag"], "partNumber": int(number)})
            done += len(part)
            say({"event": "progress", "oid": message["oid"], "bytesSoFar": done, "bytesSinceLast": len(part)})
        assert not file.read(1), "more than all parts"
    ask("POST", message["action"]["href"], json.dumps({"oid": message["oid"], "parts": parts}).encode())
    say({"event": "complete", "oid": message["oid"]})


for line in sys.stdin:
    told = json.loads(line)
    if told["event"] == "init":
        say({})
    elif told["event"] == "upload":
        upload(told)
    else:
        break
