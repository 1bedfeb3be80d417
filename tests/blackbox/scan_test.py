"""`locara scan` against Python's own pickle, zipfile, tarfile and compressors.

The oracle is the Unpickler of the standard library with a `find_class` that imports nothing: what it would have called
before it ended, however it ended, has to be called malicious."""
import bz2
import collections
import datetime
import functools
import gzip
import io
import json
import lzma
import operator
import os
import pathlib
import pickle
import random
import subprocess
import tarfile
import tempfile
import types
import unittest
import zipfile
import zlib

from tests.harness import BIN, pickles

LISTED = {("collections", "OrderedDict"), ("_codecs", "encode")}


class Call:
    """Pickles as a call, by REDUCE."""
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Point:
    def __init__(self):
        self.x = 1


class Keywords:
    def __new__(cls, *arguments, **keywords):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (1, 2), {"c": 3}


OBJECTS = [
    Call(print, "x"), Call(operator.attrgetter("upper"), "x"), Call(getattr, "x", "upper"), Call(eval, "1"),
    [1, {"a": Call(exec, "pass")}], datetime.date(2020, 1, 2), functools.partial(int, base=2), {1, 2}, frozenset("ab"),
    Point(), Keywords(), types.SimpleNamespace(a=1), complex(1, 2), bytearray(b"xy"), b"\xff\x00", 2**70, -1.5,
    collections.OrderedDict(a=1), {"text": "cos\nsystem\n(S'id'\ntR.", "n": None, "t": (1, 2, 3, 4), "l": [True] * 3},
]


def dumps(obj, protocol):
    # Older protocols have no opcode for keywords.
    return pickle.dumps(obj, max(protocol, 4) if isinstance(obj, Keywords) else protocol)


class Oracle(pickle._Unpickler):
    """Runs a pickle as Python does, but with stand-ins for everything that it imports."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.called = set()

    def find_class(self, module, name):
        oracle = self

        class StandIn:
            def __new__(cls, *arguments, **keywords):
                oracle.called.add((module, name))
                return object.__new__(cls)

            def __init__(self, *arguments, **keywords):
                pass

            def __setstate__(self, state):
                pass

            def append(self, item):
                pass

            def __setitem__(self, key, value):
                pass

        return StandIn

    def persistent_load(self, pid):
        return pid

    def get_extension(self, code):
        self.append(self.find_class("?", f"extension {code}"))

    def run(self):
        """Everything called before the end; several pickles in a row as one file."""
        while True:
            try:
                self.load()
            except Exception:
                return self.called


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at:at + rng.randint(1, 6)]
        elif kind == 2:
            data[at:at] = data[rng.randrange(len(data)):][:rng.randint(1, 12)]
        elif kind == 3:
            del data[at + 1:]
        else:
            data[at:at] = bytes([rng.choice(b"().02NRbctuseoi]}\x81\x85\x93\x94")])
        if not data:
            return b"N."
    return bytes(data)


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(method, **members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr("archive/" + name, data)
    return out.getvalue()


def odd_tar(rng, data):
    """A tar of one member, its sum of signed bytes or not, and its numbers in spellings that tarfile reads."""
    def spell(value, size):
        text = rng.choice([b"%%0%do" % (size - 1), b"%o", b" %o", b"%o \0", b"+%o", b"0o%o", b"0_%o", b"\t%o", b"\x80"])
        if text == b"\x80":
            return b"\x80" + value.to_bytes(size - 1, "big")
        return (text % value)[:size].ljust(size, b"\0")
    header = bytearray(512)
    name = rng.choice(["m.pkl", "\u00e9\u00e9.pkl", "\u6a21\u578b.bin", ""]).encode()
    header[:len(name)] = name
    for at, size, value in ((100, 8, 0o644), (108, 8, 0), (116, 8, 0), (124, 12, len(data)), (136, 12, rng.randrange(2))):
        header[at:at + size] = spell(value, size)
    header[148:157] = b" " * 8 + rng.choice([b"0", b"\0", b"7", b"z"])
    as_signed = rng.randrange(2)
    total = sum(c - 256 if as_signed and c > 127 else c for c in header)
    header[148:156] = spell(total, 8)
    return bytes(header) + data + bytes(-len(data) % 512 + 1024)


class Scan(unittest.TestCase):
    def scan(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                (pathlib.Path(folder) / name).write_bytes(data)
            done = subprocess.run([BIN / "locara", "scan", folder, "--json"], capture_output=True, text=True, timeout=120)
            self.assertIn(done.returncode, (0, 8), done.stderr)
            report = json.loads(done.stdout)
            found = {pathlib.Path(f["path"]).name: f for f in report["files"]}
            self.assertEqual(set(found), set(files))
            self.assertEqual(done.returncode == 8, any(f["verdict"] == "refuse" for f in found.values()))
            return found

    def test_words_show_the_evidence_and_a_missing_path_hides_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            bad, good = pathlib.Path(folder) / "bad.zip", pathlib.Path(folder) / "good.txt"
            with zipfile.ZipFile(bad, "w") as archive:
                archive.writestr("data.pkl", pickle.dumps(Call(eval, "1")))
            good.write_text("words")

            def scan(*arguments):
                return subprocess.run([BIN / "locara", "scan", *map(str, arguments)], capture_output=True, text=True, timeout=120)

            done = scan(bad)
            verdict, = json.loads(scan(bad, "--json").stdout)["files"]
            self.assertIn(f"rule {verdict['rule']}, at byte {verdict['offset']} of data.pkl; {verdict['scanner']} ", done.stdout)
            for paths, expect in (((good, bad.with_name("nowhere")), 3), ((bad.with_name("nowhere"), bad), 8)):
                done = scan(*paths)
                self.assertEqual(done.returncode, expect, done.stderr)
                self.assertIn("nowhere", done.stderr)
                self.assertIn(f"{paths[0 if expect == 3 else 1]}", done.stdout)
                report = json.loads(scan(*paths, "--json").stdout)
                self.assertEqual((len(report["files"]), [one["error"]["exit"] for one in report["errors"]]), (1, [3]))

    def test_real_pickles_of_every_protocol(self):
        files = {f"{i}-{protocol}.bin": dumps(obj, protocol)
                 for i, obj in enumerate(OBJECTS) for protocol in range(6)}
        numbers = {i for i, obj in enumerate(OBJECTS) if isinstance(obj, (int, float))}
        for name, verdict in self.scan(files).items():
            if int(name.split("-")[0]) in numbers and files[name].isascii():  # "F-1.5", a line break and a full stop
                self.assertEqual((verdict["verdict"], verdict["format"]), ("flag", "text"), name)
                continue
            called = Oracle(files[name]).run()
            self.assertEqual(verdict["verdict"], "refuse", name)
            self.assertEqual(verdict["format"], "pickle", name)
            self.assertEqual(verdict["label"], "malicious" if called - LISTED else "wrong-format", (name, called, verdict))
            imports = {(i["module"], i["name"]) for i in verdict["imports"]}
            self.assertLessEqual(called, imports, name)
            for found in verdict["imports"]:
                self.assertLess(found["offset"], len(files[name]))

    def test_whatever_python_would_call_is_malicious(self):
        rng = random.Random(20)
        files = {}
        for i in range(3000):
            data = dumps(rng.choice(OBJECTS), rng.randrange(6))
            if rng.randrange(4) == 0:
                data = pickle.dumps({}, rng.randrange(6)) + data
            files[f"{i}.bin"] = mutate(data, rng)
        hostile = 0
        for name, verdict in self.scan(files).items():
            called = Oracle(files[name]).run() - LISTED
            # A text that starts with "(i" and two words, and is broken, is prose.
            if called and not files[name].startswith(b"(i"):
                hostile += 1
                self.assertEqual((verdict["verdict"], verdict["label"]), ("refuse", "malicious"),
                                 (name, files[name], called, verdict))
        self.assertGreater(hostile, 300)

    def test_no_spelling_hides_a_call_from_the_gate(self):
        rng = random.Random(int(os.environ.get("LOCARA_SEED", 29)))
        endings = ["bin", "txt", "json", "md", "jinja", "safetensors", "gguf", "pkl"]
        hostile = kept = 0
        for _ in range(int(os.environ.get("LOCARA_PICKLES", 2000)) // 2000):
            files = {f"{i}.{rng.choice(endings)}": pickles.make(rng) for i in range(2000)}
            for name, verdict in self.scan(files).items():
                if pickles.calls(files[name]):
                    hostile += 1
                    self.assertEqual(verdict["verdict"], "refuse", (name, files[name], verdict))
                elif not files[name].startswith(b"U") and verdict["verdict"] != "refuse":
                    kept += 1
        self.assertGreater(hostile, 1000)
        self.assertGreater(kept, 10)  # not all is refused for its looks

    def test_no_spelling_of_a_header_hides_a_tar(self):
        rng = random.Random(30)
        files = {f"{i}.bin": odd_tar(rng, pickle.dumps(Call(eval, "1"), 2)) for i in range(300)}
        opened = 0
        for name, verdict in self.scan(files).items():
            try:
                with tarfile.open(fileobj=io.BytesIO(files[name])) as archive:
                    there = bool(archive.getmembers())
            except tarfile.TarError:
                continue
            opened += there
            self.assertTrue(not there or verdict["verdict"] == "refuse", (name, files[name][:512], verdict))
        self.assertGreater(opened, 100)

    def test_archives_that_python_writes(self):
        hostile = pickle.dumps(Call(eval, "1"), 2)
        harmless = pickle.dumps({"a": 1}, 2)
        packings = {
            "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "z": zlib.compress,
            "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE), "tar": lambda data: tar_of("m.txt", data),
            "zip": lambda data: zip_of(zipfile.ZIP_STORED, **{"data.pkl": data, "data/0": b"\0" * 64, "version": b"3\n"}),
            "pt": lambda data: zip_of(zipfile.ZIP_DEFLATED, **{"data.pkl": data, "data/0": b"\0" * 64, "version": b"3\n"}),
        }
        files = {}
        for name, pack in packings.items():
            files[f"hostile.{name}"] = pack(hostile)
            files[f"harmless.{name}"] = pack(harmless)
            files[f"words.{name}"] = pack(b"Only words, nothing else.\n")
            files[f"hostile.{name}.gz"] = gzip.compress(pack(hostile))
        for name, verdict in self.scan(files).items():
            if name.startswith("words"):
                # Words under the name of a pickle.
                expected = ("flag", "mismatch") if name.endswith(("zip", "pt")) else ("allow", "ok")
            elif name.startswith("harmless"):
                expected = ("refuse", "wrong-format")
            else:
                expected = ("refuse", "malicious")
            self.assertEqual((verdict["verdict"], verdict["label"]), expected, (name, verdict))


if __name__ == "__main__":
    unittest.main()
