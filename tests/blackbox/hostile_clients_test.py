"""500 clients that are slow, broken or malicious, all at once, and the others are served all the same; each limit has its own
answer."""
import collections
import contextlib
import http.client
import pathlib
import re
import socket
import statistics
import struct
import subprocess
import time

from tests import harness
from tests.harness import weights
from tests.harness.mirror import call, publish

EACH = 56  # of each of nine kinds: 504
CONTENT = weights.gguf(weights.noise(3, 8 << 20))
FILE = "/ana/w/resolve/main/w.gguf"
SMALL = "/ana/w/resolve/main/README.md"


class Hostile:
    """A connection that sends `steps` one after the other, a moment between them, and then its `drip` again and again; it
    reads what comes, unless it is `deaf`. `status` is the first answer's. In the end it may say that nothing more comes
    (`end` is "half") or be gone without a word ("reset")."""

    def __init__(self, port, steps, drip=b"", deaf=False, end=None):
        self.end = end
        self.socket = socket.socket()
        if deaf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.steps = list(steps)
        self.drip = drip
        self.deaf = deaf
        self.answer = b""
        self.open = True

    def step(self):
        """Sends a little more, and takes what has come."""
        if not self.open:
            return
        try:
            more = self.steps.pop(0) if self.steps else self.drip
            if more:
                sent = self.socket.send(more)
                if sent < len(more):
                    self.steps.insert(0, more[sent:])
            elif self.end == "half":
                self.socket.shutdown(socket.SHUT_WR)
                self.end = None
            elif self.end == "reset":
                # No FIN and no reading of what is under way: the kernel answers with a reset.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.socket.close()
                self.open = False
                return
        except BlockingIOError:
            pass
        except OSError:
            self.open = False
        try:
            while not self.deaf:
                block = self.socket.recv(65536)
                if not block:
                    self.open = False
                    break
                self.answer += block[:4096 - len(self.answer)]
        except BlockingIOError:
            pass
        except OSError:
            self.open = False

    @property
    def status(self):
        return int(self.answer[9:12]) if self.answer.startswith(b"HTTP/1.1 ") else None


class HostileClients(harness.TestCase):
    @classmethod
    def make_seed(cls):
        return None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana = cls.hub.make_writer("ana")
        publish(cls.hub, cls.ana, "ana/w", {"README.md": b"# Weights\n", "w.gguf": CONTENT})

    def time_of_small_answers(self, count):
        times = []
        for _ in range(count):
            begin = time.monotonic()
            answer = call(self.hub, "GET", SMALL, timeout=20)
            times.append(time.monotonic() - begin)
            self.assertEqual((answer.status, answer.body), (200, b"# Weights\n"))
        return times

    def make_clients(self):
        head = f"Host: x\r\nAuthorization: Bearer {self.ana}\r\n".encode()
        post = b"POST /api/repos/create HTTP/1.1\r\n" + head
        port = self.hub.port
        for _ in range(EACH):
            yield "slow head", Hostile(port, [b"GET / HTTP/1.1\r\n"], drip=b"X")
            yield "silent", Hostile(port, [])
            yield "endless body", Hostile(port, [post + b"Transfer-Encoding: chunked\r\n\r\n"],
                                          drip=b"10000\r\n" + bytes(0x10000) + b"\r\n")
            yield "bad chunk", Hostile(port, [post + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"])
            get = f"GET {FILE} HTTP/1.1\r\n".encode() + head
            yield "deaf", Hostile(port, [get + b"\r\n"], deaf=True)
            # On one connection, again and again: beyond the end, backwards, none at all, too many.
            yield "bad range", Hostile(port, [get + b"Range: bytes=99999999-\r\n\r\n"], drip=b"".join(
                b"HEAD" + get[3:] + b"Range: bytes=" + ranges + b"\r\n\r\n"
                for ranges in (b"99999999-", b"7-3", b"-", b"x-y", b"18446744073709551616-", b"0-0," * 3000)))
            yield "half a head", Hostile(port, [b"GET / HTTP/1.1\r\nHost: x"], end="half")
            yield "half-closed", Hostile(port, [b"GET " + SMALL.encode() + b" HTTP/1.1\r\n" + head + b"\r\n"], end="half")
            yield "vanished", Hostile(port, [get + b"\r\n"], deaf=True, end="reset")

    def test_others_are_served_meanwhile(self):
        quiet = self.time_of_small_answers(40)
        clients = list(self.make_clients())
        times = []
        for _ in range(20):
            for _, client in clients:
                client.step()
            times += self.time_of_small_answers(2)
            whole = call(self.hub, "GET", FILE, timeout=60) if len(times) % 20 == 0 else None
            self.assertIn(whole and whole.body, (None, CONTENT))
        ratio = statistics.median(times) / statistics.median(quiet)
        print(f"small answers beside {len(clients)} hostile clients: median {ratio:.1f} times that of a quiet hub, "
              f"longest {max(times):.2f} s")
        self.assertLess(max(times), 10)

        # What had a limit to run into has, and was told.
        endless = [client for kind, client in clients if kind == "endless body"]
        harness.wait_for(lambda: [client.step() for client in endless] and all(client.status for client in endless),
                         "the limit of bodies", 60)
        halves = [client for kind, client in clients if kind in ("half a head", "half-closed")]
        harness.wait_for(lambda: [client.step() for client in halves] and not any(client.open for client in halves),
                         "those to be told who send no more", 60)
        found = collections.Counter((kind, client.status) for kind, client in clients)
        self.assertEqual(found["bad chunk", 400], EACH, found)
        self.assertEqual(found["endless body", 413], EACH, found)
        self.assertEqual(found["bad range", 416], EACH, found)
        # Who only stops to send has its answer all the same; half a request has none to get, and ends.
        self.assertEqual(found["half-closed", 200], EACH, found)
        self.assertFalse([client for kind, client in clients if kind in ("half a head", "half-closed") and client.open])
        status = pathlib.Path(f"/proc/{self.hub.process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) >> 10
        print(f"the hub took {peak} MiB at most")
        self.assertLess(peak, 400)
        for _, client in clients:
            client.socket.close()
        self.assertLess(statistics.median(self.time_of_small_answers(10)), 2)

    # --------------------------------------------------------------------------------------- git

    def push_noise(self):
        """A repository whose pack has 8 MB, more than the kernel takes of an answer that nobody reads; its tip."""
        call(self.hub, "POST", "/api/repos/create", self.ana, {"name": "git"})
        folder = self.folder / "noise"

        def git(*arguments):
            return subprocess.run(["git", "-c", "user.name=ana", "-c", "user.email=ana@example.org", *arguments],
                                  cwd=folder if folder.exists() else self.folder, check=True, timeout=120, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout.strip()

        git("clone", "-q", f"http://ana:{self.ana}@127.0.0.1:{self.hub.port}/ana/git", str(folder))
        for name in ("one.txt", "two.txt"):
            (folder / name).write_text(weights.noise(name, 4_000_000).hex())
        git("add", ".")
        git("commit", "-q", "-m", "noise")
        git("push", "-q", "origin", "HEAD:main")
        return git("rev-parse", "HEAD")

    def fetch(self, body, token=None, source="127.0.0.1"):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60, source_address=(source, 0))
        headers = {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}
        connection.request("POST", "/ana/git.git/git-upload-pack", body,
                           {**headers, **({"Authorization": f"Bearer {token}"} if token else {})})
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def programs(self):
        """How many programs the hub has started and not ended."""
        done = subprocess.run(["ps", "--no-headers", "-o", "pid", "--ppid", str(self.hub.process.pid)], text=True,
                              stdout=subprocess.PIPE)
        return len(done.stdout.split())

    def test_who_does_not_read_takes_his_own_share_of_git(self):
        tip = self.push_noise()
        body = b"0011command=fetch0001000fno-progress" + f"0032want {tip}\n".encode() + b"0009done\n0000"
        self.assertEqual(self.fetch(body)[0], 200)
        before = self.programs()
        request = (b"POST /ana/git.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nGit-Protocol: version=2\r\nContent-Length: "
                   + str(len(body)).encode() + b"\r\n\r\n" + body)
        deaf = [Hostile(self.hub.port, [request], deaf=True) for _ in range(6)]
        for client in deaf:
            client.step()
        harness.wait_for(lambda: self.programs() - before >= 4, "four fetches")
        # Others have theirs, from elsewhere or by a token, while the same client has to wait.
        for other in ({"source": "127.0.0.2"}, {"token": self.ana}):
            status, _, pack = self.fetch(body, **other)
            self.assertEqual(status, 200)
            self.assertGreater(len(pack), 4_000_000)
        self.assertEqual(self.programs() - before, 4)
        status, headers, words = self.fetch(body)
        self.assertEqual((status, headers["Retry-After"]), (429, "30"))
        self.assertIn(b"4 git transfers under way", words)
        for client in deaf:
            client.socket.close()
        harness.wait_for(lambda: self.programs() == before, "the end of what nobody reads", 30)
        self.assertEqual(self.fetch(body)[0], 200)

    def test_each_limit_has_its_answer(self):
        head = "Host: x\r\n\r\n"
        for request, status in (
                ("GET / HTTP/1.1\r\nX: " + "a" * 20_000 + "\r\n" + head, 431),
                ("GET /" + "a" * 20_000 + " HTTP/1.1\r\n" + head, 431),
                ("GET / HTTP/9.9\r\n" + head, 505),
                ("GET / HTTP/1.1\r\n\r\n", 400),
                ("BREW / HTTP/1.1\r\n" + head, 405),
                (f"GET {FILE} HTTP/1.1\r\nRange: bytes=99999999-\r\n" + head, 416),
                (f"GET {FILE} HTTP/1.1\r\nRange: bytes=0-1,5-6,{'9-9,' * 2000}0-0\r\n" + head, 200),
                ("POST /api/repos/create HTTP/1.1\r\nContent-Length: 99999999\r\n" + head, 413),
                ("GET / HTTP/1.1\r\nHost: x\r\nX", 408)):
            with self.subTest(request=request[:60]):
                client = Hostile(self.hub.port, [request.encode()])
                harness.wait_for(lambda: client.step() or client.status, "an answer", 30)
                self.assertEqual(client.status, status, client.answer[:300])
                if status >= 400:
                    self.assertIn(b"\r\n\r\n", client.answer)
                    self.assertTrue(client.answer.split(b"\r\n\r\n", 1)[1].strip(), "an answer has words")
                client.socket.close()


if __name__ == "__main__":
    harness.main()
