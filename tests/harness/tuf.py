"""A TUF repository that tests write as they like, honest or not, and a server for it that counts and lies.

It shares no code with the programs under test: keys and signatures are Ed25519 by RFC 8032, section 5.1, documents are
in OLPC canonical JSON, both written here.
"""
import contextlib
import copy
import datetime
import hashlib
import http.server
import json
import os
import threading
import urllib.parse

# ------------------------------------------------------------------------------------ Ed25519

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def _add(a, b):
    """RFC 8032, section 5.1.4: extended homogeneous coordinates."""
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _base_powers():
    y = 4 * pow(5, -1, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = min(x, P - x, key=lambda root: root & 1)
    powers = [(x, y, 1, x * y % P)]
    while len(powers) < 256:
        powers.append(_add(powers[-1], powers[-1]))
    return powers


BASE_POWERS = _base_powers()


def _times_base(scalar):
    point = (0, 1, 1, 0)
    for bit, power in enumerate(BASE_POWERS):
        if scalar >> bit & 1:
            point = _add(point, power)
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


class Key:
    """A signing key. `id` and `object` may be changed: signatures go by them."""

    def __init__(self, seed=None):
        digest = hashlib.sha512(seed or os.urandom(32)).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = digest[32:]
        self.public = _times_base(self.scalar)
        self.object = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": self.public.hex()}}
        self.id = hashlib.sha256(canonical(self.object)).hexdigest()

    def sign(self, message):
        nonce = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % ORDER
        point = _times_base(nonce)
        challenge = int.from_bytes(hashlib.sha512(point + self.public + message).digest(), "little")
        return point + ((nonce + challenge * self.scalar) % ORDER).to_bytes(32, "little")

    def under(self, name):
        """The same key under another id."""
        other = copy.copy(self)
        other.id = name
        return other


# ------------------------------------------------------------------------------------ documents

def canonical(value):
    """OLPC canonical JSON, for documents without fractions."""
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, dict):
        return b"{" + b",".join(canonical(k) + b":" + canonical(value[k]) for k in sorted(value)) + b"}"
    return {True: b"true", False: b"false", None: b"null"}[value] if value is None or isinstance(value, bool) \
        else str(value).encode()


def in_days(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Repository:
    """Documents (`docs`, by role), the keys that sign them (`keys`), and what is served (`files`, by address).

    Nothing is consistent by itself: `publish` signs the roles it is given, as they stand, in that order.
    """

    def __init__(self, root_keys=2, hashes=False):
        self.files = {}
        self.hashes = hashes
        self.keys = {role: [Key()] for role in ("timestamp", "snapshot", "targets")}
        self.keys["root"] = [Key() for _ in range(root_keys)]
        self.docs = {}
        self.add_document("root", "root", consistent_snapshot=True, keys={}, roles={})
        for role in ("root", "timestamp", "snapshot", "targets"):
            self.appoint(role, self.keys[role], len(self.keys[role]))
        self.add_document("timestamp", "timestamp", meta={})
        self.add_document("snapshot", "snapshot", meta={})
        self.add_document("targets", "targets", targets={})
        self.publish("root", "targets", "snapshot", "timestamp")

    def add_document(self, role, kind, **content):
        self.docs[role] = {"_type": kind, "spec_version": "1.0.34", "version": 0, "expires": in_days(30), **content}

    def appoint(self, role, keys, threshold=1, parent=None):
        """Says in root, or in `parent`, who signs a role; from now on those keys do."""
        self.keys[role] = list(keys)
        if parent is None:
            place, entry = self.docs["root"], self.docs["root"]["roles"].setdefault(role, {})
        else:
            place = self.docs[parent]["delegations"]
            entry = next(one for one in place["roles"] if one["name"] == role)
        for key in keys:
            place["keys"][key.id] = key.object
        entry.update(keyids=[key.id for key in keys], threshold=threshold)

    def delegate(self, parent, role, paths, terminating=False):
        """Delegates to a role, which is made if it is not there; it may have other parents."""
        place = self.docs[parent].setdefault("delegations", {"keys": {}, "roles": []})
        place["roles"].append({"name": role, "paths": paths, "terminating": terminating})
        if role not in self.docs:
            self.add_document(role, "targets", targets={})
            self.keys[role] = [Key()]
        self.appoint(role, self.keys[role], 1, parent)

    def add_target(self, role, path, content, algorithms=("sha256",)):
        hashes = {name: hashlib.new(name, content).hexdigest() for name in algorithms}
        self.docs[role]["targets"][path] = {"length": len(content), "hashes": hashes}
        folder, _, name = path.rpartition("/")
        for digest in hashes.values():
            self.files["targets/" + (folder + "/" if folder else "") + f"{digest}.{name}"] = content
        self.files["targets/" + path] = content

    def address(self, role, version=None):
        name = urllib.parse.quote(role, safe="") + ".json"
        versioned = role == "root" or role != "timestamp" and self.docs["root"]["consistent_snapshot"]
        return f"metadata/{version or self.docs[role]['version']}.{name}" if versioned else f"metadata/{name}"

    def render(self, role, keys=None):
        content = self.docs[role]
        message = canonical(content)
        signatures = [{"keyid": key.id, "sig": key.sign(message).hex()} for key in (keys or self.keys[role])]
        return json.dumps({"signatures": signatures, "signed": content}, indent=1).encode()

    def meta(self, role):
        meta = {"version": self.docs[role]["version"]}
        if self.hashes:
            content = self.files[self.address(role)]
            meta.update(length=len(content), hashes={"sha256": hashlib.sha256(content).hexdigest()})
        return meta

    def sign(self, role, keys=None):
        """Signs and serves a role as it stands."""
        self.files[self.address(role)] = self.render(role, keys)

    def publish(self, *roles):
        """Makes the next version of each role; snapshot lists what was published before it, timestamp the snapshot."""
        for role in roles:
            self.docs[role]["version"] += 1
            if role == "timestamp":
                self.docs[role]["meta"] = {"snapshot.json": self.meta("snapshot")}
            self.sign(role)
            if role not in ("root", "timestamp", "snapshot"):
                self.docs["snapshot"]["meta"][role + ".json"] = self.meta(role)

    def publish_root(self, *more_keys):
        """The next root, signed by its own keys and the given ones, the old ones for instance."""
        self.docs["root"]["version"] += 1
        self.sign("root", [*self.keys["root"], *more_keys])


# ------------------------------------------------------------------------------------ the server

class Server:
    """Serves `repository.files` by the addresses as they were sent. An address in `endless` gives its bytes and then
    more without end; `sent` counts those."""

    def __init__(self, repository):
        self.repository = repository
        self.requests = []
        self.endless = {}
        self.sent = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.lstrip("/")
                owner.requests.append(path)
                if path in owner.endless:
                    self.send_endless(*owner.endless[path])
                    return
                # Names of roles must come encoded, targets are addressed as they are.
                name = urllib.parse.unquote(path) if path.startswith("targets/") else path
                content = owner.repository.files.get(name)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def send_endless(self, start, announced):
                self.close_connection = True
                self.send_response(200)
                self.send_header("Connection", "close")
                if announced is not None:
                    self.send_header("Content-Length", str(announced))
                self.end_headers()
                block = start
                with contextlib.suppress(OSError):
                    while owner.sent < 64 << 20:
                        self.wfile.write(block)
                        owner.sent += len(block)
                        block = b" " * 65536

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that leaves an endless answer is what these tests are about

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
