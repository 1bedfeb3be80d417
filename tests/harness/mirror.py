"""What the tests of the mirror share: an upstream hub with repositories in it, and mirrors of it."""
import base64
import hashlib
import http.client
import json
import pathlib
import random
import shutil
import tempfile
import unittest

from tests import harness
from tests.harness import Fault, FaultyProxy, Hub

MIB = 1 << 20
HELD = 64 << 10


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Answer:
    def __init__(self, response, read=True):
        self.response = response
        self.status, self.headers = response.status, response.headers
        self.body = b""
        self.cut = False
        if read:
            try:
                self.body = response.read()
            except (http.client.IncompleteRead, ConnectionError) as error:
                self.body, self.cut = getattr(error, "partial", b""), True

    def json(self):
        return json.loads(self.body)


def call(hub, method, path, token=None, body=None, headers=None, read=True, timeout=60):
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=timeout)
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, body=body, headers=sent)
    answer = Answer(connection.getresponse(), read)
    if read:
        connection.close()
    return answer


def upload_lfs(hub, token, repo, content):
    """Brings a large file by Git LFS, unless the repository has it, and commits nothing; its SHA-256."""
    oid = sha256(content)
    batch = call(hub, "POST", f"/{repo}.git/info/lfs/objects/batch", token,
                 {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}).json()
    upload = batch["objects"][0].get("actions", {}).get("upload")
    if upload:
        done = call(hub, "PUT", "/" + upload["href"].split("/", 3)[3], body=content)
        assert done.status == 200, done.body
    return oid


def publish(hub, token, repo, files, message="add", private=False):
    """A commit of these files ({path: bytes}) on main of a repository, made if it is not there; its id. What is larger
    than 4 KiB, or ends in .gguf, comes as a large file."""
    name = repo.split("/")[1]
    call(hub, "POST", "/api/repos/create", token, {"name": name, "private": private})
    lines = [{"key": "header", "value": {"summary": message}}]
    for path, content in files.items():
        if len(content) <= 4096 and not path.endswith(".gguf"):
            lines.append({"key": "file", "value": {"path": path, "encoding": "base64",
                                                   "content": base64.b64encode(content).decode()}})
            continue
        oid = upload_lfs(hub, token, repo, content)
        lines.append({"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": len(content)}})
    done = call(hub, "POST", f"/api/models/{repo}/commit/main", token, "\n".join(map(json.dumps, lines)),
                {"Content-Type": "application/x-ndjson"})
    assert done.status == 200, done.body
    return done.json()["commitOid"]


class TestCase(unittest.TestCase):
    """An upstream hub for the class, with the user ana; mirrors of it are made by each test."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-mirror-"))
        cls.upstream = Hub(cls.folder / "upstream", seed=None)
        cls.ana = cls.upstream.make_writer("ana")

    @classmethod
    def tearDownClass(cls):
        cls.upstream.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def proxy(self, rule=None):
        proxy = FaultyProxy(self.upstream, rule)
        self.addCleanup(proxy.stop)
        return proxy

    def mirror(self, upstream, verbose=False, **settings):
        """A hub that mirrors what is at this address."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mirror-", dir=self.folder))
        config = folder / "hub.toml"
        self.configure(config, upstream, **settings)
        hub = Hub(folder / "data", seed=None, config=config, verbose=verbose)
        self.addCleanup(lambda: hub.process and hub.stop())
        return hub

    def configure(self, config, upstream, **settings):
        lines = ["[mirror]", f'upstream = "{upstream}"'] + [f"{k} = {json.dumps(v)}" for k, v in settings.items()]
        config.write_text("\n".join(lines) + "\n")

    def assert_content(self, answer, content, status=200):
        self.assertEqual((answer.status, answer.cut), (status, False), answer.body[:300])
        self.assertEqual(len(answer.body), len(content))
        self.assertEqual(answer.body, content)

    def assert_error(self, answer, status, code):
        self.assertEqual((answer.status, answer.headers.get("X-Error-Code", "")), (status, code), answer.body[:300])
        self.assertEqual(type(answer.json()["error"]), str)

    def wait_stored(self, mirror, path):
        """Until the mirror has a large file in its own store, so that it may be had by Xet; its hash there."""
        return harness.wait_for(lambda: call(mirror, "HEAD", path).headers.get("X-Xet-Hash"), f"{path} to be stored")


__all__ = ["Answer", "Fault", "HELD", "MIB", "TestCase", "blob_id", "call", "noise", "publish", "sha256"]
