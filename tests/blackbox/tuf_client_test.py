"""`locara-tuf`, driven by the client protocol of the TUF conformance suite, against repositories of our own making:
one honest, then every way to lie that the TUF specification names."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests import harness
from tests.harness import BIN
from tests.harness.tuf import Key, Repository, Server, canonical, in_days

TOP_LEVEL = ("root", "timestamp", "snapshot", "targets")


class TufClient(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-tuf-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, repository):
        """Serves a repository; a client trusts its first root."""
        self.repository = repository
        self.server = Server(repository)
        self.addCleanup(self.server.stop)
        self.fresh_client()
        return repository

    def fresh_client(self):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        first = self.home / "first.json"
        first.write_bytes(self.repository.files["metadata/1.root.json"])
        self.run_client("init", first)

    def run_client(self, *arguments, expect=0, clock=None):
        environment = {**os.environ, **(harness.moved_clock(clock) if clock else {})}
        done = subprocess.run([BIN / "locara-tuf", "--metadata-dir", self.home / "metadata", *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env=environment)
        self.assertEqual(done.returncode, expect, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(bool(done.stderr), bool(expect), "a failure says why, a success nothing")
        return done.stderr

    def refresh(self, words=None, **options):
        """Refreshes; `words`: it must fail and say so."""
        said = self.run_client("--metadata-url", self.server.url + "/metadata", "refresh",
                               expect=0 if words is None else 1, **options)
        self.assertIn(words or "", said)

    def download(self, *names, words=None):
        arguments = [argument for name in names for argument in ("--target-name", name)]
        said = self.run_client("--metadata-url", self.server.url + "/metadata", *arguments, "--target-base-url",
                               self.server.url + "/targets/", "--target-dir", self.home / "targets", "download",
                               expect=0 if words is None else 1)
        self.assertIn(words or "", said)

    def trusted(self):
        """Role, as its file is called, to version."""
        return {path.name.removesuffix(".json"): json.loads(path.read_bytes())["signed"]["version"]
                for path in (self.home / "metadata").glob("*.json")}

    def downloaded(self):
        folder = self.home / "targets"
        return sorted(path.read_bytes() for path in folder.iterdir()) if folder.exists() else []

    def assert_refused(self, words, **versions):
        """The update fails for this reason, and of what is trusted only `versions` changed (None: it is gone)."""
        expected = {**self.trusted(), **versions}
        self.refresh(words)
        self.assertEqual(self.trusted(), {role: version for role, version in expected.items() if version})

    # ------------------------------------------------------------------------------------ honest

    def test_refresh_asks_for_what_is_new_and_keeps_the_bytes(self):
        self.start(Repository(hashes=True))
        self.refresh()
        self.assertEqual(self.server.requests, ["metadata/2.root.json", "metadata/timestamp.json",
                                                "metadata/1.snapshot.json", "metadata/1.targets.json"])
        for role in TOP_LEVEL:
            self.assertEqual((self.home / f"metadata/{role}.json").read_bytes(),
                             self.repository.files[self.repository.address(role)])
        self.server.requests.clear()
        self.refresh()
        self.assertEqual(self.server.requests, ["metadata/2.root.json", "metadata/timestamp.json"])

    def test_init_takes_a_root_once_and_only_a_root(self):
        repository = self.start(Repository())
        other = self.home / "other.json"
        other.write_bytes(Repository().files["metadata/1.root.json"])
        self.assertIn("another trusted root", self.run_client("init", other, expect=1))
        self.run_client("init", self.home / "first.json")
        self.home = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.refresh("no root is trusted")
        broken = json.loads(repository.files["metadata/1.root.json"])
        broken["signatures"] = broken["signatures"][:1]
        other = self.home / "other.json"
        for content in (json.dumps(broken).encode(), b"{}", b"", b"[" * 100, b" " * 600_000):
            other.write_bytes(content)
            self.run_client("init", other, expect=1)
        self.run_client("init", self.home / "absent.json", expect=1)
        self.refresh("no root is trusted")
        self.assertEqual(self.server.requests, [])

    def test_wrong_usage_is_a_failure_like_any_other(self):
        self.start(Repository())
        url = ("--metadata-url", self.server.url)
        for arguments in ((), ("refresh",), ("nonsense",), ("init",), (*url, "download"),
                          (*url, "--target-name", "a", "--target-dir", "b", "download")):
            self.run_client(*arguments, expect=1)
        self.run_client("--metadata-url", "http://127.0.0.1:1/metadata", "refresh", expect=1)
        self.run_client("--metadata-url", "no address", "refresh", expect=1)

    def test_repository_without_consistent_snapshots(self):
        repository = Repository()
        repository.docs["root"]["consistent_snapshot"] = False
        repository.add_target("targets", "a/file", b"content")
        repository.docs["root"]["version"] = 0
        repository.publish("root", "targets", "snapshot", "timestamp")
        self.start(repository)
        self.download("a/file")
        self.assertEqual(self.server.requests[2:],
                         ["metadata/snapshot.json", "metadata/targets.json", "targets/a/file"])

    def test_downloads_in_order_once_and_stops_at_the_first_failure(self):
        repository = self.start(Repository(hashes=True))
        for name, content in (("a", b"one"), ("path/to/b c", b"two"), ("z", b"three"), ("empty", b"")):
            repository.add_target("targets", name, content)
        repository.publish("targets", "snapshot", "timestamp")
        self.download("a", "path/to/b c", "empty")
        self.assertEqual(self.downloaded(), [b"", b"one", b"two"])
        self.server.requests.clear()
        self.download("a", "absent", "z", words="no role lists 'absent'")
        self.assertEqual([path for path in self.server.requests if path.startswith("targets/")], [])
        repository.add_target("targets", "a", b"one anew")
        repository.publish("targets", "snapshot", "timestamp")
        self.download("a")
        self.assertEqual(self.downloaded(), [b"", b"one anew", b"two"])

    def test_targets_of_each_hash_and_none_of_a_wrong_one(self):
        repository = self.start(Repository())
        content = b"the content"
        for name, algorithms in (("256", ["sha256"]), ("512", ["sha512"]), ("both", ["sha256", "sha512"])):
            repository.add_target("targets", name, content, algorithms)
        repository.add_target("targets", "one-wrong", content, ["sha256", "sha512"])
        repository.docs["targets"]["targets"]["one-wrong"]["hashes"]["sha512"] = "0" * 128
        repository.add_target("targets", "unknown", content)
        repository.docs["targets"]["targets"]["unknown"]["hashes"] = {"md5": hashlib.md5(content).hexdigest()}
        for name, change in (("short", -1), ("long", 1)):
            repository.add_target("targets", name, content)
            repository.docs["targets"]["targets"][name]["length"] += change
        repository.add_target("targets", "../climbs", content)
        repository.publish("targets", "snapshot", "timestamp")
        self.download("256", "512", "both")
        self.assertEqual(self.downloaded(), [content] * 3)
        for name, words in (("one-wrong", "sha512"), ("unknown", "unknown hash algorithms"), ("short", "longer than"),
                            ("long", "11 bytes"), ("../climbs", "no relative path")):
            self.download(name, words=words)
        self.assertEqual(self.downloaded(), [content] * 3)
        self.assertEqual(sorted(path.name for path in (self.home / "targets").iterdir()), ["256", "512", "both"])

    def test_fields_nobody_knows_are_signed_too(self):
        repository = self.start(Repository())
        key = Key()
        key.object["more"] = {"a": [1, None, True]}
        repository.docs["root"]["more"] = "\u00e9\u2028\"\\\x7f\u0001"
        repository.appoint("snapshot", [key])
        repository.publish("root", "snapshot", "timestamp")
        self.refresh()
        self.assertEqual(self.trusted()["root"], 2)

    def test_keys_of_other_kinds(self):
        class Foreign(Key):
            def __init__(key, folder, kind, scheme, generate, sign):
                key.path, key.how = folder / kind, sign
                subprocess.run(["openssl", *generate, "-out", key.path], check=True, stderr=subprocess.DEVNULL)
                public = subprocess.run(["openssl", "pkey", "-in", key.path, "-pubout"], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout
                key.object = {"keytype": kind, "scheme": scheme, "keyval": {"public": public}}
                key.id = hashlib.sha256(canonical(key.object)).hexdigest()

            def sign(key, message):
                return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key.path, *key.how], input=message,
                                      check=True, stdout=subprocess.PIPE).stdout

        repository = self.start(Repository())
        repository.appoint("timestamp", [Foreign(
            self.folder, "ecdsa", "ecdsa-sha2-nistp256", ["genpkey", "-algorithm", "EC", "-pkeyopt",
                                                          "ec_paramgen_curve:P-256"], [])])
        repository.appoint("targets", [Foreign(
            self.folder, "rsa", "rsassa-pss-sha256", ["genpkey", "-algorithm", "RSA"],
            ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"])])
        repository.publish("root", "targets", "snapshot", "timestamp")
        self.refresh()
        self.assertEqual(self.trusted(), {"root": 2, "timestamp": 2, "snapshot": 2, "targets": 2})
        for role in ("timestamp", "targets"):
            repository.docs["root"]["keys"][repository.keys[role][0].id]["scheme"] = "ed25519"
            repository.publish("root", "targets", "snapshot", "timestamp")
            self.refresh("good signatures of 0 of the 1 keys")
            break

    # ------------------------------------------------------------------------------------ root

    def test_root_is_followed_step_by_step_and_each_step_is_kept(self):
        repository = self.start(Repository())
        before = repository.keys["root"]
        repository.appoint("root", [Key(), Key(), Key()], 2)
        repository.publish_root(*before)
        repository.docs["root"]["expires"] = in_days(-1)
        repository.publish("root")
        self.assert_refused("root expired", root=3)
        repository.docs["root"]["expires"] = in_days(1)
        repository.docs["root"]["version"] += 1
        repository.sign("root", repository.keys["root"][:1])
        self.assert_refused("good signatures of 1 of the 2 keys")
        repository.sign("root", repository.keys["root"][1:])
        self.refresh()
        self.assertEqual(self.trusted()["root"], 4)

    def test_root_needs_the_old_keys_and_its_own_and_the_next_version(self):
        repository = self.start(Repository())
        self.refresh()
        before = repository.keys["root"]
        repository.appoint("root", [Key(), Key()], 2)
        repository.publish_root(before[0])
        self.assert_refused("good signatures of 1 of the 2 keys")
        repository.sign("root", [repository.keys["root"][0], *before])
        self.assert_refused("good signatures of 1 of the 2 keys")
        for version in (1, 3):
            repository.docs["root"]["version"] = version
            repository.files["metadata/2.root.json"] = repository.render("root", [*repository.keys["root"], *before])
            self.assert_refused(f"version {version} was served")
        repository.docs["root"]["version"] = 2
        repository.sign("root", [*repository.keys["root"], *before])
        self.refresh()

    def test_at_most_256_roots_in_one_update(self):
        repository = Repository(root_keys=1)
        for _ in range(260):
            repository.publish("root")
        self.start(repository)
        self.refresh()
        self.assertEqual(self.trusted()["root"], 257)
        self.refresh()
        self.assertEqual(self.trusted()["root"], 261)

    def test_root_that_expired_here_is_replaced_by_a_newer_one(self):
        repository = Repository()
        repository.docs["root"].update(expires=in_days(7), version=0)
        for role in TOP_LEVEL[1:]:
            repository.docs[role].update(expires=in_days(60), version=0)
        repository.publish("root", "targets", "snapshot", "timestamp")
        self.start(repository)
        self.refresh()
        self.refresh("root expired", clock="+18d")
        repository.docs["root"]["expires"] = in_days(60)
        repository.publish("root")
        self.refresh(clock="+18d")
        self.assertEqual(self.trusted()["root"], 2)

    # ------------------------------------------------------------------------------------ freeze, rollback

    def test_expired_at_each_role(self):
        for role, kept in (("root", {"root": 2}), ("timestamp", {}), ("snapshot", {"timestamp": 2}),
                           ("targets", {"timestamp": 2, "snapshot": 2})):
            with self.subTest(role):
                repository = self.start(Repository())
                self.refresh()
                repository.docs[role]["expires"] = in_days(-1)
                order = {"root": ["root"], "timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"],
                         "targets": ["targets", "snapshot", "timestamp"]}[role]
                repository.publish(*order)
                self.assert_refused(f"{role} expired", **kept)
                repository.docs[role]["expires"] = in_days(1)
                repository.publish(*order)
                self.refresh()

    def test_expired_delegated_role(self):
        repository = self.start(Repository())
        repository.delegate("targets", "team", ["team/*"])
        repository.add_target("team", "team/file", b"x")
        repository.docs["team"]["expires"] = in_days(-1)
        repository.publish("team", "targets", "snapshot", "timestamp")
        self.download("team/file", words="team expired")
        self.assertEqual((self.downloaded(), "team" in self.trusted()), ([], False))

    def test_rollback_of_each_role(self):
        repository = self.start(Repository())
        old = dict(repository.files)
        repository.delegate("targets", "team", ["team/*"])
        repository.publish("root", "team", "targets", "snapshot", "timestamp")
        self.refresh()
        new = dict(repository.files)
        docs = json.dumps(repository.docs)

        def again():
            repository.files, repository.docs = dict(new), json.loads(docs)
            return repository.docs

        repository.files.update({"metadata/timestamp.json": old["metadata/timestamp.json"]})
        self.assert_refused("timestamp went back from version 2 to version 1")
        again()["snapshot"]["version"] = 0
        repository.publish("snapshot", "timestamp")
        self.assert_refused("the snapshot that the timestamp names went back")
        again()["snapshot"]["meta"]["targets.json"]["version"] = 1
        repository.publish("snapshot", "timestamp")
        self.assert_refused("targets.json in the snapshot went back", timestamp=3)
        again()["timestamp"]["version"] = 3
        del repository.docs["snapshot"]["meta"]["team.json"]
        repository.publish("snapshot", "timestamp")
        self.assert_refused("no longer lists team.json", timestamp=4)
        again()["timestamp"]["version"] = 4
        repository.publish("snapshot", "timestamp")
        self.refresh()

    def test_versions_pushed_up_are_recovered_from_by_new_keys(self):
        for role, rotated, order in (("timestamp", ["timestamp"], ["root", "timestamp"]),
                                     ("snapshot", ["snapshot", "timestamp"], ["root", "snapshot", "timestamp"]),
                                     ("targets", ["snapshot"], ["root", "targets", "snapshot", "timestamp"])):
            with self.subTest(role):
                repository = self.start(Repository())
                repository.docs[role]["version"] = 2**40
                repository.publish(*[one for one in order if one != "root"])
                self.refresh()
                self.assertGreater(self.trusted()[role], 2**40)
                repository.docs[role]["version"] = 1
                repository.publish(*[one for one in order if one != "root"])
                self.refresh("went back")
                for one in rotated:
                    repository.appoint(one, [Key()])
                repository.docs[role]["version"] = 1
                repository.publish(*order)
                self.refresh()
                self.assertEqual(self.trusted()[role], 2)

    def test_timestamp_of_the_same_version_with_other_content_is_not_taken(self):
        repository = self.start(Repository())
        self.refresh()
        before = (self.home / "metadata/timestamp.json").read_bytes()
        repository.docs["timestamp"]["meta"]["snapshot.json"]["version"] = 100
        repository.sign("timestamp")
        self.refresh()
        self.assertEqual((self.home / "metadata/timestamp.json").read_bytes(), before)

    # ------------------------------------------------------------------------------------ wrong files

    def test_mix_and_match(self):
        for hashes in (False, True):
            with self.subTest(hashes=hashes):
                repository = self.start(Repository(hashes=hashes))
                self.refresh()
                old = dict(repository.files)
                repository.publish("targets", "snapshot", "timestamp")
                new = dict(repository.files)
                for role, kept in (("targets", {"timestamp": 2, "snapshot": 2}), ("snapshot", {"timestamp": 2})):
                    self.fresh_client()
                    repository.files[f"metadata/2.{role}.json"] = old[f"metadata/1.{role}.json"]
                    self.refresh("metadata" if hashes else "version 1 was served")
                    self.assertEqual(self.trusted(), {"root": 1, **kept})
                    repository.files[f"metadata/2.{role}.json"] = new["metadata/timestamp.json"]
                    self.refresh("metadata" if hashes else "")
                    self.assertEqual(self.trusted(), {"root": 1, **kept})
                    del repository.files[f"metadata/2.{role}.json"]
                    self.refresh("the hub has no")
                    repository.files = dict(new)
                    self.refresh()

    def test_signed_with_wrong_keys(self):
        order = ("root", "targets", "snapshot", "timestamp")
        for role in TOP_LEVEL:
            with self.subTest(role):
                repository = self.start(Repository())
                own = repository.keys[role]
                # Nobody's key, then the key of another role, then the right key's name over another's signature.
                for keys in ([Key(), Key()], repository.keys["snapshot" if role != "snapshot" else "timestamp"],
                             [Key().under(key.id) for key in own]):
                    repository.keys[role] = keys
                    repository.publish(*order[order.index(role):])
                    self.fresh_client()
                    self.refresh("good signatures of 0 of the")
                    self.assertNotIn((role, repository.docs[role]["version"]), self.trusted().items())
                    repository.keys[role] = own
                    if role == "root":
                        repository.docs["root"]["version"] -= 1
                    repository.publish(*order[order.index(role):])
                    self.refresh()

    def test_a_threshold_counts_keys(self):
        repository = self.start(Repository())
        self.refresh()
        good = [Key(), Key()]
        repository.appoint("snapshot", good, 2)
        repository.publish("root")
        # Too few; one key twice, in `signatures` or under a second name; a broken signature beside it.
        repository.keys["snapshot"] = good[:1]
        repository.publish("snapshot", "timestamp")
        # The keys changed, so what the old ones signed is dropped.
        self.assert_refused("good signatures of 1 of the 2 keys", root=2, timestamp=2, snapshot=None)
        repository.keys["snapshot"] = [good[0], good[0]]
        repository.publish("snapshot", "timestamp")
        self.assert_refused("signs twice", timestamp=3)
        twin = good[0].under("0" * 64)
        repository.appoint("snapshot", [good[0], twin], 2)
        repository.publish("root", "snapshot", "timestamp")
        self.assert_refused("good signatures of 1 of the 2 keys", root=3, timestamp=4)
        repository.docs["root"]["roles"]["snapshot"]["keyids"] = [good[0].id] * 2
        repository.publish("root")
        self.assert_refused("twice")
        repository.docs["root"]["version"] = 3
        del repository.files["metadata/4.root.json"]
        repository.appoint("snapshot", [*good, Key()], 2)
        repository.keys["snapshot"] = [Key(), Key().under(repository.keys["snapshot"][2].id), *good]
        repository.publish("root", "snapshot", "timestamp")
        self.refresh()
        self.assertEqual(self.trusted(), {"root": 4, "timestamp": 5, "snapshot": 5, "targets": 1})

    def test_endless_data(self):
        repository = self.start(Repository())
        repository.add_target("targets", "file", b"x" * 1000)
        repository.delegate("targets", "team", ["team/*"])
        repository.publish("team", "targets", "snapshot", "timestamp")
        digest = repository.docs["targets"]["targets"]["file"]["hashes"]["sha256"]
        buffers = 8 << 20  # what the sockets of both sides may hold
        for address, limit in (("metadata/2.root.json", 512_000), ("metadata/timestamp.json", 16_384),
                               ("metadata/2.snapshot.json", 2_000_000), ("metadata/2.targets.json", 5_000_000),
                               ("metadata/1.team.json", 5_000_000), (f"targets/{digest}.file", 1000)):
            for announced in (None, 1 << 40):
                with self.subTest(address, announced=announced):
                    self.fresh_client()
                    self.server.sent = 0
                    self.server.endless = {address: (repository.files.get(address, b"{"), announced)}
                    name = "team/file" if "team" in address else "file"
                    self.download(name, words=f"longer than the {limit} bytes allowed")
                    self.assertLess(self.server.sent, limit + buffers)
                    self.assertEqual(self.downloaded(), [])
                    self.server.endless = {}
                    self.refresh()

    def test_json_that_is_not_to_be_read(self):
        repository = self.start(Repository())
        self.refresh()
        repository.publish("snapshot", "timestamp")
        honest = repository.files["metadata/timestamp.json"]
        text = honest.decode()
        deep = b'{"a":' * 33 + b"1" + b"}" * 33
        for content in (b"", b"\x00", b"null", b"[]", b'"x"', honest[:-1], honest + b"x", honest + honest,
                        b"\xef\xbb\xbf" + honest, honest.decode().encode("utf-16"), honest.replace(b"timestamp", b"\xff"),
                        b'{"signatures":[],"signed":' + deep + b"}", b"[" * 16_000,
                        text.replace('"version": 2', '"version": 2.0').encode(),
                        text.replace('"version": 2', '"version": 2e0').encode(),
                        text.replace('"version": 2', '"version": -2').encode(),
                        text.replace('"version": 2', '"version": 99999999999999999999999').encode(),
                        text.replace('"version": 2', '"version": 2, "version": 2').encode(),
                        text.replace('"signed"', '"signed": {}, "signed"').encode()):
            self.assertNotEqual(content, honest)
            repository.files["metadata/timestamp.json"] = content
            with self.subTest(content[:60]):
                self.assert_refused("timestamp:")
        # The same, signed: who has the key may still not say what cannot be meant.
        for field, value in (("version", 0), ("version", True), ("version", "3"), ("expires", "tomorrow"), ("expires", 1),
                             ("_type", "snapshot"), ("spec_version", "2.0.0"), ("spec_version", 1), ("meta", []),
                             ("meta", {}), ("meta", {"snapshot.json": {"version": 0}}),
                             ("meta", {"snapshot.json": {"version": 2, "length": -1}}),
                             ("meta", {"snapshot.json": {"version": 2, "hashes": {}}}),
                             ("meta", {"snapshot.json": {"version": 2, "hashes": {"sha256": "../../x"}}})):
            docs = json.dumps(repository.docs)
            repository.docs["timestamp"][field] = value
            repository.files["metadata/timestamp.json"] = repository.render("timestamp")
            with self.subTest(field=field, value=value):
                self.assert_refused("timestamp:")
            repository.docs = json.loads(docs)
        repository.files["metadata/timestamp.json"] = honest
        self.refresh()
        self.assertEqual(self.trusted()["timestamp"], 2)

    # ------------------------------------------------------------------------------------ delegations

    def test_role_names_that_climb_or_cut_addresses(self):
        for name, quoted in (("../x", "..%2Fx"), ("?", "%3F"), ("#", "%23"), ("/x", "%2Fx"), ("a b", "a%20b"),
                             ("\u00e9", "%C3%A9"), ("%2e%2e", "%252e%252e"), ("..", "..")):
            with self.subTest(name):
                repository = self.start(Repository())
                repository.delegate("targets", name, ["*"])
                repository.add_target(name, "file", b"content")
                repository.publish(name, "targets", "snapshot", "timestamp")
                self.download("file")
                self.assertIn(f"metadata/1.{quoted}.json", self.server.requests)
                self.assertEqual(self.trusted(), {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2, quoted: 1})
                self.assertEqual({path.name for path in self.home.iterdir()}, {"first.json", "metadata", "targets"})

    def test_delegated_role_must_not_take_the_name_of_a_top_level_one(self):
        repository = self.start(Repository())
        repository.delegate("targets", "team", ["*"])
        repository.docs["targets"]["delegations"]["roles"][0]["name"] = "root"
        repository.publish("targets", "snapshot", "timestamp")
        self.refresh("which no delegated role may be called")

    def test_search_is_depth_first_in_order_and_ends_where_it_must(self):
        repository = self.start(Repository())
        repository.delegate("targets", "a", ["x/*"])
        repository.delegate("a", "c", ["x/*"])
        repository.delegate("targets", "b", ["x/*", "y/*"], terminating=True)
        repository.delegate("targets", "d", ["x/*", "y/*"])
        repository.delegate("c", "a", ["x/*"])  # a circle
        repository.add_target("b", "x/from-b", b"b")
        repository.add_target("d", "y/from-d", b"d")
        repository.add_target("c", "y/not-c's", b"c")
        repository.add_target("a", "x/y/deeper", b"a")
        repository.publish("a", "b", "c", "d", "targets", "snapshot", "timestamp")
        self.download("x/from-b")
        self.assertEqual([path for path in self.server.requests if path.endswith((".a.json", ".b.json", ".c.json", ".d.json"))],
                         ["metadata/1.a.json", "metadata/1.c.json", "metadata/1.b.json"])
        for name in ("y/from-d", "y/not-c's", "x/y/deeper"):
            self.download(name, words="no role lists")
        self.assertEqual(self.downloaded(), [b"b"])
        self.assertNotIn("metadata/1.d.json", self.server.requests)

    def test_role_reached_through_two_parents_answers_to_both(self):
        repository = self.start(Repository())
        for parent, paths in (("parent-a", ["a/*"]), ("parent-b", ["b/*"])):
            repository.delegate("targets", parent, paths)
            repository.delegate(parent, "release", paths)
        ours = repository.keys["release"]
        repository.appoint("release", [Key()], 1, "parent-b")
        repository.keys["release"] = ours
        repository.add_target("release", "a/file", b"trusted")
        repository.add_target("release", "b/file", b"not trusted")
        repository.publish("release", "parent-a", "parent-b", "targets", "snapshot", "timestamp")
        self.download("a/file", "b/file", words="that parent-b wants")
        self.assertEqual(self.downloaded(), [b"trusted"])
        self.download("b/file", words="that parent-b wants")

    def test_delegation_that_the_snapshot_does_not_list(self):
        repository = self.start(Repository())
        repository.delegate("targets", "team", ["team/*"])
        repository.add_target("team", "team/file", b"x")
        repository.publish("team", "targets")
        del repository.docs["snapshot"]["meta"]["team.json"]
        repository.publish("snapshot", "timestamp")
        self.refresh()
        self.server.requests.clear()
        self.download("team/file", words="the snapshot does not list it")
        self.assertEqual(self.server.requests, ["metadata/2.root.json", "metadata/timestamp.json"])

    def test_more_roles_than_a_search_may_visit(self):
        repository = self.start(Repository())
        names = [f"role-{number}" for number in range(33)]
        for name in names:
            repository.delegate("targets", name, ["*"])
        repository.add_target(names[31], "last", b"last")
        repository.add_target(names[32], "beyond", b"beyond")
        repository.publish(*names, "targets", "snapshot", "timestamp")
        self.download("last")
        self.download("beyond", words="")
        self.assertEqual(self.downloaded(), [b"last"])


if __name__ == "__main__":
    harness.main()
