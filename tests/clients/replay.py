"""Requests of clients that no registry offers, sent again as they were recorded (replayed.json), with each answer held to what
the client's own code reads of it.

The record: huggingface_hub 1.29 (development version of August 2026) and its `hf`, run by hand against a hub through a proxy that
wrote down each request: method, path, headers, body, and the status it was answered with. What the answer to an earlier request
decides stands in it as <commit>, <href>, <pr>, <num>, <comment>, <slug>, <item>; what differs from run to run as <repo>, <space>,
<name>, <token>, <asker> (who wants to be let in), <org>. Left out are headers of the connection itself and the random
X-Amzn-Trace-Id.

`hf_xet` was not to be had. Operations "by Xet" and those of buckets were recorded with a stand-in that asks for the token as it
does, where the client tells it to. What it then sends to the chunk store is not in the record: here a sample xorb and its shard.
"""
import base64
import hashlib
import http.client
import json
import pathlib
import re
import time
import urllib.parse
import urllib.request

from tests.harness import SOURCE

VECTORS = SOURCE / "src/xet/test/data"
SAMPLE = json.loads((VECTORS / "example.json").read_text())
SAMPLE_FILE = SAMPLE["files"]["random.bin"]

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

    def __init__(self, url, repo, token, asker="", org=""):
        space, name = repo.split("/")
        self.url, self.repo, self.token = url, repo, token
        self.values = {"repo": repo, "space": space, "name": name, "token": token or "", "asker": asker, "org": org}
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
        return re.sub("<(repo|space|name|token|asker|org|commit|href|pr|num|comment|slug|item)>",
                      lambda found: str(self.values[found[1]]), text)

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
        ("POST", "/api/(models|datasets|spaces)/.*/preupload/", "preupload"), ("POST", ".*/info/lfs/objects/batch", "batch"),
        ("POST", "/api/(models|datasets|spaces)/.*/commit/", "commit"),
        ("GET", ".*/xet-read-token", "xet_token"), ("GET", ".*/xet-write-token", "xet_upload"),
        ("POST", "/api/buckets/[^/]*$", "created_bucket"), ("GET", r"/api/buckets/(<space>|me)(\?|$)", "buckets"),
        ("GET", "/api/buckets/.*/tree", "bucket_files"), ("POST", "/api/buckets/.*/paths-info", "bucket_files"),
        ("POST", "/api/buckets/.*/batch", "batched"), ("HEAD", "/buckets/.*/resolve/", "bucket_head"),
        ("GET", "/api/buckets/", "bucket"),
        ("POST", "/api/models/<repo>/discussions$", "opened"), ("GET", "/api/models/<repo>/discussions/", "discussion"),
        ("GET", "/api/models/<repo>/discussions", "discussions"),
        ("POST", "/api/models/<repo>/discussions/<num>/(comment|title|status)", "changed_discussion"),
        ("GET", r"/api/collections\?", "collections"), ("POST", "/api/collections$", "opened_collection"),
        ("PATCH", "/api/collections/<slug>$", "changed_collection"), ("GET", "/api/collections/", "collection"),
        ("POST", "/api/collections/<slug>/items", "collection"),
        ("GET", r"/api/(models|datasets|spaces)\?", "infos"), ("GET", "/api/(models|datasets)-tags-by-type", "tags"),
        ("GET", "/api/settings/repositories", "storage"),
        ("GET", "/api/models/<repo>/refs", "refs"), ("GET", "/api/models/<repo>/commits/", "commits"),
        ("GET", "/api/models/<repo>/user-access-request/", "access_requests"), ("GET", "/api/models/<repo>/lfs-files", "lfs_files"),
        ("GET", "/api/users/.*/overview", "user"), ("GET", "/api/organizations/.*/overview", "organization"),
        ("GET", "/api/organizations/.*/members", "members"),
        ("GET", "/api/models/.*/tree/", "tree"), ("POST", "/api/models/.*/paths-info/", "tree"),
        ("GET", "/api/models/.*/auth-check", "anything"), ("GET", "/api/spaces/.*/runtime", "runtime"),
        ("GET", "/api/(models|datasets|spaces)/", "info"),
        ("HEAD", ".*/resolve/", "head"), ("GET", ".*/resolve/", "content"))

    def read(self, request, reply, what):
        if reply.status in (301, 302, 307, 308):
            return self.redirect(request, reply, what)
        if reply.status >= 400 and reply.status != 409:
            return self.error(request, reply, what)
        for method, pattern, name in self.READERS:
            if method == request["method"] and re.match(pattern, request["path"]):
                return getattr(self, name)(request, reply, what)

    def error(self, request, reply, what):
        """hf_raise_for_status: the error by its code, on plain http by nothing else."""
        path = request["path"]
        missing = "GatedRepo" if reply.status == 403 else \
            "EntryNotFound" if path.endswith("none.txt") or path.endswith("/resolve/main/b.txt") else \
            "RepoNotFound" if path.endswith("<space>/nope") else \
            "RevisionNotFound" if "/nope" in path or path.endswith("/revision/feat%2Fx") else \
            "CollectionNotFound" if path.endswith("/api/collections/<slug>") else \
            None if "/user-access-request/" in path or "/api/collections/" in path else "RepoNotFound"
        need(reply.headers["X-Error-Code"] == missing, f"{what} says {reply.headers['X-Error-Code']}, not {missing}")
        need(reply.headers["X-Request-Id"], f"{what} has no X-Request-Id")
        if missing == "GatedRepo":
            words = f"Access to model {self.repo} is restricted and you are not in the authorized list"
            need(reply.headers["X-Error-Message"].startswith(words), f"{what} {reply.headers['X-Error-Message']}")
        if missing == "EntryNotFound":  # else a miss is not remembered
            need(re.fullmatch("[0-9a-f]{40}", reply.headers["X-Repo-Commit"] or ""), f"{what} has no commit")
        if request["method"] != "HEAD":
            need(isinstance(reply.json(), dict) and isinstance(reply.json()["error"], str), what)

    def redirect(self, request, reply, what):
        """_httpx_follow_relative_redirects: with a host in it, a HEAD ends here, and the file is not found."""
        need(reply.headers["Location"].startswith("/"), f"{what} leads to {reply.headers['Location']}")

    def anything(self, request, reply, what):
        pass

    def runtime(self, request, reply, what):
        need(reply.json()["stage"] == "STOPPED", what)

    def whoami(self, request, reply, what):
        need(reply.json()["name"] == self.values["space"] and isinstance(reply.json()["orgs"], list), what)

    def created(self, request, reply, what):
        """create_repo: RepoUrl of "url", also of a 409."""
        sent = json.loads(self.fill(request["body"]))
        prefix = {"dataset": "datasets/", "space": "spaces/"}.get(sent.get("type"), "")
        need(reply.json()["url"] == f"{self.url}/{prefix}{sent['organization']}/{sent['name']}", what)

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
        place = re.match("/api/(models/)?(.*)/commit/", self.fill(request["path"]))[2]
        need(done["commitUrl"] == f"{self.url}/{place}/commit/{done['commitOid']}", what)
        need(("pullRequestUrl" in done) == ("create_pr=1" in request["path"]), what)
        if "pullRequestUrl" in done:
            self.values["pr"] = done["pullRequestUrl"].rsplit("/", 1)[1]
            need(done["pullRequestUrl"] == f"{self.url}/{self.repo}/discussions/{int(self.values['pr'])}", what)

    def info(self, request, reply, what):
        """ModelInfo and its siblings."""
        found = reply.json()
        need(found["id"] == re.match("/api/[a-z]*/([^/]*/[^/?]*)", self.fill(request["path"]))[1], what)
        if "expand=" in request["path"]:
            return need({"gated", "private"} <= set(found), what)
        need(re.fullmatch("[0-9a-f]{40}", found["sha"]) and found["author"] == found["id"].split("/")[0], what)
        need(all("rfilename" in sibling for sibling in found["siblings"]), what)
        if "blobs=true" in request["path"]:
            need(all(re.fullmatch("[0-9a-f]{40}", one["blobId"]) and isinstance(one["size"], int) for one in found["siblings"]), what)
            need(found["securityRepoStatus"]["scansDone"] in (True, False), what)
        self.values["commit"] = found["sha"]

    def infos(self, request, reply, what):
        """list_models, list_datasets, list_spaces: what was asked for, and nothing else."""
        query = urllib.parse.parse_qs(self.fill(request["path"]).partition("?")[2])
        for found in reply.json():
            need(found["id"].split("/")[0] == query["author"][0], what)
            need(set(query.get("filter", [])) <= set(found.get("tags", query.get("filter", []))), what)
            need(query.get("search", [""])[0] in found["id"], what)
            need(set(query.get("expand", [])) - {"mainSize"} <= set(found), what)
            if "full" in query:
                need(found["siblings"] and "lastModified" in found, what)
        # By what was recorded: each of these finds nothing.
        none = [query.get("filter") == ["dataset:none-of-that-name"], "inference" in query, query.get("gated") == ["true"],
                query["author"] == ["nobody-of-that-name"], "benchmark:official" in str(query), "datasets" in query,
                query.get("models", [""])[0].endswith("-none"), query.get("num_parameters") == ["min:100B"], "vllm" in query.get("apps", [])]
        need((reply.json() == []) == any(none), what)

    def tags(self, request, reply, what):
        need(all(one["type"] == kind and one["id"] for kind, all_ in reply.json().items() for one in all_), what)

    def storage(self, request, reply, what):
        """RepoStorageInfo."""
        need(self.repo in [one["id"] for one in reply.json()], what)
        need(all({"type", "updatedAt", "visibility", "storage", "storagePercent"} <= set(one) for one in reply.json()), what)

    # ------------------------------------------------------------- discussions and pull requests

    def opened(self, request, reply, what):
        self.values["num"] = reply.json()["num"]

    def discussion(self, request, reply, what):
        """DiscussionWithDetails; each event by its type (deserialize_event)."""
        found = reply.json()
        need((found["num"], found["repo"]["name"]) == (self.values["num"], self.repo), what)
        need(found["author"]["name"] == self.values["space"] and found["status"] in ("open", "closed", "merged", "draft"), what)
        for event in found["events"]:
            self.event(event, what)
        if found["isPullRequest"]:
            need(found["changes"]["base"] == "refs/heads/main" and found["filesWithConflicts"] in (False, []), what)
            need((found["status"] == "merged") == bool(found["changes"].get("mergeCommitId")), what)

    def event(self, event, what):
        need(event["id"] and event["createdAt"].endswith("Z"), what)
        need({"comment": {"edited", "hidden", "latest", "history"}, "status-change": {"status"}, "commit": {"subject", "oid"},
              "title-change": {"from", "to"}}[event["type"]] <= set(event["data"]), what)

    def discussions(self, request, reply, what):
        found = reply.json()
        need(found["start"] == 0 and found["count"] == len(found["discussions"]), what)
        need((found["count"] == 0) == ("nobody-of-that-name" in request["path"] or "type=pull_request" in request["path"]), what)
        for one in found["discussions"]:
            need(one["title"] and one["num"] and one["isPullRequest"] is False and one["author"]["name"], what)

    def changed_discussion(self, request, reply, what):
        """_post_discussion_changes: the event under a name of its own."""
        last = request["path"].rsplit("/", 1)[1]
        key = {"comment": "newMessage", "title": "newTitle", "status": "newStatus"}.get(last, "updatedComment")
        event = reply.json()[key]
        self.event(event, what)
        if last == "comment":
            self.values["comment"] = event["id"]
        if last == "edit":
            need(event["data"]["latest"]["raw"] == json.loads(request["body"])["content"] and event["data"]["edited"], what)
        need(last != "hide" or event["data"]["hidden"], what)

    # ------------------------------------------------------------- collections

    def opened_collection(self, request, reply, what):
        """create_collection: by its slug, also of a 409."""
        self.values["slug"] = reply.json()["slug"]

    def collection(self, request, reply, what):
        """Collection, CollectionItem."""
        if reply.status == 409:  # exists_ok: it is asked for
            return
        found = reply.json()
        need(found["slug"] == self.values["slug"] and found["owner"]["name"] == self.values["space"], what)
        need(found["lastUpdated"].endswith("Z") and {"title", "theme", "private", "upvotes"} <= set(found), what)
        for item in found["items"]:
            need((item["type"], item["id"], item["position"]) == ("model", self.repo, 0), what)
            self.values["item"] = item["_id"]

    def changed_collection(self, request, reply, what):
        found = reply.json()["data"]
        need(found["slug"][-24:] == self.values["slug"][-24:] and found["title"].startswith("Top of "), what)
        self.values["slug"] = found["slug"]

    def collections(self, request, reply, what):
        """Here each gets a "position" by the client: one of its own would be a second."""
        need(self.values["slug"] in [one["slug"] for one in reply.json()], what)
        need(all("position" not in one for one in reply.json()), what)

    # ------------------------------------------------------------- branches, tags, histories, who may

    def refs(self, request, reply, what):
        """GitRefs."""
        found = reply.json()
        need({"branches", "tags", "converts"} <= set(found) and ("pullRequests" in found) == ("include_prs" in request["path"]), what)
        for one in found["branches"] + found["tags"]:
            need(one["ref"].endswith("/" + one["name"]) and re.fullmatch("[0-9a-f]{40}", one["targetCommit"]), what)

    def commits(self, request, reply, what):
        """GitCommitInfo, newest first."""
        for one in reply.json():
            need(re.fullmatch("[0-9a-f]{40}", one["id"]) and one["title"] and one["date"].endswith("Z") and
                 "message" in one and all(author["user"] for author in one["authors"]), what)
            need(("formatted" in one) == ("formatted" in request["path"]), what)
        self.values["commit"] = reply.json()[0]["id"]

    def access_requests(self, request, reply, what):
        """AccessRequest."""
        for one in reply.json():
            need(one["user"]["user"] == self.values["asker"] and one["status"] == request["path"].rsplit("/", 1)[1].split("?")[0] and
                 one["timestamp"].endswith("Z"), what)

    def lfs_files(self, request, reply, what):
        """LFSFileInfo."""
        need(reply.json(), what)
        for one in reply.json():
            need({"fileOid", "filename", "oid", "pushedAt", "size"} <= set(one), what)

    def user(self, request, reply, what):
        need(reply.json()["user"] == self.values["space"], what)

    def organization(self, request, reply, what):
        need(reply.json()["name"] == self.values["org"], what)

    def members(self, request, reply, what):
        need(self.values["space"] in [one["user"] for one in reply.json()], what)

    # ------------------------------------------------------------- Xet, buckets

    def xet_token(self, request, reply, what):
        """What hf_xet is told; older clients read the headers."""
        token = reply.json()
        need(token["casUrl"] == f"{self.url}/cas" and token["exp"] > time.time() + 60, what)
        need(reply.headers["X-Xet-Access-Token"] == token["accessToken"], what)
        return token

    def xet_upload(self, request, reply, what):
        token = self.xet_token(request, reply, what)
        for path, file in (("/cas/v1/xorbs/default/" + SAMPLE["xorbs"][0]["hash"], "example.xorb"),
                           ("/cas/v1/shards", "example.shard")):
            sent = urllib.request.Request(self.url + path, (VECTORS / file).read_bytes(),
                                          {"Authorization": f"Bearer {token['accessToken']}"})
            with urllib.request.urlopen(sent, timeout=60) as answer:
                need(answer.status == 200, path)

    def created_bucket(self, request, reply, what):
        """create_bucket: BucketUrl of "url", also of a 409."""
        need(reply.json()["url"] == f"{self.url}/buckets/{self.fill(request['path']).split('/', 3)[3]}", what)

    def bucket(self, request, reply, what):
        """BucketInfo."""
        found = reply.json()
        need(found["id"] == self.fill(request["path"]).split("/", 3)[3] and found["private"] is True and
             found["createdAt"].endswith("Z") and isinstance(found["size"], int) and isinstance(found["totalFiles"], int), what)

    def buckets(self, request, reply, what):
        need(self.repo + "-bucket" in [one["id"] for one in reply.json()], what)

    def batched(self, request, reply, what):
        done = reply.json()
        need((done["success"], done["failed"], done["succeeded"]) == (True, [], len(request["body"].splitlines())), what)

    def bucket_files(self, request, reply, what):
        """BucketFile, BucketFolder."""
        for one in reply.json():
            need(one["type"] in ("file", "directory") and one["uploadedAt"].endswith("Z"), what)
            need(one["type"] == "directory" or (one["size"], one["xetHash"]) == (SAMPLE_FILE["size"], SAMPLE_FILE["file_hash"]), what)

    def bucket_head(self, request, reply, what):
        """get_bucket_file_metadata: size by Content-Length, and the way to the chunks."""
        need(int(reply.headers["Content-Length"]) == SAMPLE_FILE["size"], what)
        self.xet_links(reply, what)

    def xet_links(self, reply, what):
        """parse_xet_file_data_from_response."""
        need(re.fullmatch("[0-9a-f]{64}", reply.headers["X-Xet-Hash"]), what)
        need(re.search(f'<{re.escape(self.url)}/api/[^>]*/xet-read-token[^>]*>; rel="xet-auth"', reply.headers["Link"]), what)

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
        self.values["commit"] = commit
        if "/xet/" in request["path"]:
            self.xet_links(reply, what)
        self.heads[self.path_of(request)] = (re.sub('^W/|"', "", etag), int(size))

    def content(self, request, reply, what):
        """http_get: as many bytes as the head said; the file is kept under the ETag, which `hf cache verify` holds it to."""
        path = self.path_of(request)
        if "range" in {name.lower() for name in request["headers"]} or path not in self.heads:  # HfFileSystem asks no HEAD
            return need(reply.status in (200, 206), what)
        etag, size = self.heads[path]
        digest = hashlib.sha256(reply.body).hexdigest() if len(etag) == 64 else blob_id(reply.body)
        need((digest, len(reply.body)) == (etag, size), f"{what}: not the bytes of {etag}")
        self.files[path] = reply.body
