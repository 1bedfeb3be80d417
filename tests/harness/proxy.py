"""Proxies that count: one that changes nothing and passes the bytes of TCP connections on, and one that misbehaves."""
import contextlib
import http.client
import http.server
import json
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
        self.hidden = None  # part of a request's target, lower case, that then is not found
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
                if self.hidden and from_client:
                    data = data.replace(self.hidden, self.hidden.swapcase())
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


class Fault:
    """What a FaultyProxy does to one answer. Without any: nothing.

    status, headers, body: sent instead of asking the hub at all. edit: changes the JSON of an answer. flip: the byte at
    this offset of the body is another one. length: what Content-Length says instead. cut_after: the connection breaks
    after so many bytes of the body. hold_after: so many bytes are sent, then the event `release` is waited for (`patience`
    seconds at most), `held` is set before."""

    def __init__(self, status=None, headers=None, body=b"", edit=None, flip=None, length=None, cut_after=None,
                 hold_after=None, patience=30):
        self.status, self.headers, self.body, self.edit = status, headers or {}, body, edit
        self.flip, self.length, self.cut_after, self.hold_after = flip, length, cut_after, hold_after
        self.patience = patience
        self.held, self.release = threading.Event(), threading.Event()


class FaultyProxy:
    """Stands between a mirror and its upstream, and lets `rule(method, path, headers)` name a Fault for an answer.
    `requests` has what was asked, as (method, path, headers); `sent` counts bytes of bodies."""

    def __init__(self, hub, rule=None):
        self.hub = hub
        self.rule = rule
        self.requests = []
        self.sent = 0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                fault = proxy.rule and proxy.rule(self.command, self.path, self.headers) or Fault()
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fault.status:
                    status, headers, body = fault.status, fault.headers, fault.body
                else:
                    status, headers, body = proxy.ask_(self.command, self.path, self.headers, sent)
                if fault.edit and status == 200:
                    value = json.loads(body)
                    body = json.dumps(fault.edit(value) or value).encode()
                if fault.flip is not None:
                    body = body[:fault.flip] + bytes([body[fault.flip] ^ 1]) + body[fault.flip + 1:]
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if fault.length is None else fault.length))
                self.end_headers()
                proxy.send_(self, body, fault)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # mirrors that stop or are killed are what these tests are about

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask_(self, method, path, headers, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=20)
        kept = {k: v for k, v in headers.items() if k.lower() != "connection"}  # Host too: links lead here again
        upstream.request(method, path, body=body or None, headers=kept)
        answer = upstream.getresponse()
        found = answer.read()
        upstream.close()
        return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in (
            "connection", "transfer-encoding", "content-length")}, found

    def send_(self, handler, body, fault):
        if handler.command == "HEAD":
            return
        stops = sorted(at for at in (fault.hold_after, fault.cut_after) if at is not None)
        begin = 0
        for at in [*stops, len(body)]:
            handler.wfile.write(body[begin:at])
            handler.wfile.flush()
            self.sent += max(0, min(at, len(body)) - begin)
            begin = at
            if at == fault.hold_after:
                fault.held.set()
                fault.release.wait(fault.patience)
            if at == fault.cut_after:
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return

    def asked(self, start, method="GET"):
        """The requests of this method whose path begins so."""
        return [r for r in self.requests if r[0] == method and r[1].startswith(start)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
