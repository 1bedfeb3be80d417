"""Requests of clients that no registry offers, sent again as they were recorded (replayed.json), with each answer held to what
the client's own code reads of it.

The record: huggingface_hub 1.29 (development version of August 2026) and its `hf`, without `hf_xet`, run by hand against a hub
through a proxy that wrote down each request: method, path, headers, body, and the status it was answered with. What the answer
to an earlier request decides stands in it as <commit>, <href>, <pr>; what differs from run to run as <repo>, <space>, <name>,
<token>. Left out are headers of the connection itself and the random X-Amzn-Trace-Id.
"""
import base64
import hashlib
import http.client
import json
import pathlib
import re

RECORD = {one["operation"]: one["requests"]
          for one in json.loads((pathlib.Path(__file__).parent / "replayed.json").read_text())}


class Reply:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def need(condition, what):
    if not condition:
        raise AssertionError(what)


class Replay:
    """A client of one repository ("space/name") on a hub."""

    def __init__(self, url, repo, token):
        space, name = repo.split("/")
        self.url, self.repo, self.token = url, repo, token
        self.values = {"repo": repo, "space": space, "name": name, "token": token or ""}
        self.files = {}  # path: what was downloaded of it
        self.heads = {}  # path: its ETag and size
        self.modes = {}  # path: how it has to come

    def run(self, operation):
        for request in RECORD[operation]:
            reply = self.send(request)
            what = f"{operation}: {request['method']} {self.fill(request['path'])}: {reply.status} {reply.body[:200]}"
            need(reply.status == request["status"], f"{what}, recorded {request['status']}")
            self.read(request, reply, what)

    def fill(self, text):
        return re.sub("<(repo|space|name|token|commit|href|pr)>", lambda found: self.values[found[1]], text)

    def send(self, request):
        path = self.fill(request["path"])
        if request["path"] == "<href>":
            need(path.startswith(self.url + "/"), f"{path} leads elsewhere")
            path = path[len(self.url):]
        body = base64.b64decode(request["base64"]) if "base64" in request else self.fill(request.get("body", "")).encode()
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        connection.putrequest(request["method"], path, skip_accept_encoding=True)
        for name, value in request["headers"].items():
            if self.token or name.lower() != "authorization":
                connection.putheader(name, self.fill(value))
        if body or request["method"] in ("POST", "PUT"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        reply = Reply(connection.getresponse())
        connection.close()
        return reply

    # ------------------------------------------------------------- what the library does with an answer

    READERS = (  # the first whose method and path fit
        ("GET", "/api/whoami-v2", "whoami"), ("POST", "/api/repos/create", "created"), ("POST", "/api/validate-yaml", "card"),
        ("POST", "/api/models/.*/preupload/", "preupload"), ("POST", ".*/info/lfs/objects/batch", "batch"),
        ("POST", "/api/models/.*/commit/", "commit"), ("GET", "/api/models/.*/revision/", "revision"),
        ("GET", "/api/models/.*/tree/", "tree"), ("HEAD", ".*/resolve/", "head"), ("GET", ".*/resolve/", "content"))

    def read(self, request, reply, what):
        if reply.status >= 400 and reply.status != 409:
            return self.error(request, reply, what)
        for method, pattern, name in self.READERS:
            if method == request["method"] and re.match(pattern, request["path"]):
                return getattr(self, name)(request, reply, what)

    def error(self, request, reply, what):
        """hf_raise_for_status: the error by its code, on plain http by nothing else."""
        missing = "EntryNotFound" if request["path"].endswith("none.txt") else \
            "RevisionNotFound" if "/nope" in request["path"] else "RepoNotFound"
        need(reply.headers["X-Error-Code"] == missing, f"{what} says {reply.headers['X-Error-Code']}, not {missing}")
        need(reply.headers["X-Request-Id"], f"{what} has no X-Request-Id")
        if missing == "EntryNotFound":  # else a miss is not remembered
            need(re.fullmatch("[0-9a-f]{40}", reply.headers["X-Repo-Commit"] or ""), f"{what} has no commit")
        if request["method"] != "HEAD":
            need(isinstance(reply.json(), dict) and isinstance(reply.json()["error"], str), what)

    def whoami(self, request, reply, what):
        need(reply.json()["name"] == self.values["space"] and isinstance(reply.json()["orgs"], list), what)

    def created(self, request, reply, what):
        """create_repo: RepoUrl of "url", also of a 409."""
        need(reply.json()["url"] == f"{self.url}/{self.repo}", what)

    def card(self, request, reply, what):
        """_validate_yaml: "warnings", each with its "message"."""
        need([warning["message"] for warning in reply.json().get("warnings", [])] == [], what)

    def preupload(self, request, reply, what):
        """_fetch_upload_modes, _validate_preupload_info."""
        sent = [file["path"] for file in json.loads(request["body"])["files"]]
        found = {file["path"]: file for file in reply.json()["files"]}
        need(sorted(found) == sorted(sent), what)
        for path, file in found.items():
            need(file["uploadMode"] == ("lfs" if path.endswith(".bin") else "regular") and file["shouldIgnore"] is False, what)

    def batch(self, request, reply, what):
        """post_lfs_batch_info, _upload_lfs_object: no "actions" means that it is here."""
        sent, = json.loads(request["body"])["objects"]
        found, = reply.json()["objects"]
        need(reply.json().get("transfer", "basic") == "basic", what)
        need((found["oid"], found["size"]) == (sent["oid"], sent["size"]), what)
        need("error" not in found and found.get("actions", True), what)
        if "actions" in found:
            need("chunk_size" not in found["actions"]["upload"].get("header", {}), f"{what}: in parts, for so little")
            self.values["href"] = found["actions"]["upload"]["href"]

    def commit(self, request, reply, what):
        """CommitInfo: its URL is taken apart by the endpoint's own."""
        done = reply.json()
        need(re.fullmatch("[0-9a-f]{40}", done["commitOid"]), what)
        need(done["commitUrl"] == f"{self.url}/{self.repo}/commit/{done['commitOid']}", what)
        need(("pullRequestUrl" in done) == ("create_pr=1" in request["path"]), what)
        if "pullRequestUrl" in done:
            self.values["pr"] = done["pullRequestUrl"].rsplit("/", 1)[1]
            need(done["pullRequestUrl"] == f"{self.url}/{self.repo}/discussions/{int(self.values['pr'])}", what)

    def revision(self, request, reply, what):
        need(re.fullmatch("[0-9a-f]{40}", reply.json()["sha"]), what)
        self.values["commit"] = reply.json()["sha"]

    def tree(self, request, reply, what):
        """RepoFile, RepoFolder."""
        for entry in reply.json():
            need(entry["type"] in ("file", "directory") and re.fullmatch("[0-9a-f]{40}", entry["oid"]), what)
            if entry["type"] == "file":
                need(isinstance(entry["size"], int), what)
            if "lfs" in entry:
                need(re.fullmatch("[0-9a-f]{64}", entry["lfs"]["oid"]) and entry["lfs"]["size"] == entry["size"] and
                     entry["lfs"]["pointerSize"] > 0, what)

    def path_of(self, request):
        return re.split("/resolve/[^/]+/", self.fill(request["path"]))[1]

    def head(self, request, reply, what):
        """get_hf_file_metadata: commit, ETag and size must be there."""
        commit, etag = reply.headers["X-Repo-Commit"], reply.headers["X-Linked-Etag"] or reply.headers["ETag"]
        size = reply.headers["X-Linked-Size"] or reply.headers["Content-Length"]
        need(re.fullmatch("[0-9a-f]{40}", commit or "") and etag and size is not None, f"{what} {reply.headers}")
        if "<commit>" in request["path"]:
            need(commit == self.values["commit"], what)
        self.heads[self.path_of(request)] = (re.sub('^W/|"', "", etag), int(size))

    def content(self, request, reply, what):
        """http_get: as many bytes as the head said; the file is kept under the ETag, which `hf cache verify` holds it to."""
        path = self.path_of(request)
        etag, size = self.heads[path]
        digest = hashlib.sha256(reply.body).hexdigest() if len(etag) == 64 else blob_id(reply.body)
        need((digest, len(reply.body)) == (etag, size), f"{what}: not the bytes of {etag}")
        self.files[path] = reply.body
