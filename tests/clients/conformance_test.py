"""docs/conformance.md: what each unmodified client can do against a hub, found by doing it, a cell at a time.

A cell is one operation of one client in one situation. It counts when the content is right; in a gated or private
repository also only if the same without the right to it fails. The table found must be the one in the document.
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import typing
import urllib.error
import urllib.request

from tests import harness
from tests.clients import replay
from tests.harness import BIN, MANIFEST, SOURCE, free_port, wait_for, weights
from tests.harness.golden import GoldenFolder
from tests.harness.mirror import TestCase, call, publish, sha256

HERE = SOURCE / "tests/clients"
# Where the repository is: on this hub; of another hub, asked for the first time, again, and with that hub gone, when it
# was brought here by this client, or by another one.
SITUATIONS = ("own", "private", "gated", "miss", "hit", "offline", "shared")
OWN = ("own", "private", "gated")
WEIGHTS = weights.gguf(weights.noise(7, 400_000))
OTHER_WEIGHTS = weights.gguf(weights.noise(8, 400_000))
ENGINE_WEIGHTS = (SOURCE / "models/quick-add/repo/quick-add-q8_0.gguf").read_bytes()
TOKENIZER = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
             "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "hello": 1, "world": 2}, "unk_token": "[UNK]"}}
FILES = {"README.md": b"---\nlicense: mit\npipeline_tag: text-generation\n---\n# Small\n", "config.json": b'{"model_type": "bert"}',
         "tokenizer.json": json.dumps(TOKENIZER).encode(),
         "tokenizer_config.json": b'{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}'}

HEAD = """# Which clients work, and with what

Written by `tests/clients/conformance_test.py`, which does each of these with the client itself, unmodified, and fails when
the outcome is not what stands here. `./dev test --accept -R conformance` writes it anew.

- **own**, **private**, **gated**: a repository of this hub. The last two count if the client gets in with a token that
  may, and not with one that may not; the list of a gated one's files is for everybody.
- **miss**, **hit**, **offline**: a repository of another hub that this one mirrors: asked for the first time; again, when
  it is stored here; and with the other hub gone. **shared**: with the other hub gone, where `hf download` (replayed) and plain
  GETs of the files, and not this client, had brought the repository here.
- **replayed**: no registry has the client, so it was run once by hand, and the requests that it sent are sent again here, each
  answer held to what the client's own code reads of it (`tests/clients/replay.py`).
- **yes**: done, and the content was right. **–**: there is no such thing, or it is not tried. **no**, with the number of a note: see below.
- **after its source**: no registry has the client, and it was not run: the requests are those that its public source sends.

**Xet, replayed**: what the Python client itself sends around a transfer by its `hf_xet`. That and `git-xet` are in no registry
that the tests reach, and nothing of what they send was recorded; in place of `hf_xet` a sample goes to the chunk store.

`tests/clients/specs_test.py` runs the 39 tests that npm `@huggingface/hub` brings in its package and that talk to a hub, with
nothing changed but the hub's address and that of the files which they upload. 38 pass; it names the other one, with the reason.

"""


@dataclasses.dataclass
class Place:
    """A repository and how to reach it."""
    url: str
    repo: str
    token: typing.Optional[str]
    commit: str
    weights: bytes = WEIGHTS
    private: bool = False
    asker: typing.Tuple[str, str] = ("", "")  # Somebody without any right to it: name and token.


def run(command, *, env=None, stdin=None, cwd=None, timeout=120):
    """Standard output; fails with what was said if the command does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LOCARA_", "GIT_", "XDG_"))}
    done = subprocess.run(list(map(str, command)), cwd=cwd, input=stdin, timeout=timeout, env={**environment, **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found[:80]!r} ({len(found)}), wanted {wanted[:80]!r} ({len(wanted)})")


# ------------------------------------------------------------------------------------- one function a client's operation

def npm(operation, xet=False):
    def do(place, folder):
        out = run(["node", HERE / "conformance.mjs", operation, place.repo], cwd=SOURCE,
                  stdin=OTHER_WEIGHTS if operation in ("upload", "bucket") else None,
                  env={"HUB_URL": place.url, "TOKEN": place.token or "", "XET": "1" if xet else "0",
                       "PRIVATE": "1" if place.private else "0"})
        if operation == "info":
            found = json.loads(out)
            assert found["sha"] == place.commit and f"w.gguf {len(place.weights)}" in found["files"], out
        else:
            same(out, {"download": place.weights, "range": place.weights[1000:200_000], "upload": OTHER_WEIGHTS, "bucket": OTHER_WEIGHTS,
                       "manage": b"b null", "propose": b"proposed"}[operation])
    return do


def hfjs_upload(place, folder):
    (folder / "files").mkdir()
    (folder / "files/new.gguf").write_bytes(WEIGHTS)
    run([SOURCE / "node_modules/.bin/hfjs", "upload", place.repo, folder / "files", "--token", place.token, "-q"],
        env={"HF_ENDPOINT": place.url})
    same(call_url(place, "new.gguf"), WEIGHTS)


def hfjs_branch(place, folder):
    def hfjs(verb):
        run([SOURCE / "node_modules/.bin/hfjs", "branch", verb, place.repo, "next", "--token", place.token],
            env={"HF_ENDPOINT": place.url})

    hfjs("create")
    same(call_url(place, "config.json", "next"), FILES["config.json"])
    hfjs("delete")
    try:
        call_url(place, "config.json", "next")
    except RuntimeError:
        return
    raise AssertionError("the branch is still there")


def transformers(place, folder):
    out = run(["node", HERE / "transformers.mjs", place.repo], cwd=SOURCE,
              env={"HUB_URL": place.url, "CACHE": str(folder / "cache"), **({"HF_TOKEN": place.token} if place.token else {})})
    same(out.strip(), b'{"ids":[1,2],"type":"bert"}')


def curl(*arguments, check):
    def do(place, folder):
        target = folder / "out"
        run(["curl", "-sSf", *arguments, "-D", folder / "head", "-o", target,
             *(["-H", f"Authorization: Bearer {place.token}"] if place.token else []),
             f"{place.url}/{place.repo}/resolve/main/w.gguf"])
        check(place, (folder / "head").read_text().lower(), target.read_bytes() if target.exists() else b"")
    return do


def check_head(place, head, _):
    assert f"content-length: {len(place.weights)}" in head or f"x-linked-size: {len(place.weights)}" in head, head
    assert sha256(place.weights) in head and place.commit in head, head


def call_url(place, path, revision="main"):
    return run(["curl", "-sSf", *(["-H", f"Authorization: Bearer {place.token}"] if place.token else []),
                f"{place.url}/{place.repo}/resolve/{revision}/{path}"])


def chromium(place, folder):
    out = json.loads(run(["node", HERE / "browser_fetch.mjs"], cwd=SOURCE,
                         env={"URL": f"{place.url}/{place.repo}/resolve/main/w.gguf", "TOKEN": place.token or "",
                              "HOME": str(folder)}))
    assert (out["status"], out["seen"]) == (206, ["etag", "x-repo-commit", "content-range"]), out
    same(bytes.fromhex(out["hex"]), place.weights[1000:2000])


def git(folder, *arguments):
    settings = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))}
    return run(["git", *arguments], cwd=folder,
               env={"HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
                    "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", **settings})


def clone(place, folder, *arguments):
    remote = place.url.replace("http://", f"http://user:{place.token}@") if place.token else place.url
    git(folder, "clone", "-q", *arguments, f"{remote}/{place.repo}", "clone")
    same(git(folder / "clone", "rev-parse", "HEAD").decode().strip(), place.commit)
    same((folder / "clone/config.json").read_bytes(), FILES["config.json"])
    return folder / "clone"


def git_clone(*arguments):
    return lambda place, folder: clone(place, folder, *arguments)


def git_push(place, folder):
    checkout = clone(place, folder)
    (checkout / "pushed.txt").write_text("by git\n")
    git(checkout, "add", "pushed.txt")
    git(checkout, "commit", "-qm", "by git")
    git(checkout, "push", "-q")
    same(call_url(place, "pushed.txt"), b"by git\n")


def git_propose(place, folder):
    """A pull request that is opened by the API, fetched, added to and looked at."""
    lines = [{"key": "header", "value": {"summary": "a proposal"}},
             {"key": "file", "value": {"path": "first.txt", "content": "by the API\n"}}]
    made = json.loads(run(["curl", "-sSf", "-H", f"Authorization: Bearer {place.token}", "--data-binary", "@-",
                           f"{place.url}/api/models/{place.repo}/commit/main?create_pr=1"],
                          stdin="\n".join(map(json.dumps, lines)).encode()))
    ref = "refs/pr/" + made["pullRequestUrl"].rsplit("/", 1)[1]
    checkout = clone(place, folder)
    git(checkout, "fetch", "-q", "origin", f"{ref}:proposed")
    same(git(checkout, "rev-parse", "proposed").decode().strip(), made["commitOid"])
    git(checkout, "checkout", "-q", "proposed")
    (checkout / "second.txt").write_text("by git\n")
    git(checkout, "add", "second.txt")
    git(checkout, "commit", "-qm", "by git")
    git(checkout, "push", "-q", "origin", f"proposed:{ref}")
    for path, text in (("first.txt", b"by the API\n"), ("second.txt", b"by git\n")):
        same(call_url(place, path, ref.replace("/", "%2F")), text)


def lfs(place, folder):
    checkout = clone(place, folder)
    git(checkout, "lfs", "install", "--local")
    return checkout


def lfs_pull(place, folder):
    checkout = lfs(place, folder)
    git(checkout, "lfs", "pull")
    same((checkout / "w.gguf").read_bytes(), place.weights)


def lfs_push(place, folder):
    checkout = lfs(place, folder)
    (checkout / "pushed.gguf").write_bytes(WEIGHTS)
    git(checkout, "add", "pushed.gguf")
    git(checkout, "commit", "-qm", "by git-lfs")
    git(checkout, "push", "-q")
    same(call_url(place, "pushed.gguf"), WEIGHTS)


def lfs_push_in_parts(place, folder):
    content = weights.gguf(weights.noise(9, 40 << 20))
    checkout = lfs(place, folder)
    git(checkout, "config", "lfs.customtransfer.multipart.path", sys.executable)
    git(checkout, "config", "lfs.customtransfer.multipart.args", HERE / "lfs_parts_agent.py")
    (checkout / "large.gguf").write_bytes(content)
    git(checkout, "add", "large.gguf")
    git(checkout, "commit", "-qm", "by git-lfs, in parts")
    git(checkout, "push", "-q")
    same(call_url(place, "large.gguf"), content)


def llama_server(place, folder):
    port = free_port()
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))},
                   "MODEL_ENDPOINT": place.url, "HF_ENDPOINT": place.url, "LLAMA_CACHE": str(folder), "HOME": str(folder)}
    command = [BIN / "llama-server", "-hf", place.repo, "--port", str(port), "-c", "64"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command + (["-hft", place.token] if place.token else []), stdout=log, stderr=log,
                                  env=environment)
    try:
        wait_for(lambda: server.poll() is not None or is_well(port), "llama-server", 60)
        assert server.poll() is None, (folder / "log").read_text()[-600:]
    finally:
        server.terminate()
        server.wait(20)


def is_well(port):
    done = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/health"], stdout=subprocess.DEVNULL)
    return done.returncode == 0


def ollama_pull(place, folder):
    """What `ollama pull` asks for (server/images.go, server/download.go, August 2026). It has no token, only a key of its own,
    with which it signs a request for one where it is told to."""
    def ask(method, url, **headers):
        request = urllib.request.Request(url, method=method, headers={"User-Agent": "ollama/0.12.0 (amd64 linux) Go/go1.24",
                                                                      **headers})
        try:
            return urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            challenge = dict(part.split("=", 1) for part in error.headers["WWW-Authenticate"].partition(" ")[2].split(","))
            realm = challenge["realm"].strip('"')
            assert realm.startswith(place.url), realm
            with urllib.request.urlopen(f"{realm}?service=s&scope=x&ts=1&nonce=n", timeout=30) as token:
                raise AssertionError(f"a token for anybody's key: {token.read()}") from error

    base = f"{place.url}/v2/{place.repo}"
    with ask("GET", f"{base}/manifests/latest", Accept="application/vnd.docker.distribution.manifest.v2+json") as answer:
        manifest = json.loads(answer.read())
    layers = [*manifest["layers"], manifest["config"]]
    assert [layer["mediaType"].rpartition(".")[2] for layer in manifest["layers"]] == ["model"], manifest
    for layer in layers:
        blob = f"{base}/blobs/{layer['digest']}"
        with ask("HEAD", blob) as head:
            size = int(head.headers["Content-Length"])
        assert size == layer["size"], (size, layer)
        with ask("GET", blob) as answer:  # The body is not read.
            location = answer.headers["Location"]
        content = b""
        for begin, end in ((0, size // 2), (size // 2, size)):
            with ask("GET", location, Range=f"bytes={begin}-{end - 1}") as part:
                assert part.status == 206, part.status
                content += part.read()
        assert "sha256:" + sha256(content) == layer["digest"], layer
        layer["content"] = content
    same(layers[0]["content"], place.weights)


def locara_environment(place, folder):
    return {"LOCARA_HOME": str(folder / "home"), "HF_ENDPOINT": place.url, **({"HF_TOKEN": place.token} if place.token else {})}


def locara_pull(place, folder):
    manifest = folder / "manifest.json"
    digest = sha256(place.weights)
    manifest.write_text(weights.manifest(MANIFEST, place.repo, place.commit, "w.gguf", len(place.weights), digest))
    run([BIN / "locara", "pull", "--manifest", manifest, "--yes"], env=locara_environment(place, folder))
    same((folder / "home/data/store/files" / digest[:2] / digest).read_bytes(), place.weights)


def locara_upload(place, folder):
    (folder / "mine.gguf").write_bytes(WEIGHTS)
    run([BIN / "locara", "upload", place.repo, folder / "mine.gguf"], env=locara_environment(place, folder))
    same(call_url(place, "mine.gguf"), WEIGHTS)


def replayed(*operations, check=lambda client, place: None):
    """The recorded requests of a client that is in no registry."""
    def do(place, folder):
        client = replay.Replay(place.url, place.repo, place.token)
        for operation in operations:
            client.run(operation)
        check(client, place)
    return do


def replayed_requests(place, folder):
    """Somebody asks, is let in, put off, turned away and let in again."""
    name, token = place.asker
    run(["curl", "-sSf", "-X", "POST", "-H", f"Authorization: Bearer {token}", f"{place.url}/{place.repo}/ask-access"])
    replay.Replay(place.url, place.repo, place.token, asker=name).run("list_pending_access_requests")


def check_replayed_xet(client, place):
    assert sha256(call_url(place, "xet/weights.bin")) == replay.SAMPLE_FILE["sha256"]
    assert call_url(place, "folder/sub/a.txt") == b"a"


def check_replayed_download(client, place):
    same(client.files["w.gguf"], place.weights)
    same(client.files["config.json"], FILES["config.json"])


def check_replayed_upload(client, place):
    content = call_url(place, "weights.bin")
    same(call_url(place, "sub/a%20b%231.txt"), b"odd name\n")
    assert len(content) == 600, len(content)


# --------------------------------------------------------------------------------------------------------- the table

@dataclasses.dataclass(frozen=True)
class Row:
    client: str
    operation: str
    transfer: str
    do: typing.Callable
    situations: typing.Sequence[str] = SITUATIONS
    engine: bool = False  # Wants weights that a real engine loads.
    open: bool = False  # What everybody may see of a gated repository.


NPM = "npm `@huggingface/hub`"
PYTHON = "`huggingface_hub` 1.29 for Python"
HF = "its `hf`"
REPLAYED = "LFS, replayed"
ROWS = (
    Row(NPM, "info, list files", "", npm("info"), open=True),
    Row(NPM, "download", "LFS", npm("download")),
    Row(NPM, "download", "Xet", npm("download", xet=True)),
    Row(NPM, "read a part", "LFS", npm("range")),
    Row(NPM, "read a part", "Xet", npm("range", xet=True)),
    Row(NPM, "upload", "LFS", npm("upload"), OWN),
    Row(NPM, "upload", "Xet", npm("upload", xet=True), OWN),
    Row(NPM, "create, branch, commit, delete", "", npm("manage"), ("own", "private")),
    Row(NPM, "buckets: create, upload, list, download, delete", "Xet", npm("bucket"), ("own", "private")),
    Row(NPM, "pull request", "", npm("propose"), ("own", "private")),
    Row("its `hfjs`", "upload a folder", "Xet", hfjs_upload, ("own", "private")),
    Row("its `hfjs`", "branch: create, delete", "", hfjs_branch, OWN),
    Row("npm `@huggingface/transformers`", "load tokenizer, config; token by `env.fetch`", "", transformers),
    Row(PYTHON, "hf_hub_download", REPLAYED, replayed("hf_hub_download", check=lambda client, place: same(
        client.files["w.gguf"], place.weights))),
    Row(PYTHON, "snapshot_download, cached", REPLAYED, replayed("snapshot_download(allow_patterns, local_dir)",
                                                                "hf download, again")),
    Row(PYTHON, "upload_file", "replayed", replayed("upload_file", check=lambda client, place: same(
        call_url(place, "notes/more.txt"), b"one more\n")), OWN),
    Row(PYTHON, "upload_file to a pull request", REPLAYED, replayed(
        "upload_file(create_pr=True)", check=lambda client, place: same(
            call_url(place, "pr.txt", f"refs%2Fpr%2F{client.values['pr']}"), b"in it")), ("own", "private")),
    Row(PYTHON, "preupload_lfs_files, create_commit, delete_folder", REPLAYED, replayed("preupload_lfs_files, create_commit"), OWN),
    Row(PYTHON, "upload_file, upload_folder, hf_hub_download", "Xet, replayed", replayed(
        "upload_file, by Xet", "upload_folder, by Xet", "hf_hub_download, by Xet", "list_lfs_files", check=check_replayed_xet), OWN),
    Row(PYTHON, "file_exists, get_paths_info, get_hf_file_metadata", "replayed", replayed("file_exists, get_paths_info"), OWN),
    Row(PYTHON, "HfFileSystem", "replayed", replayed("HfFileSystem"), OWN),
    Row(PYTHON, "discussions: create, list, comment, rename, close", "replayed", replayed(
        "create_discussion", "get_repo_discussions", "comment_discussion", "rename_discussion, change_discussion_status"),
        ("own", "private")),
    Row(PYTHON, "create_pull_request, merge_pull_request", "replayed", replayed(
        "create_pull_request, merge_pull_request", check=lambda client, place: same(call_url(place, "proposed.txt"), b"proposed")),
        ("own", "private")),
    Row(PYTHON, "collections", "replayed", replayed(
        "create_collection", "add_collection_item", "list_collections", "update_collection_metadata",
        "delete_collection_item, delete_collection"), ("own", "private")),
    Row(PYTHON, "buckets", "Xet, replayed", replayed(
        "create_bucket", "batch_bucket_files(add)", "list_bucket_tree, get_bucket_paths_info", "download_bucket_files",
        "batch_bucket_files(copy, delete)", "move_bucket, delete_bucket"), ("own",)),
    Row(PYTHON, "list_models, list_datasets, list_spaces, list_user_repos", "replayed", replayed(
        "list_models", "list_datasets", "list_spaces", "get_model_tags, get_dataset_tags", "list_user_repos"), ("own", "private")),
    Row(PYTHON, "branches, tags, commits, super_squash_history", "replayed", replayed(
        "create_branch, delete_branch", "create_tag, delete_tag", "list_repo_commits", "super_squash_history"), OWN),
    Row(PYTHON, "update_repo_settings, move_repo", "replayed", replayed("update_repo_settings", "move_repo"), ("own", "private")),
    Row(PYTHON, "access requests: list, accept, reject, cancel, grant", "replayed", replayed_requests, ("gated",)),
    Row(PYTHON, "whoami, auth_check, get_user_overview", "replayed", replayed("whoami", "auth_check", "get_user_overview"), OWN),
    Row(HF, "download", REPLAYED, replayed("hf download", check=check_replayed_download)),
    Row(HF, "upload a folder", REPLAYED, replayed("hf upload", check=check_replayed_upload), OWN),
    Row("`git`", "clone", "", git_clone()),
    Row("`git`", "shallow clone", "", git_clone("--depth", "1")),
    Row("`git`", "partial clone", "", git_clone("--filter=blob:none")),
    Row("`git`", "push", "", git_push, OWN),
    Row("`git`", "fetch and push a pull request", "", git_propose, ("own", "private")),
    Row("`git-lfs`", "pull", "LFS", lfs_pull),
    Row("`git-lfs`", "push", "LFS", lfs_push, OWN),
    Row("`git-lfs`", "push 40 MiB by an agent of ours", "LFS, multipart", lfs_push_in_parts, OWN),
    Row("`llama-server -hf`", "load a model", "LFS", llama_server, engine=True),
    Row("`ollama`", "pull", "LFS, after its source", ollama_pull),
    Row("`curl`", "HEAD", "", curl("-I", check=check_head)),
    Row("`curl`", "GET", "", curl(check=lambda place, _, body: same(body, place.weights))),
    Row("`curl`", "GET a range", "", curl("-r", "1000-1999", check=lambda place, _, body: same(body, place.weights[1000:2000]))),
    Row("Chromium, page of another origin", "read a range", "", chromium),
    Row("`locara`", "pull", "Xet", locara_pull),
    Row("`locara`", "upload", "Xet", locara_upload, OWN),
)

# What is known not to work, and why. It is tried all the same.
MIRRORED = ("miss", "hit", "offline", "shared")
GIT = ("`git`", "`git-lfs`")
NO_TOKEN = ("private", "gated")
NOTES = (
    (lambda row: row.client in GIT, MIRRORED, "a mirror keeps files, not git histories: git is told so (404) and asks for no "
     "password; use resolve or hf, or clone from where the repository lives"),
    (lambda row: row.client == "`ollama`", NO_TOKEN, "it shows a key of its own and no token; the hub knows no such keys, and says "
     "so"),
)


def note_on(row, situation):
    for concerns, situations, why in NOTES:
        if concerns(row) and situation in situations:
            return why
    return "not expected: the test prints what went wrong"


class Conformance(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = harness.Hub(cls.folder / "own", seed=None)
        cls.cleo = cls.own.make_writer("cleo")  # owns what is on the hub itself
        cls.dan = cls.own.make_writer("dan")    # has no right to anything of hers

    @classmethod
    def tearDownClass(cls):
        cls.own.stop()
        super().tearDownClass()

    def make_repo(self, row, number, situation):
        content = ENGINE_WEIGHTS if row.engine else WEIGHTS
        name = f"r{number}-{situation}"
        hub, token, owner = (self.own, self.cleo, "cleo") if situation in OWN else (self.upstream, self.ana, "ana")
        commit = publish(hub, token, f"{owner}/{name}", {**FILES, "w.gguf": content}, private=situation == "private")
        if situation == "gated":
            done = call(hub, "PUT", f"/api/models/{owner}/{name}/settings", token, {"gated": "manual"})
            self.assertEqual(done.status, 200, done.body)
        url = hub.url if situation in OWN else self.mirrors.url
        # What is public needs no token to be read, and every client shows that it can do without.
        writes = row.situations is not SITUATIONS or situation in ("private", "gated")
        return Place(url, f"{owner}/{name}", token if writes else None, commit, content, situation == "private",
                     ("dan", self.dan))

    def attempt(self, row, place):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="cell-", dir=self.folder))
        row.do(place, folder)

    def cell(self, row, place, situation):
        """None if it works, else why not."""
        try:
            self.attempt(row, place)
        except Exception as error:  # whatever went wrong is the outcome
            return "".join(traceback.format_exception_only(error)).strip()
        if situation == "private" or (situation == "gated" and not row.open):
            try:
                self.attempt(row, dataclasses.replace(place, token=self.dan))
            except Exception:
                return None
            return "somebody without the right to it got in"
        return None

    def share(self, place):
        """Another client brings it."""
        if place.weights == WEIGHTS:
            replay.Replay(place.url, place.repo, None).run("hf download")
        call(self.mirrors, "GET", f"/api/models/{place.repo}/revision/main")
        call(self.mirrors, "GET", f"/api/models/{place.repo}/tree/{place.commit}?recursive=true")
        self.store(place)

    def store(self, place):
        """Whatever the client took: now all of it is here, in chunks too."""
        for path in FILES:
            call(self.mirrors, "GET", f"/{place.repo}/resolve/main/{path}")
        call(self.mirrors, "GET", f"/{place.repo}/resolve/main/w.gguf")
        self.wait_stored(self.mirrors, f"/{place.repo}/resolve/main/w.gguf")

    def test_the_table(self):
        proxy = self.proxy()
        self.mirrors = self.mirror(proxy.url, freshness="1h")
        cells, mirrored, shared = {}, [], []
        for number, row in enumerate(ROWS):
            for situation in (s for s in row.situations if s in OWN):
                place = self.make_repo(row, number, situation)
                cells[row, situation] = self.cell(row, place, situation)
            if row.situations is SITUATIONS:
                place = self.make_repo(row, number, "miss")
                mirrored.append((row, place))
                cells[row, "miss"] = self.cell(row, place, "miss")
                self.store(place)
                cells[row, "hit"] = self.cell(row, place, "hit")
                place = self.make_repo(row, number, "shared")
                self.share(place)
                shared.append((row, place))
        proxy.stop()
        for row, place in mirrored:
            cells[row, "offline"] = self.cell(row, place, "offline")
        for row, place in shared:
            cells[row, "shared"] = self.cell(row, place, "shared")
        difference = GoldenFolder(SOURCE / "docs", os.environ.get("LOCARA_ACCEPT") == "1").compare(
            "conformance.md", self.render(cells))
        if difference:
            for (row, situation), why in cells.items():
                if why:
                    print(f"{row.client} {row.operation} {row.transfer} {situation}: {why}")
            self.fail(difference)

    def render(self, cells):
        notes = []

        def show(row, situation):
            if situation not in row.situations:
                return "–"
            why = cells[row, situation]
            if why is None:
                return "yes"
            note = note_on(row, situation)
            if note not in notes:
                notes.append(note)
            return f"no ({notes.index(note) + 1})"

        lines = ["| client | operation | by | " + " | ".join(SITUATIONS) + " |", "| --- " * (3 + len(SITUATIONS)) + "|"]
        for row in ROWS:
            lines.append(f"| {row.client} | {row.operation} | {row.transfer} | "
                         + " | ".join(show(row, situation) for situation in SITUATIONS) + " |")
        done = sum(why is None for why in cells.values())
        text = HEAD + "\n".join(lines) + f"\n\n{done} of {len(cells)} work.\n"
        if notes:
            text += "\n" + "\n".join(f"{i + 1}. {note}" for i, note in enumerate(notes)) + "\n"
        return text


if __name__ == "__main__":
    harness.main()
