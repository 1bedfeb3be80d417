"""Unmodified clients of a mirror, with HF_ENDPOINT (or its like) leading there and nothing else told: the npm package
@huggingface/hub, curl, our own pull, llama-server -hf. The upstream hub is gone for the second round."""
import json
import os
import pathlib
import subprocess
import tempfile

from tests import harness
from tests.harness import BIN, SOURCE, free_port, wait_for, weights
from tests.harness.mirror import Fault, TestCase, call, publish, sha256

SCRIPT = SOURCE / "tests/clients/transfer.mjs"
GGUF = SOURCE / "models/quick-add/repo/quick-add-q8_0.gguf"


class MirrorClients(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = weights.gguf(weights.noise(1, 3_000_000))
        cls.commit = publish(cls.upstream, cls.ana, "ana/tiny", {"config.json": b"{}\n", "w.gguf": cls.weights})

    def npm(self, mirror, path, local, repo="ana/tiny"):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        done = subprocess.run(["node", SCRIPT, "download", repo, path, local], cwd=SOURCE, timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**environment, "HUB_URL": mirror.url})
        self.assertEqual(done.returncode, 0, done.stdout)
        return json.loads(done.stdout.splitlines()[-1])

    def test_npm_client_curl_and_our_pull(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, freshness="1h")
        target = self.folder / "w.gguf"
        for round_ in ("cold", "upstream gone"):
            for path, content in (("w.gguf", self.weights), ("config.json", b"{}\n")):
                found = self.npm(mirror, path, target)
                self.assertEqual(target.read_bytes(), content, round_)
                self.assertEqual(found["size"], len(content))
            url = f"{mirror.url}/ana/tiny/resolve/main/w.gguf"
            done = subprocess.run(["curl", "-sSf", "-r", "1000-", "-o", target, "-w", "%{http_code}", url], text=True,
                                  stdout=subprocess.PIPE, timeout=60)
            self.assertEqual((done.stdout, target.read_bytes()), ("206", self.weights[1000:]))
            if round_ == "cold":
                self.wait_stored(mirror, "/ana/tiny/resolve/main/w.gguf")
                proxy.stop()
        self.assertEqual(len(proxy.asked("/ana/tiny/resolve/")), 2)
        # By Xet, which is there now: our own client takes the chunks apart.
        self.assertEqual(self.pull(mirror), sha256(self.weights))

    def test_an_id_without_a_namespace(self):
        proxy = self.proxy(lambda method, path, headers: Fault(status=307, headers={"Location": "/api/models/ana/tiny"})
                           if path == "/api/models/tiny" else None)
        mirror = self.mirror(proxy.url)
        target = self.folder / "short.gguf"
        done = subprocess.run(["curl", "-sSfL", "-o", target, f"{mirror.url}/tiny/resolve/main/w.gguf"], timeout=60)
        self.assertEqual((done.returncode, target.read_bytes()), (0, self.weights))
        self.wait_stored(mirror, "/ana/tiny/resolve/main/w.gguf")
        for path, content in (("w.gguf", self.weights), ("config.json", b"{}\n")):
            found = self.npm(mirror, path, target, "tiny")
            self.assertEqual((target.read_bytes(), found["size"]), (content, len(content)))
        self.assertEqual(len(proxy.asked("/api/models/tiny")), 1)

    def test_git_is_told_that_there_is_no_history_and_asks_for_no_password(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        own = mirror.make_writer("ben")
        publish(mirror, own, "ben/own", {"a.txt": b"a\n"})
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0",
                       "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

        def git(*arguments):
            return subprocess.run(["git", *arguments], cwd=self.folder, env=environment, timeout=60, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        for name in ("ana/tiny", "ana/tiny.git", "datasets/ana/none"):
            done = git("clone", f"{mirror.url}/{name}", "clone")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("remote: this hub has no git repository", done.stdout)
            self.assertIn("not found", done.stdout)
            self.assertNotIn("could not read Username", done.stdout)
        batch = call(mirror, "POST", "/ana/tiny.git/info/lfs/objects/batch", body={"operation": "download", "objects": []})
        self.assertEqual((batch.status, batch.headers["X-Error-Code"]), (404, "RepoNotFound"))
        self.assertIn("has the files and not the git history", batch.json()["message"])
        self.assertEqual(proxy.requests, [])
        # Of our own it is as ever.
        self.assertEqual(git("clone", "-q", f"{mirror.url}/ben/own", "own").returncode, 0)
        self.assertEqual((self.folder / "own/a.txt").read_bytes(), b"a\n")
        self.assertIn("could not read Username", git("clone", f"{mirror.url}/ben/none", "none").stdout)

    def pull(self, mirror):
        """The SHA-256 of what `locara pull` brings from the mirror."""
        client = harness.Client(tempfile.mkdtemp(prefix="client-", dir=self.folder))
        manifest = self.folder / "manifest.json"
        digest = sha256(self.weights)
        manifest.write_text(weights.manifest(harness.MANIFEST, "ana/tiny", self.commit, "w.gguf", len(self.weights), digest))
        client.run("pull", "--manifest", manifest, "--yes", "--endpoint", mirror.url)
        return sha256((client.home / "data/store/files" / digest[:2] / digest).read_bytes())

    def test_llama_server_takes_a_model(self):
        content = GGUF.read_bytes()
        publish(self.upstream, self.ana, "ana/llama", {"model-Q8_0.gguf": content})
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        port = free_port()
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
                       "HF_ENDPOINT": mirror.url, "MODEL_ENDPOINT": mirror.url, "HF_HOME": str(self.folder / "hf"),
                       "LLAMA_CACHE": str(self.folder / "llama"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        log = (self.folder / "llama.log").open("w")
        server = subprocess.Popen([BIN / "llama-server", "-hf", "ana/llama", "--port", str(port), "-c", "64"],
                                  stdout=log, stderr=log, env=environment)
        try:
            wait_for(lambda: server.poll() is not None or self.is_well(port), "llama-server", 60)
            self.assertIsNone(server.poll(), pathlib.Path(log.name).read_text()[-3000:])
        finally:
            server.terminate()
            server.wait(20)
        self.assertEqual(len(proxy.asked("/ana/llama/resolve/")), 1)
        self.wait_stored(mirror, "/ana/llama/resolve/main/model-Q8_0.gguf")

    @staticmethod
    def is_well(port):
        try:
            class Server:
                pass

            Server.port = port
            return call(Server, "GET", "/health").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    harness.main()
