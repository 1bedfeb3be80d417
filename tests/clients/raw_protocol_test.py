"""The hub's HTTP side of Xet and its write API, spoken by hand: what real clients send, and what hostile ones do.

The xorb and shard are those that the JavaScript client's own uploader made (src/xet/test/data/README.md).
"""
import base64
import hashlib
import http.client
import json
import re
import socket

from tests.clients import hub_process
from tests.clients.hub_process import VECTORS

EXAMPLE = json.loads((VECTORS / "example.json").read_text())
XORB = (VECTORS / "example.xorb").read_bytes()
SHARD = (VECTORS / "example.shard").read_bytes()
XORB_HASH = EXAMPLE["xorbs"][0]["hash"]
CHUNKS = EXAMPLE["xorbs"][0]["chunks"]
FILES = EXAMPLE["files"]


def record_span(first, end):
    """Bytes of the records of chunks [first, end) in the xorb."""
    last = CHUNKS[end - 1]
    return CHUNKS[first]["header_offset"], last["header_offset"] + 8 + last["compressed_length"]


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)


class RawProtocol(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.call("POST", "/api/repos/create", cls.ana, {"name": "raw"}).status == 200
        token = cls.xet_token("write")
        first = cls.call("POST", f"/cas/v1/xorbs/default/{XORB_HASH}", token, XORB)
        assert (first.status, first.json()) == (200, {"was_inserted": True}), first.body
        shard = cls.call("POST", "/cas/v1/shards", token, SHARD)
        assert (shard.status, shard.json()) == (200, {"result": 1}), shard.body
        lines = [{"key": "header", "value": {"summary": "add"}}] + [
            {"key": "lfsFile", "value": {"path": name, "algo": "sha256", "oid": file["sha256"], "size": file["size"]}}
            for name, file in FILES.items()]
        made = cls.commit("\n".join(map(json.dumps, lines)))
        assert made.status == 200, made.body

    @classmethod
    def call(cls, method, path, token=None, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", cls.hub.port, timeout=30)
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body=body, headers=sent, encode_chunked="Transfer-Encoding" in sent)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    @classmethod
    def commit(cls, body, token=None, branch="main"):
        return cls.call("POST", f"/api/models/ana/raw/commit/{branch}", token or cls.ana, body,
                        {"Content-Type": "application/x-ndjson"})

    @classmethod
    def xet_token(cls, kind):
        answer = cls.call("GET", f"/api/models/ana/raw/xet-{kind}-token/main", cls.ana)
        assert answer.status == 200, answer.body
        body = answer.json()
        assert answer.headers["X-Xet-Access-Token"] == body["accessToken"]
        assert body["casUrl"] == f"{cls.hub.url}/cas"
        return body["accessToken"]

    def fetch(self, url, ranges, expect=206):
        """Fetches byte ranges [first, last] of a data URL, as clients do: without any token."""
        self.assertTrue(url.startswith(self.hub.url + "/cas/"), url)
        header = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
        answer = self.call("GET", url[len(self.hub.url):], headers={"Range": header})
        self.assertEqual(answer.status, expect, answer.body[:200])
        return answer

    # ---------------------------------------------------------------------------------- download

    def test_v1_gives_terms_and_one_url_a_range(self):
        token = self.xet_token("read")
        for block in EXAMPLE["shard"]["files"]:
            plan = self.call("GET", f"/cas/v1/reconstructions/{block['file_hash']}", token).json()
            self.assertEqual(plan["offset_into_first_range"], 0)
            self.assertEqual([(t["hash"], t["unpacked_length"], t["range"]) for t in plan["terms"]],
                             [(s["xorb_hash"], s["unpacked_bytes"], {"start": s["chunk_start"], "end": s["chunk_end"]})
                              for s in block["segments"]])
            entries = plan["fetch_info"][XORB_HASH]
            self.assertEqual(len({entry["url"] for entry in entries}), len(entries))
            for entry in entries:
                first, end = record_span(entry["range"]["start"], entry["range"]["end"])
                self.assertEqual(entry["url_range"], {"start": first, "end": end - 1})
                got = self.fetch(entry["url"], [(first, end - 1)])
                self.assertEqual(got.body, XORB[first:end])
                self.assertEqual(got.headers["Content-Range"].split("/")[0], f"bytes {first}-{end - 1}")
            for term in plan["terms"]:
                self.assertTrue(any(e["range"]["start"] <= term["range"]["start"] and
                                    term["range"]["end"] <= e["range"]["end"] for e in entries))

    def test_v2_gives_one_url_for_many_ranges_as_multipart(self):
        plan = self.call("GET", f"/cas/v2/reconstructions/{FILES['copy.bin']['file_hash']}",
                         self.xet_token("read")).json()
        (entry,) = plan["xorbs"][XORB_HASH]
        ranges = [(r["bytes"]["start"], r["bytes"]["end"]) for r in entry["ranges"]]
        self.assertEqual([r["chunks"] for r in entry["ranges"]], [{"start": 8, "end": 10}, {"start": 12, "end": 15}])
        answer = self.fetch(entry["url"], ranges)
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.headers["Content-Type"])[1]
        self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        parts = answer.body.split(b"\r\n--" + boundary.encode())
        self.assertEqual((parts[0], parts[-1]), (b"", b"--\r\n"))
        for (first, last), part in zip(ranges, parts[1:-1], strict=True):
            head, content = part.split(b"\r\n\r\n", 1)
            self.assertIn(f"Content-Range: bytes {first}-{last}/".encode(), head)
            self.assertEqual(content, XORB[first:last + 1])
        for first, last in ranges:  # and each by itself
            self.assertEqual(self.fetch(entry["url"], [(first, last)]).body, XORB[first:last + 1])

    def test_a_range_of_a_file_is_trimmed_to_chunks(self):
        token = self.xet_token("read")
        file = FILES["random.bin"]
        chunks = [chunk["length"] for chunk in file["chunks"]]
        begin, end = chunks[0] + 5, chunks[0] + 6
        path = f"/cas/v1/reconstructions/{file['file_hash']}"
        plan = self.call("GET", path, token, headers={"Range": f"bytes={begin}-{end - 1}"}).json()
        self.assertEqual(plan["offset_into_first_range"], 5)
        self.assertEqual([t["range"] for t in plan["terms"]], [{"start": 9, "end": 10}])
        self.assertEqual(plan["terms"][0]["unpacked_length"], chunks[1])
        past = self.call("GET", path, token, headers={"Range": f"bytes={file['size']}-"})
        self.assertEqual((past.status, past.headers["Content-Range"]), (416, f"bytes */{file['size']}"))

    def test_a_batch_gives_terms_by_file(self):
        wanted = [file["file_hash"] for file in FILES.values()]
        query = "&".join(f"file_id={hash_}" for hash_ in wanted)
        batch = self.call("GET", f"/cas/v1/reconstructions?{query}", self.xet_token("read")).json()
        self.assertEqual(set(batch["files"]), set(wanted))
        self.assertEqual(list(batch["fetch_info"]), [XORB_HASH])

    def test_whole_files_and_ranges_of_every_compression(self):
        for name, file in FILES.items():
            path = f"/ana/raw/resolve/main/{name}"
            whole = self.call("GET", path)
            self.assertEqual(hashlib.sha256(whole.body).hexdigest(), file["sha256"], name)
            self.assertEqual(whole.headers["X-Xet-Hash"], file["file_hash"])
            self.assertEqual(whole.headers["X-Linked-Size"], str(file["size"]))
            edge = file["chunks"][0]["length"]
            part = self.call("GET", path, headers={"Range": f"bytes={edge - 3}-{edge + 3}"})
            self.assertEqual((part.status, part.body), (206, whole.body[edge - 3:edge + 4]))
            one = self.call("GET", path, headers={"Range": "bytes=0-0"})
            self.assertEqual((one.status, one.headers["Content-Range"]), (206, f"bytes 0-0/{file['size']}"))

    def test_dedup_answers_with_a_shard_that_has_a_footer(self):
        token = self.xet_token("write")
        answer = self.call("GET", f"/cas/v1/chunks/default/{CHUNKS[0]['hash']}", token)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body[:14], b"HFRepoMetaData")
        self.assertEqual(int.from_bytes(answer.body[40:48], "little"), 200)
        self.assertEqual(self.call("GET", "/cas/v1/chunks/default/" + "0" * 64, token).status, 404)

    # ------------------------------------------------------------------------------ signatures

    def test_no_url_opens_more_than_it_was_signed_for(self):
        plan = self.call("GET", f"/cas/v1/reconstructions/{FILES['random.bin']['file_hash']}",
                         self.xet_token("read")).json()
        entry = plan["fetch_info"][XORB_HASH][0]
        url, first, last = entry["url"], entry["url_range"]["start"], entry["url_range"]["end"]
        self.fetch(url, [(first, last)])
        self.fetch(url, [(0, last)], 403)
        self.fetch(url, [(first, last), (0, 0)], 403)
        self.fetch(url.replace(f"ranges={first}-", "ranges=0-"), [(0, last)], 403)
        self.fetch(re.sub(r"exp=\d+", "exp=9999999999", url), [(first, last)], 403)
        self.fetch(re.sub(r"sig=..", "sig=zz", url), [(first, last)], 403)
        self.fetch(re.sub(r"&sig=.*", "", url), [(first, last)], 403)
        self.fetch(url.replace(XORB_HASH, "1" * 64), [(first, last)], 403)
        self.fetch(url.replace(XORB_HASH, "none"), [(first, last)], 400)

    def test_tokens_and_urls_expire(self):
        token = self.xet_token("read")
        path = f"/cas/v1/reconstructions/{FILES['random.bin']['file_hash']}"
        entry = self.call("GET", path, token).json()["fetch_info"][XORB_HASH][0]
        span = (entry["url_range"]["start"], entry["url_range"]["end"])
        self.hub.stop()
        self.hub.start(clock="+2h")
        try:
            self.fetch(entry["url"], [span], 403)
            self.assertEqual(self.call("GET", path, token).status, 401)
        finally:
            self.hub.stop()
            self.hub.start()
        self.fetch(entry["url"], [span])

    def test_who_may_what(self):
        read, write = self.xet_token("read"), self.xet_token("write")
        path = f"/cas/v1/reconstructions/{FILES['random.bin']['file_hash']}"
        self.assertEqual(self.call("GET", path, write).status, 200)
        for token in (None, "", "x", self.ana, read[:-1] + ("0" if read[-1] != "0" else "1"),
                      read.replace(".r.", ".w.")):
            self.assertEqual(self.call("GET", path, token).status, 401, token)
        self.assertEqual(self.call("POST", "/cas/v1/shards", read, SHARD).status, 403)
        self.assertEqual(self.call("POST", f"/cas/v1/xorbs/default/{XORB_HASH}", read, XORB).status, 403)
        # Somebody else's repository knows nothing of these files.
        self.call("POST", "/api/repos/create", self.ben, {"name": "own", "private": True})
        other = self.call("GET", "/api/models/ben/own/xet-write-token/main", self.ben).json()["accessToken"]
        self.assertEqual(self.call("GET", path, other).status, 404)

    # ------------------------------------------------------------------------------ hostile bodies

    def test_the_hub_reads_no_body_of_who_may_not_send_it(self):
        for path in ("/cas/v1/shards", f"/cas/v1/xorbs/default/{XORB_HASH}", "/api/models/ana/raw/commit/main"):
            with socket.create_connection(("127.0.0.1", self.hub.port), timeout=20) as raw:
                raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n"
                            "Expect: 100-continue\r\n\r\n".encode())
                answer = raw.recv(65536).decode()
                self.assertTrue(answer.startswith("HTTP/1.1 401 "), answer)
                self.assertIn("Connection: close", answer)

    def test_sizes_are_bounded_before_anything_is_read(self):
        token = self.xet_token("write")
        for path, length in (("/cas/v1/shards", 65 << 20), (f"/cas/v1/xorbs/default/{XORB_HASH}", 70 << 20),
                             ("/api/models/ana/raw/commit/main", 2 << 30), ("/cas/v1/telemetry", 9 << 20),
                             ("/api/repos/create", 9 << 20)):
            with socket.create_connection(("127.0.0.1", self.hub.port), timeout=20) as raw:
                raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                            f"Content-Length: {length}\r\n\r\n".encode())
                self.assertTrue(raw.recv(65536).startswith(b"HTTP/1.1 413 "), path)

    def test_a_commit_is_refused_as_a_whole_for_one_bad_line(self):
        header = '{"key":"header","value":{"summary":"t"}}\n'
        before = self.call("GET", "/api/models/ana/raw").json()["sha"]
        good = '{"key":"file","value":{"path":"good.txt","content":"good"}}\n'

        def line(**value):
            return json.dumps({"key": "file", "value": value})

        for bad, status in ((line(path="big.txt", content="a" * 10_000_001), 413),
                            ('"' + "a" * 20_000_001 + '"', 413),
                            (line(path="x", content="%%%", encoding="base64"), 400),
                            (line(path="x", content="a", encoding="latin-1"), 400),
                            (line(path="../x", content=""), 422), (line(path="..\\x", content=""), 422),
                            (line(path="/etc/x", content=""), 422), (line(path=".git/hooks/x", content=""), 422),
                            (line(path="a/../../x", content=""), 422), (line(path="a\0b", content=""), 422),
                            ('{"key":"exec","value":{"path":"x"}}', 400), ("{" * 100_000, 400),
                            ('{"key":"file","key":"file","value":{}}', 400), ("\xff\xfe", 400),
                            (json.dumps({"key": "lfsFile", "value": {"path": "x", "oid": "0" * 64, "size": 1}}), 400),
                            (json.dumps({"key": "lfsFile", "value": {"path": "x", "oid": FILES["random.bin"]["sha256"],
                                                                     "size": 1}}), 400)):
            answer = self.commit((header + good + bad).encode("latin-1"))
            self.assertEqual(answer.status, status, bad[:80])
            self.assertEqual(type(answer.json()["error"]), str)
            self.assertTrue(answer.headers["X-Request-Id"])
        self.assertEqual(self.call("GET", "/api/models/ana/raw").json()["sha"], before)
        self.assertEqual(self.call("GET", "/ana/raw/resolve/main/good.txt").status, 404)

    def test_paths_in_urls_leave_nothing(self):
        for path in ("/ana/raw/resolve/main/../../../names.db", "/ana/raw/resolve/main/..%2f..%2fnames.db",
                     "/ana/..%2fraw/resolve/main/x", "/cas/xorbs/..%2f..%2fxet.key",
                     "/cas/v1/xorbs/default/..%2fx", "/api/models/ana/raw/tree/main/..%2f"):
            self.assertIn(self.call("GET", path).status, (400, 401, 404, 405), path)

    def test_an_upload_that_ends_early_leaves_nothing(self):
        token = self.xet_token("write")
        for body in (XORB[:100_000], XORB[:CHUNKS[3]["header_offset"]], b"", XORB[8:], XORB + b"x"):
            answer = self.call("POST", "/cas/v1/xorbs/default/" + "2" * 64, token, body)
            self.assertEqual(answer.status, 400, answer.body)
        with socket.create_connection(("127.0.0.1", self.hub.port), timeout=20) as raw:
            raw.sendall(f"POST /cas/v1/xorbs/default/{'2' * 64} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(XORB)}\r\n"
                        f"Authorization: Bearer {token}\r\n\r\n".encode() + XORB[:300_000])
        self.assertEqual(self.call("HEAD", "/cas/v1/xorbs/default/" + "2" * 64, token).status, 404)
        answer = self.call("POST", f"/cas/v1/xorbs/default/{XORB_HASH}", token, iter([XORB[:7], XORB[7:]]),
                           {"Transfer-Encoding": "chunked"})
        self.assertEqual((answer.status, answer.json()), (200, {"was_inserted": False}))
        left = [p for p in (self.data / "cas/tmp").rglob("*") if p.is_file()] if (self.data / "cas/tmp").exists() else []
        self.assertEqual(left, [])

    def test_a_shard_is_held_to_its_xorbs_and_its_hashes(self):
        token = self.xet_token("write")
        for at in (48, 100, 48 + 48 + 3, 1056):  # a file's hash, a term's xorb, a term's length, the xorb section
            broken = bytearray(SHARD)
            broken[at] ^= 1
            status = self.call("POST", "/cas/v1/shards", token, bytes(broken)).status
            self.assertIn(status, (200, 400) if at == 1056 else (400,), at)
        sha256 = bytes.fromhex(FILES["weights.bin"]["sha256"])
        stored = b"".join(sha256[i:i + 8][::-1] for i in range(0, 32, 8))
        self.assertEqual(SHARD.count(stored), 1)
        lie = SHARD.replace(stored, bytes(32))
        self.assertEqual(self.call("POST", "/cas/v1/shards", token, lie).status, 400)
        for body in (b"", SHARD[:500], SHARD[1:], base64.b64encode(SHARD)):
            self.assertEqual(self.call("POST", "/cas/v1/shards", token, body).status, 400)


if __name__ == "__main__":
    hub_process.main()
