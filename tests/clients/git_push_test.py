"""Debian's git and git-lfs, unmodified, push over HTTP; what a hostile client may not do; and kills."""
import concurrent.futures
import hashlib
import os
import pathlib
import random
import re
import shlex
import subprocess
import time

from tests.clients import git_client
from tests.clients.git_client import ZERO, pkt


class Push(git_client.TestCase):
    def test_a_push_is_seen_by_everybody(self):
        repo = self.make_repo("push")
        one = self.clone(repo, token=self.ana)
        head = self.write(one, {"a.txt": "from git\n", "deep/er/b.txt": "too\n"})
        self.git(one, "push", "-q")
        self.assertEqual(self.head(self.clone(repo)), head)
        self.assertEqual(self.api("GET", f"/api/models/{repo}")["sha"], head)
        self.assertIn("deep/er/b.txt", [e["path"] for e in self.api("GET", f"/api/models/{repo}/tree/main?recursive=1")])
        later = self.commit(repo, {"c.txt": "from the API\n"})
        self.git(one, "pull", "-q", "--ff-only")
        self.assertEqual(self.head(one), later)
        self.assert_clean(repo)

    def test_branches_and_tags(self):
        repo = self.make_repo("refs")
        one = self.clone(repo, token=self.ana)
        first = self.head(one)
        self.git(one, "push", "-q", "origin", "HEAD:refs/heads/same")  # brings no object at all
        self.git(one, "checkout", "-qb", "feat/x")
        tip = self.write(one, {"x.txt": "x"})
        self.git(one, "tag", "light")
        self.git(one, "tag", "-am", "words", "annotated")
        self.git(one, "push", "-q", "origin", "feat/x", "--tags")
        self.assertEqual(self.refs(repo), {"refs/heads/main": first, "refs/heads/same": first, "refs/heads/feat/x": tip,
                                           "refs/tags/light": tip, "refs/tags/annotated": tip})
        self.assertEqual(self.git(self.folder, "ls-remote", self.remote(repo), "refs/tags/annotated").split()[0].decode(),
                         self.head(one, "annotated"))
        # Force, on a branch and on main: the hub takes what git asks for.
        self.git(one, "commit", "-q", "--amend", "-m", "other")
        self.git(one, "push", "-q", "origin", "feat/x", expect=1)
        self.git(one, "push", "-qf", "origin", "feat/x", "feat/x:main")
        self.assertEqual(self.refs(repo)["refs/heads/main"], self.head(one))
        self.git(one, "push", "-q", "origin", ":same", ":light", ":annotated")
        self.assertEqual(set(self.refs(repo)), {"refs/heads/main", "refs/heads/feat/x"})
        self.git(one, "push", "-q", "origin", ":main", expect=1)
        self.assertIn("Cannot delete refs/heads/main", self.told)
        self.git(one, "push", "-q", "origin", "HEAD:refs/heads/feat", expect=1)
        self.assertIn("refs/heads/feat/x is there and in the way", self.told)
        self.git(one, "push", "-q", "origin", "HEAD:refs/heads/Main", expect=1)
        self.assertIn("refs/heads/main is there and in the way", self.told)
        self.assert_clean(repo)

    def test_all_refs_or_none(self):
        repo = self.make_repo("atomic")
        one = self.clone(repo, token=self.ana)
        self.write(one, {"a.txt": "a"})
        before = self.refs(repo)
        for name in ("refs/notes/x", "refs/heads/-dash", "refs/locara/x", "refs/heads/" + "a" * 40, "refs/tags/con"):
            self.git(one, "push", "-q", "origin", f"HEAD:{name}", "HEAD:refs/heads/good", expect=1)
            self.assertIn("a push moves all of its refs or none", self.told)
        self.git(one, "push", "-q", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/a/b", expect=1)
        self.assertEqual(self.refs(repo), before)
        self.git(one, "push", "-q", "--atomic", "origin", "HEAD:refs/heads/good", "HEAD:refs/tags/v1", "HEAD:main")
        self.assertEqual(len(self.refs(repo)), 3)
        self.assert_clean(repo)

    def test_of_two_at_once_one_is_told(self):
        repo = self.make_repo("race")
        clones = [self.clone(repo, token=self.ana) for _ in range(2)]
        for i, clone in enumerate(clones):
            self.write(clone, {f"{i}.txt": str(i)})
        # git looks first whether it may; what counts is said when it sends, so the commands go by hand.
        base = self.refs(repo)["refs/heads/main"]

        def push(clone):
            head = self.head(clone)
            pack = self.git(clone, "pack-objects", "--stdout", "--revs", stdin=f"{head}\n^{base}\n".encode())
            body = pkt(f"{base} {head} refs/heads/main\0report-status\n") + b"0000" + pack
            return self.post(f"/{repo}/git-receive-pack", body, token=self.ana)[1]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            won, lost = sorted(pool.map(push, clones), key=lambda answer: b"ng " in answer)
        self.assertIn(b"ok refs/heads/main\n", won)
        self.assertIn(b"ng refs/heads/main refs/heads/main ", lost)
        for clone in clones:
            self.git(clone, "pull", "-q", "--rebase")
            self.git(clone, "push", "-q")
        self.assertEqual(self.git(self.clone(repo), "rev-list", "--count", "HEAD"), b"3\n")
        self.assert_clean(repo)

    def test_who_may_push(self):
        repo = self.make_repo("mine")
        one = self.clone(repo)
        self.write(one, {"a.txt": "a"})
        self.git(one, "push", "-q", expect=128)
        self.assertIn("could not read Username", self.told)
        self.git(one, "push", "-q", self.remote(repo, self.ben), "HEAD", expect=128)
        self.assertIn("403", self.told)
        self.assertIn("may not write to ana", self.told)
        reader = self.hub.make_token("ana", "--name", "reader", "--role", "read")
        self.git(one, "push", "-q", self.remote(repo, reader), "HEAD", expect=128)
        self.assertIn("this token may only read", self.told)
        secret = self.make_repo("mysecret", private=True)
        self.git(one, "push", "-qf", self.remote(secret, self.ben), "HEAD", expect=128)
        self.assertIn("not found", self.told)
        self.git(one, "push", "-qf", self.remote(secret, self.ana), "HEAD:main")

    def test_large_files(self):
        repo = self.make_repo("large")
        one = self.clone(repo, token=self.ana)
        before = self.refs(repo)
        self.write(one, {"sub/big.txt": "x" * 10_000_001})
        self.git(one, "push", "-q", expect=1)
        self.assertIn("sub/big.txt has 10000001 bytes", self.told)
        self.assertIn("git lfs migrate import", self.told)
        # What is removed again is in the history all the same.
        (one / "sub/big.txt").unlink()
        self.write(one, {"a.txt": "a"})
        self.git(one, "push", "-q", expect=1)
        self.git(one, "reset", "-q", "--hard", before["refs/heads/main"])
        content = random.Random(2).randbytes(2_000_000)
        digest = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
        head = self.write(one, {"w.txt": pointer})
        self.git(one, "push", "-q", expect=1)
        self.assertIn(f"w.txt is a pointer to sha256:{digest}", self.told)
        self.assertIn("git lfs push", self.told)
        self.assertEqual(self.refs(repo), before)
        # git-lfs, as its users have it, sends the content first.
        self.git(one, "reset", "-q", "--hard", before["refs/heads/main"])
        self.git(one, "lfs", "install", "--local")
        self.git(one, "config", "lfs.locksverify", "false")
        head = self.write(one, {"w.bin": content})
        self.git(one, "push", "-q")
        other = self.folder / "large2"
        self.git(self.folder, "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.process=git-lfs filter-process",
                 "-c", "filter.lfs.required=true", "clone", "-q", self.remote(repo), other)
        self.assertEqual((other / "w.bin").read_bytes(), content)
        self.assertEqual(self.head(other), head)
        # Another repository has not got it, though the hub has.
        second = self.make_repo("large3")
        self.git(one, "push", "-qf", "--no-verify", self.remote(second, self.ana), "HEAD:main", expect=1)
        self.assertIn("which this repository has not got", self.told)
        self.assert_clean(repo)
        self.assert_clean(second)

    def test_the_gate_judges_what_is_new(self):
        repo = self.make_repo("judged")
        one = self.clone(repo, token=self.ana)
        pickle = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."
        for name, track in (("notes.txt", False), ("model.bin", True)):
            with self.subTest(name):
                before = self.refs(repo)
                if track:
                    self.git(one, "lfs", "install", "--local")
                    self.git(one, "lfs", "track", name)
                (one / name).write_bytes(pickle)
                self.git(one, "add", "-A")
                self.git(one, "commit", "-qm", name)
                self.git(one, "push", "-q", "origin", "HEAD:main", expect=1)
                self.assertIn(f"{name} is refused", self.told)
                self.assertEqual(self.refs(repo), before)
                # Taken out again it is in the history still.
                self.git(one, "rm", "-q", name)
                self.git(one, "commit", "-qm", "away")
                self.git(one, "push", "-q", "origin", "HEAD:main", expect=1)
                self.git(one, "reset", "-q", "--hard", before["refs/heads/main"])
        self.write(one, {"fine.txt": "words"})
        self.git(one, "push", "-q")
        self.assert_clean(repo)

    def test_hostile_trees(self):
        repo = self.make_repo("hostile")
        one = self.clone(repo, token=self.ana)
        before = self.refs(repo)
        blob = self.git(one, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()

        def tree(*entries):
            text = "".join(f"{mode} {kind} {oid}\t{name}\0" for mode, kind, oid, name in entries)
            return self.git(one, "mktree", "-z", "--missing", stdin=text.encode()).decode().strip()

        def push(root, says):
            commit = self.git(one, "commit-tree", root, "-p", "HEAD", "-m", "x").decode().strip()
            self.git(one, "push", "-q", "origin", f"{commit}:refs/heads/x", expect=1)
            self.assertIn(says, self.told)
        file = ("100644", "blob", blob)
        deep = tree((*file, "x"))
        for _ in range(32):
            deep = tree(("040000", "tree", deep, "d"))
        wide = tree(*((*file, str(i)) for i in range(10)))
        for _ in range(20):  # 10^21 files
            wide = tree(*(("040000", "tree", wide, str(i)) for i in range(10)))
        push(tree((*file, "a"), (*file, "A")), "ignores case")
        push(tree(("120000", "blob", blob, "link")), "link is a symbolic link")
        push(tree(("160000", "commit", before["refs/heads/main"], "module")), "module is a submodule")
        push(tree((*file, "con.txt")), "con.txt")
        push(tree((*file, "-dash")), "-dash")
        push(tree((*file, "a\\b")), "a\\b")
        push(tree((*file, "e\u0301")), "composed")
        push(tree(("040000", "tree", tree((*file, ".LOCARA")), "d")), ".LOCARA")
        push(tree((*file, ".git")), "hasDotgit")
        push(tree((*file, "..")), "hasDotdot")
        push(deep, "has more than 32 parts")
        push(wide, "more than 100000 files and folders")
        self.git(one, "tag", "not-a-commit", blob)
        self.git(one, "push", "-q", "origin", "not-a-commit", expect=1)
        self.assertIn("a tag must point to a commit", self.told)
        self.git(one, "tag", "-am", "x", "words")
        tag = self.head(one, "words")
        body = pkt(f"{ZERO} {tag} refs/heads/y\0report-status\n") + b"0000" + self.git(
            one, "pack-objects", "--stdout", stdin=tag.encode() + b"\n")
        self.assertIn(b"ng refs/heads/y a branch must point to a commit",
                      self.post(f"/{repo}/git-receive-pack", body, token=self.ana)[1])
        self.assertEqual(self.refs(repo), before)
        self.assert_clean(repo)

    def test_broken_packs(self):
        repo = self.make_repo("broken")
        one = self.clone(repo, token=self.ana)
        base = self.head(one)
        head = self.write(one, {"a.txt": "aaaa", "b.txt": "bbbb"})
        pack = self.git(one, "pack-objects", "--stdout", "--revs", stdin=f"{head}\n^{base}\n".encode())
        lacking = self.git(one, "pack-objects", "--stdout", stdin=head.encode() + b"\n")
        begin = pkt(f"{base} {head} refs/heads/main\0report-status\n") + b"0000"

        def push(body, **more):
            answer, content = self.post(f"/{repo}/git-receive-pack", body, token=self.ana, **more)
            return answer.status, content
        for bad in (b"", pack[:-1], pack[:40], pack[:30] + b"!!" + pack[32:], lacking, os.urandom(200_000)):
            status, content = push(begin + bad)
            self.assertEqual(status, 200)
            self.assertIn(b"unpack the pack is no good", content)
            self.assertIn(b"ng refs/heads/main", content)
        # Not lacking in the pack's own eyes, but the repository has no such history.
        orphan = pkt(f"{ZERO} {'1' * 40} refs/heads/other\0report-status\n") + b"0000"
        self.assertIn(b"is neither here nor in the push", push(orphan + pack)[1])
        self.assertEqual(push(b"0000"), (200, b""))
        for nonsense in (b"", b"zzzz", b"0004", b"0003", pkt("hello"), pkt("a" * 40 + " " + "b" * 40 + " "), begin[:30]):
            self.assertEqual(push(nonsense)[0], 400, nonsense)
        many = b"".join(pkt(f"{ZERO} {base} refs/heads/b{i}") for i in range(1001)) + b"0000"
        self.assertEqual(push(many)[0], 413)
        self.assertEqual(self.head(self.clone(repo)), base)
        self.assertEqual(push(begin + pack, chunked=True)[1], pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + b"0000")
        self.assert_clean(repo)

    def test_what_a_refused_push_advises_makes_the_next_one_pass(self):
        repo = self.make_repo("migrates")
        one = self.clone(repo, token=self.ana)
        before = self.write(one, {"a.txt": "a"})
        self.git(one, "push", "-q")
        self.write(one, {"sub/big.txt": "x" * 10_000_001})
        self.git(one, "push", "-q", expect=1)
        told = re.search(r"Run: (git lfs migrate import .*?) and push again", self.told)[1]
        self.git(one, "lfs", "install", "--local")
        self.git(one, *shlex.split(told)[1:])
        self.git(one, "push", "-q")
        # Nothing that the hub has already is written anew.
        self.git(one, "merge-base", "--is-ancestor", before, "HEAD")
        self.assert_clean(repo)

    def test_shallow_clones_can_push(self):
        repo = self.make_repo("shallow")
        for i in range(3):
            self.commit(repo, {"a.txt": str(i)})
        one = self.clone(repo, "--depth=1", token=self.ana)
        head = self.write(one, {"b.txt": "b"})
        self.git(one, "push", "-q")
        self.assertEqual(self.refs(repo)["refs/heads/main"], head)
        # A history that begins nowhere is none.
        other = self.make_repo("whole")
        self.git(one, "push", "-qf", self.remote(other, self.ana), "HEAD:refs/heads/x", expect=1)
        self.assert_clean(other)

    def test_memory_stays_flat(self):
        """A pack twenty times as large takes less than a third of its size on top of what a small one takes."""
        repo = self.make_repo("heavy")
        one = self.clone(repo, token=self.ana)
        self.git(one, "config", "core.compression", "0")  # noise: trying takes long and gives nothing
        process = pathlib.Path(f"/proc/{self.hub.process.pid}")

        def peak_of(files):
            (process / "clear_refs").write_text("5")  # the peak is what it is now (proc(5))
            self.write(one, {f"{i}.txt": random.Random(i).randbytes(9_900_000) for i in files})
            self.git(one, "push", "-q")
            self.clone(repo)
            status = (process / "status").read_text().splitlines()
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
        small, large = peak_of(range(1)), peak_of(range(1, 21))
        print(f"a pack of 198 MB, up and down: a peak of {large:.1f} MiB, of one with 10 MB {small:.1f} MiB")
        self.assertLess(large - small, 198e6 / 2**20 / 3)

    def test_kills(self):
        """SIGKILL while pushes run: what was answered is there, the rest is as if it had not been."""
        repo = self.make_repo("kill")
        one = self.clone(repo, token=self.ana)
        self.write(one, {f"{i}.txt": random.Random(i).randbytes(150_000).hex() for i in range(10)})
        self.git(one, "push", "-q")
        for turn in range(int(os.environ.get("LOCARA_SOAK_KILLS", "5"))):
            main = self.refs(repo)["refs/heads/main"]
            self.write(one, {f"{i}.txt": random.Random(turn * 100 + i + 100).randbytes(150_000).hex() for i in range(10)})
            push = subprocess.Popen(["git", "push", "-q", "origin", "HEAD:main", f"HEAD:refs/heads/t{turn}"], cwd=one,
                                    stderr=subprocess.DEVNULL,
                                    env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"})
            time.sleep(random.Random(turn).random() * 0.8)
            self.hub.kill()
            answered = push.wait(60) == 0
            self.hub.admin("fsck")  # what lies on the disk is whole before anything is mended
            self.hub.start()
            self.hub.admin("fsck")
            refs = self.refs(repo)
            moved = refs["refs/heads/main"] == self.head(one)
            self.assertEqual(moved, f"refs/heads/t{turn}" in refs)
            self.assertTrue(moved if answered else moved or refs["refs/heads/main"] == main)
            self.assert_clean(repo)
            self.git(one, "push", "-q", "origin", "HEAD:main")


if __name__ == "__main__":
    git_client.main()
