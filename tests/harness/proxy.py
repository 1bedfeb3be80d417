"""A proxy that changes nothing: it passes the bytes of TCP connections on and counts them."""
import contextlib
import socket
import threading

BLOCK = 256 << 10


class CountingProxy:
    """Stands between client and hub. `sent` counts what clients sent, `received` what they were sent: heads, bodies,
    refusals, everything. Links that the hub gives lead through it too, since they are made from the Host of a request.
    """

    def __init__(self, hub):
        self.hub = hub
        self.sent = self.received = 0  # under lock_
        self.lock_ = threading.Lock()
        self.trap_ = None  # under lock_
        self.listener_ = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener_.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept_, daemon=True).start()

    @property
    def total(self):
        with self.lock_:
            return self.sent + self.received

    def reset(self):
        with self.lock_:
            self.sent = self.received = 0
            self.trap_ = None

    def call_when(self, action, sent=None, received=None, request=None):
        """Calls `action` once, in the middle of things and before these bytes go on: as soon as so many bytes were
        counted, or bytes like `request` come from a client (a method with the beginning of its target)."""
        with self.lock_:
            self.trap_ = (action, sent, received, request)

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener_.shutdown(socket.SHUT_RDWR)
        self.listener_.close()

    # -------------------------------------------------------------------------------- threads

    def accept_(self):
        while True:
            try:
                client, _ = self.listener_.accept()
            except OSError:
                return  # stopped
            try:
                hub = socket.create_connection(("127.0.0.1", self.hub.port), timeout=20)
            except OSError:
                client.close()  # no hub just now
                continue
            hub.settimeout(None)
            for end in (client, hub):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            open_ends = threading.Semaphore(1)
            for source, target in ((client, hub), (hub, client)):
                threading.Thread(target=self.pump_, args=(source, target, source is client, open_ends),
                                 daemon=True).start()

    def pump_(self, source, target, from_client, open_ends):
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                self.count_(data, from_client)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        if not open_ends.acquire(blocking=False):  # the other direction has ended, too
            source.close()
            target.close()

    def count_(self, data, from_client):
        with self.lock_:
            if from_client:
                self.sent += len(data)
            else:
                self.received += len(data)
            if self.trap_ is None:
                return
            action, sent, received, request = self.trap_
            if not (sent is not None and self.sent >= sent or received is not None and self.received >= received or
                    request is not None and from_client and request in data):
                return
            self.trap_ = None
        action()
