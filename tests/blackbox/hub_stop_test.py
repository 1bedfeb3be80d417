"""How a hub ends: at once when nothing is open, after a grace time when something is, at once at the second signal."""
import signal
import socket
import time

from tests import harness


class HubStop(harness.TestCase):
    @classmethod
    def make_seed(cls):
        return None

    def end(self, process):
        code = process.wait(timeout=20)
        process.communicate()
        self.assertFalse((self.hub.folder / "ready").exists())
        return code

    def hold_a_request(self):
        """A connection whose request never ends."""
        held = socket.create_connection(("127.0.0.1", self.hub.port), timeout=20)
        self.addCleanup(held.close)
        held.sendall(b"POST /api/repos/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        self.assertIn(b"100 Continue", held.recv(4096))  # the hub is in the middle of it

    def test_signals(self):
        for first in (signal.SIGINT, signal.SIGTERM):
            began = time.monotonic()
            self.hub.process.send_signal(first)
            self.assertEqual(self.end(self.hub.process), 0)
            self.assertLess(time.monotonic() - began, 2.5, "nothing was open")
            self.hub.start()

        # One that is in the middle of something gives it three seconds...
        self.hold_a_request()
        process = self.hub.process
        process.send_signal(signal.SIGINT)
        harness.wait_for(lambda: not (self.hub.folder / "ready").exists(), "the hub to begin to stop")
        self.assertIsNone(process.poll())
        # ...and none when it is told a second time.
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process), -signal.SIGINT)
        self.hub.start()


if __name__ == "__main__":
    harness.main()
