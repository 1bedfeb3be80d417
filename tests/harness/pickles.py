"""Pickles that run code when CPython loads them, each spelled in another way: what a reader that is stricter than Python's
would stop at. And what Python's own two unpicklers call of them."""
import contextlib
import io
import json
import pickle
import resource
import struct
import warnings

CALL = ("os", "system")  # named by every one of them; nothing is ever imported
SPACE = [b"", b"", b"", b" ", b"\t", b"\x0b", b"\x0c", b"\r", b" \t", b"\x0c\x0b "]


class Called(BaseException):
    """The stand-in for CALL was called: that is enough."""


def stand_in(*arguments, **keywords):
    raise Called


class Path(list):
    """sys.path: what is put into it stays there."""
    append = extend = __setitem__ = stand_in


def found(module, name):
    """What an import gives: a stand-in for what is hostile, constants as Python has them, else nothing."""
    if name == "system" and module in ("os", "posix"):
        return stand_in
    constants = {("sys", "version_info"): (3, 11), ("os", "name"): "posix", ("sys", "path"): Path(),
                 ("builtins", "print"): lambda *arguments: None, ("collections", "OrderedDict"): dict}
    if (module, name) not in constants:
        raise ImportError
    return constants[module, name]


class WithStandIns:
    def find_class(self, module, name):
        return found(module, name)

    def persistent_load(self, pid):
        return pid


class InC(WithStandIns, pickle.Unpickler):
    pass


class InPython(WithStandIns, pickle._Unpickler):
    pass


@contextlib.contextmanager
def little_memory():
    """An index of 2^31 makes a table of 32 GB in the unpickler in C: MemoryError instead."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def calls(data):
    """Whether loading it, by either, calls CALL or changes sys.path. Of several pickles in a row the first counts."""
    for unpickler in (InC, InPython):
        try:
            with warnings.catch_warnings(), little_memory():
                warnings.simplefilter("ignore")  # of escapes
                unpickler(io.BytesIO(data)).load()
        except Called:
            return True
        except Exception:  # whatever it is, Python ended there
            pass
    return False


def number(rng):
    digits = rng.choice([b"0", b"5", b"0005", b"1_0", b"0x1f", b"0b1", b"0o7", b"-0", b"+3", b"01", b"00", b"7" * 40])
    tail = rng.choice([b""] * 6 + [b"\0", b"\0junk{}", b"L"])
    return rng.choice(SPACE) + digits + rng.choice(SPACE) + tail


def index(rng, value):
    text = rng.choice([b"%d", b"%d", b"0%d", b"+%d", b"000000000000000000000000%d", b"0_%d"]) % value
    return rng.choice(SPACE) + text + rng.choice(SPACE) + rng.choice([b""] * 6 + [b"\0zz"])


def text(rng, value):
    """A str, as one of the opcodes that make one."""
    quote = rng.choice([b"'", b'"'])
    return rng.choice([
        lambda: b"S" + quote + value + quote + b"\n",
        lambda: b"S" + quote + b"".join(b"\\x%02x" % c for c in value) + quote + b"\n",
        lambda: b"V" + value + b"\n",
        lambda: b"V" + b"".join(b"\\u%04x" % c for c in value) + b"\n",
        lambda: b"U" + bytes([len(value)]) + value,
        lambda: b"T" + struct.pack("<I", len(value)) + value,
        lambda: b"X" + struct.pack("<I", len(value)) + value,
        lambda: b"\x8c" + bytes([len(value)]) + value,
        lambda: b"\x8d" + struct.pack("<Q", len(value)) + value,
    ])()


def memo(rng, value):
    """Puts what is on top under one spelling, drops it, and gets it by another."""
    put = rng.choice([lambda: b"p" + index(rng, value) + b"\n", lambda: b"q" + bytes([value]),
                      lambda: b"r" + struct.pack("<I", value)])()
    get = rng.choice([lambda: b"g" + index(rng, value) + b"\n", lambda: b"h" + bytes([value]),
                      lambda: b"j" + struct.pack("<I", value)])()
    return put + rng.choice([b"", b"Vother\np%d\n0" % (value + 1)]) + b"0" + get


def filler(rng):
    """Leaves the stack as it was."""
    return rng.choice([
        lambda: rng.choice([b"I", b"L"]) + number(rng) + b"\n0",
        lambda: b"F" + rng.choice([b"1.5", b"1e3", b"inf", b"-nan", b" 1.5", b"1_0.5", b"2\0x"]) + b"\n0",
        lambda: text(rng, b"words") + b"0",
        lambda: text(rng, b"words") + memo(rng, rng.randrange(200)) + b"0",
        lambda: b"N" + rng.choice([b"\x85", b"2\x86", b"22\x87"]) + b"0",
        lambda: b"(" + b"N" * rng.randrange(3) + b"1",
        lambda: b"(N" + rng.choice([b"t", b"l", b"Nd"]) + b"0",
        lambda: rng.choice([b"]Na0", b"](NNe0", b"}NNs0", b"}(NNu0", b"\x8f(N\x900", b"((NN\x910(N\x911"]),
        lambda: b"Pid\n0" if rng.randrange(2) else b"NQ0",
        lambda: b"cbuiltins\nprint\n" + rng.choice([b"csys\nversion_info\nR0", b")R0", b"(tR0", b"cos\nname\n\x85R0"]),
        lambda: b"C\x03abc0" if rng.randrange(2) else b"B\x01\0\0\0x0",
        lambda: b"\x80" + bytes([rng.randrange(6)]),
        lambda: b"K\x010" + b"M\x01\x020" + b"J\x01\0\0\0" + b"0" + b"G" + b"\0" * 8 + b"0",
        lambda: b"\x8a\x01\x050" if rng.randrange(2) else b"\x8b\x01\0\0\0\x050",
    ])()


def imported(rng):
    return rng.choice([
        lambda: b"cos\nsystem\n",
        lambda: text(rng, b"os") + filler(rng) + text(rng, b"system") + b"\x93",
        lambda: b"cos\nname\n" + text(rng, b"system") + b"\x93",  # os.name is "posix"
    ])()


def payload(rng):
    command = text(rng, b"id")
    there = imported(rng) + (memo(rng, rng.randrange(200)) if rng.randrange(3) == 0 else b"")
    return rng.choice([
        lambda: there + filler(rng) + command + b"\x85R",
        lambda: there + b"(" + command + filler(rng) + b"tR",
        lambda: there + command + b"R",  # pickle.py only
        lambda: there + b"](" + command + b"eR",
        lambda: there + b"csys\nversion_info\nR",
        lambda: b"(" + command + b"ios\nsystem\n",
        lambda: b"(" + there + command + b"o",
        lambda: b"(ios\nsystem\n",
        lambda: there + memo(rng, 7) + b")R",
        lambda: b"csys\npath\n" + command + b"a",
        lambda: b"csys\npath\n(" + command + b"e",
        lambda: b"csys\npath\nK\x00" + command + b"s",
    ])()


def envelope(rng, program):
    """The program, or a safetensors file whose first byte opens a string of 8 bytes, and whose header is a line."""
    if rng.randrange(6) != 0:
        return program
    data = b"\n0" + program
    header = json.dumps({"Vw": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}},
                        separators=(",", ":")).encode()
    length = 0x0855 if len(header) <= 0x0855 else 0x1055
    return struct.pack("<Q", length) + header.ljust(length) + data


def make(rng):
    program = b"".join(filler(rng) for _ in range(rng.randrange(5))) + payload(rng) + rng.choice([b".", b"", b"junk", b"\n"])
    if rng.randrange(5) == 0:  # and what is nearly one
        at = rng.randrange(len(program))
        program = program[:at] + rng.choice([b"", bytes([rng.randrange(256)]), rng.choice(SPACE)]) + program[at + rng.randrange(2):]
    return envelope(rng, program)
