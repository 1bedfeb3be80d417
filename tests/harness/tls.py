"""A TLS end in front of a hub, as a reverse proxy is one: certificates by openssl, TLS by Python's ssl, HTTP passed on."""
import contextlib
import http.client
import http.server
import socketserver
import ssl
import subprocess
import threading


class TlsEnd:
    """Takes https on loopback and asks the hub over plain HTTP, with the Host that the client sent, and the two headers that a
    proxy adds. `certificate` is what clients have to trust."""

    def __init__(self, hub, folder):
        self.hub = hub
        self.requests = 0
        self.certificate, key = folder / "tls.crt", folder / "tls.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=locara test", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        end = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                self.request = context.wrap_socket(self.request, server_side=True)  # in a thread of its own
                super().setup()

            def finish(self):
                with contextlib.suppress(OSError):
                    super().finish()
                self.request.close()

            def do_GET(self):
                end.requests += 1
                end.pass_on(self)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that trust nobody, or leave early

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pass_on(self, handler):
        body = self.body_of(handler)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)) as hub:
            hub.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "expect"):
                    hub.putheader(name, value)
            for name, value in (("X-Forwarded-Proto", "https"), ("X-Forwarded-For", handler.client_address[0])):
                hub.putheader(name, value)
            if body is not None:
                hub.putheader("Content-Length", str(len(body)))
            hub.endheaders(body or None)
            answer = hub.getresponse()
            content = answer.read()
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(content)

    def body_of(self, handler):
        """What a client sent with its request; None for nothing at all."""
        if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(handler.rfile.readline(), 16):
                body += handler.rfile.read(size)
                handler.rfile.readline()
            handler.rfile.readline()
            return body
        length = handler.headers.get("Content-Length")
        return None if length is None else handler.rfile.read(int(length))

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
