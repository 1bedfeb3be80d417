"""Stock git against a hub: what the tests of fetching and pushing share."""
import http.client

from tests.clients import hub_process

ZERO = "0" * 40


def pkt(text):
    data = text if isinstance(text, bytes) else text.encode()
    return b"%04x" % (len(data) + 4) + data


class TestCase(hub_process.TestCase):
    def make_repo(self, name, token=None, kind="model", **more):
        self.api("POST", "/api/repos/create", token or self.ana, {"name": name, "type": kind, **more})
        return f"ana/{name}"

    def commit(self, repo, files, token=None, kind="models"):
        lines = [{"key": "header", "value": {"summary": "by the API"}}] + [
            {"key": "file", "value": {"path": path, "content": content}} for path, content in files.items()]
        return self.api("POST", f"/api/{kind}/{repo}/commit/main", token or self.ana, lines=lines)["commitOid"]

    def clone(self, repo, *arguments, token=None, name=None, **options):
        folder = self.folder / (name or f"clone{len(list(self.folder.iterdir()))}")
        self.git(self.folder, "clone", "-q", *arguments, self.remote(repo, token), folder, **options)
        return folder

    def write(self, folder, files, message="change"):
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", message)
        return self.head(folder)

    def head(self, folder, revision="HEAD"):
        return self.git(folder, "rev-parse", revision).decode().strip()

    def refs(self, repo, kind="models"):
        found = self.api("GET", f"/api/{kind}/{repo}/refs", self.ana)
        return {ref["ref"]: ref["targetCommit"] for ref in found["branches"] + found["tags"]}

    def post(self, path, body, headers=None, token=None, chunked=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request("POST", path, body=iter([body]) if chunked else body, headers=sent, encode_chunked=chunked)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def git_folder(self, repo, kind="models"):
        return self.data / "repos" / (self.api("GET", f"/api/{kind}/{repo}", self.ana)["_id"] + ".git")

    def assert_clean(self, repo):
        """git finds nothing wrong, and nothing is left of what was refused."""
        folder = self.git_folder(repo)
        self.git(folder, "-c", "safe.directory=*", "fsck", "--strict")
        self.assertEqual([p.name for p in (folder / "objects").iterdir() if p.name.startswith("tmp_")], [])
        self.assertEqual([p for p in folder.rglob("*.lock")], [])


main = hub_process.main
