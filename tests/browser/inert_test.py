"""What a repository holds never runs as a page of the hub: HTML, SVG and scripts, opened and embedded in a real Chromium."""
import base64
import http.server
import json
import subprocess
import threading

from tests.clients import hub_process
from tests.harness import SOURCE


class Sink(http.server.BaseHTTPRequestHandler):
    """A page of somebody else's that embeds the hub's files, and what their scripts would call."""
    seen = []
    page = ""

    def do_GET(self):
        Sink.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(Sink.page.encode())

    def log_message(self, *_):
        pass


class Inert(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        threading.Thread(target=cls.sink.serve_forever, daemon=True).start()
        cls.url = f"http://127.0.0.1:{cls.sink.server_address[1]}"
        script = f"new Image().src = '{cls.url}/ran-' + location.pathname.split('.').pop(); document.title = 'ran';"
        cls.files = {
            "page.html": f"<!doctype html><title>quiet</title><body onload=\"{script}\"><script>{script}</script>",
            "README.md": f"---\nlicense: mit\n---\n<script>{script}</script><img src=x onerror=\"{script}\">",
            "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{script}"><script>{script}</script></svg>',
            "code.js": script,
        }

    @classmethod
    def tearDownClass(cls):
        cls.sink.shutdown()
        cls.sink.server_close()
        super().tearDownClass()

    def open(self, *urls):
        """The title of each page after its scripts."""
        done = subprocess.run(["node", SOURCE / "tests/browser/open_all.mjs", *urls], text=True, stdout=subprocess.PIPE,
                              timeout=200)
        self.assertEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def test_files_of_a_repository_run_no_script(self):
        self.api("POST", "/api/repos/create", self.ana, {"type": "model", "name": "inert"})
        lines = [{"key": "header", "value": {"summary": "files"}}]
        for path, text in self.files.items():
            content = base64.b64encode(text.encode()).decode()
            lines.append({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
        self.api("POST", "/api/models/ana/inert/commit/main", self.ana, lines=lines)
        links = [f"{self.hub.url}/ana/inert/{verb}/main/{path}" for verb in ("resolve", "raw") for path in self.files]
        # The test can fail: the same page from somebody else runs.
        Sink.page = self.files["page.html"]
        self.assertEqual(self.open(self.url + "/page.html"), ["ran"])
        self.assertTrue([path for path in Sink.seen if path.startswith("/ran-")])
        Sink.page = "<!doctype html>" + "".join(
            f'<iframe src="{link}"></iframe><img src="{link}"><embed src="{link}"><object data="{link}"></object>'
            f'<script src="{link}"></script>' for link in links)
        Sink.seen.clear()
        self.assertNotIn("ran", self.open(*links, self.url + "/embeds.html"))
        self.assertEqual([path for path in Sink.seen if path.startswith("/ran-")], [])


if __name__ == "__main__":
    hub_process.main()
