"""The test files that npm @huggingface/hub brings in its package: those that talk to a hub run against ours, with nothing
changed but the hub's address (specs.config.mjs). What may fail is named here, with the reason."""
import hashlib
import http.server
import json
import os
import sqlite3
import subprocess
import threading

from tests.clients import hub_process
from tests.clients.hub_process import SOURCE
from tests.harness.mirror import publish

PACKAGE = SOURCE / "node_modules/@huggingface/hub"
# What these files say of their hub's user.
USER = "hub.js"
TOKEN = "hf_hub.js"
ACCOUNT = "62f264b9f3c90f4b6514a269"
FULL_NAME = "@huggingface/hub CI bot"
EMAIL = "eliott@huggingface.co"
WEBSITE = "https://github.com/huggingface/hub.js"
COOKIE = "huggingface-hub.js-cookie"

EXPECTED = {
    "commit should commit a full repo from HF with web urls":
        "wants weights with a fixed hash, which are to be had from huggingface.co only",
}


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """The files that the tests take from huggingface.co to upload them."""
    files = {}

    def do_GET(self):
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Specs(hub_process.TestCase):
    def seed(self):
        """The repositories that the files name, as far as they look at them; the user, with the token they have."""
        self.hub.admin("user", "add", USER, "--full-name", FULL_NAME, "--email", EMAIL)
        self.hub.admin("user", "set", USER, "--website", WEBSITE)
        self.hub.admin("oauth", "add", "dummy-app", "--redirect", "http://localhost:3000")
        made = self.hub.make_token(USER, "--name", "ci-hub.js", "--role", "write")
        digests = [hashlib.sha256(text.encode()).hexdigest() for text in (TOKEN, made)]
        with sqlite3.connect(self.data / "names.db") as database:
            self.assertEqual(database.execute("UPDATE tokens SET digest = ? WHERE digest = ?", digests).rowcount, 1)
            database.execute("UPDATE accounts SET id = ? WHERE name = ?", (ACCOUNT, USER))
            database.execute("INSERT INTO sessions SELECT ?, id, 4000000000 FROM tokens WHERE digest = ?",
                             (hashlib.sha256(COOKIE.encode()).hexdigest(), digests[0]))
        database.close()
        readme = (PACKAGE / "src/lib/download-file.spec.ts").read_text().split("text?.includes(`")[1].split("`)")[0]
        publish(self.hub, self.hub.make_writer("openai-community"), "openai-community/gpt2", {"README.md": readme.encode()})
        publish(self.hub, self.hub.make_writer("celinah"), "celinah/xet-experiments",
                {"large_text.txt": b"this is a text file." * 10_000})

    def serve_elsewhere(self):
        config = (PACKAGE / "src/lib/upload-file.spec.ts").read_text().split("`\n{\n")[1].split("\n}\n")[0]
        folder = "/spaces/huggingfacejs/push-model-from-web/resolve/main/mobilenet/"
        Elsewhere.files = {"/gpt2/raw/main/config.json": b"{\n" + config.encode() + b"\n}\n",
                           "/spaces/aschen/push-model-from-web/raw/main/mobilenet/model.json": b'{"a": 1}',
                           **{folder + name: bytes(4_194_304) for name in ("group1-shard1of2", "group1-shard2of2")},
                           folder + "model.json": b"{}", folder + "coffee.jpg": b"\xff\xd8\xff\xe0",
                           folder + "README.md": b"# Mobile\n"}
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def test_their_own_tests(self):
        self.seed()
        files = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.glob("src/**/*.spec.ts")
                       if "TEST_HUB_URL" in path.read_text())
        report = self.folder / "specs.json"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        done = subprocess.run(
            ["node", SOURCE / "node_modules/vitest/vitest.mjs", "run", "--config", SOURCE / "tests/clients/specs.config.mjs",
             f"--outputFile={report}", *files], cwd=PACKAGE, timeout=500, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**environment, "HUB_URL": self.hub.url, "ELSEWHERE": self.serve_elsewhere()})
        self.assertTrue(report.exists(), done.stdout)
        results = [test for file in json.loads(report.read_text())["testResults"] for test in file["assertionResults"]]
        failed = {test["fullName"]: test["failureMessages"] for test in results if test["status"] != "passed"}
        print(f"{len(results) - len(failed)} of {len(results)} tests in {len(files)} files pass; not:")
        for name in failed:
            print(f"  {name}: {EXPECTED.get(name, 'not expected')}")
        for name in failed.keys() - EXPECTED.keys():
            print(name, *failed[name], sep="\n")
        self.assertEqual(failed.keys(), EXPECTED.keys())
        self.assertEqual(len(results), 39)


if __name__ == "__main__":
    hub_process.main()
