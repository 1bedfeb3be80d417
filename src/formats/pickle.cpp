#include "cursor.hpp"

#include <locara/base/utf8.hpp>
#include <locara/formats/pickle.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <unordered_map>
#include <utility>

namespace locara::formats {

namespace {

constexpr std::uint64_t kMaxOpcodes = 20'000'000;
constexpr std::size_t kMaxStack = 2'000'000;        // items; above, the walk ends as over budget
constexpr std::size_t kMaxMemo = 500'000;           // entries; later ones read back as unknown
constexpr std::size_t kMaxConstant = 4'096;         // bytes of a string that may name a module
constexpr std::size_t kMaxConstants = 8U << 20U;    // bytes of all of them
constexpr std::uint64_t kMaxLine = 2ULL << 30U;     // bytes
constexpr std::uint64_t kEnoughOpcodes = 1'000'000; // once something hostile was seen
constexpr std::size_t kMaxImports = 256;
constexpr std::uint64_t kEnoughToTell = 6; // opcodes that random bytes do not run through
constexpr unsigned kMaxPickles = 1'000'000;

struct Listed {
    std::string_view module;
    std::string_view name; // "*": any name without a dot
};

// What the pickles of ordinary weights need, and nothing that runs a caller's code. Kept short on
// purpose: everything else is called malicious.
constexpr Listed kListed[] = {
    {"collections", "OrderedDict"},
    {"torch", "Size"},
    {"torch", "device"},
    {"torch", "dtype"},
    {"torch._utils", "_rebuild_tensor"},
    {"torch._utils", "_rebuild_tensor_v2"},
    {"torch._utils", "_rebuild_parameter"},
    {"torch._utils", "_rebuild_qtensor"},
    {"torch._utils", "_rebuild_sparse_tensor"},
    {"torch.nn.parameter", "Parameter"},
    {"torch.storage", "UntypedStorage"},
    {"torch.storage", "TypedStorage"},
    {"torch", "UntypedStorage"},
    {"numpy", "ndarray"},
    {"numpy", "dtype"},
    {"numpy.core.multiarray", "_reconstruct"},
    {"numpy.core.multiarray", "scalar"},
    {"numpy._core.multiarray", "_reconstruct"},
    {"numpy._core.multiarray", "scalar"},
    {"numpy.core.numeric", "_frombuffer"}, // arrays of protocol 5
    {"numpy._core.numeric", "_frombuffer"},
    {"_codecs", "encode"},
};

constexpr std::string_view kTorchScalars[] = {
    "float",  "float16",       "float32",     "float64",   "double",     "half",   "bfloat16",
    "int8",   "int16",         "int32",       "int64",     "uint8",      "uint16", "uint32",
    "uint64", "bool",          "complex32",   "complex64", "complex128", "int",    "long",
    "short",  "float8_e4m3fn", "float8_e5m2", "qint8",     "quint8",     "qint32",
};

bool is_listed(std::string_view module, std::string_view name) {
    for (const Listed& listed : kListed) {
        if (listed.module == module && listed.name == name) {
            return true;
        }
    }
    if (module == "torch" || module == "torch.cuda") {
        constexpr std::string_view kStorage = "Storage";
        if (name.size() > kStorage.size() && name.ends_with(kStorage) &&
            name.find('.') == std::string_view::npos) {
            return true; // FloatStorage, HalfStorage, ...
        }
    }
    return module == "torch" &&
           std::find(std::begin(kTorchScalars), std::end(kTorchScalars), name) !=
               std::end(kTorchScalars);
}

/// A dotted Python name. Only used to tell pickles from prose: import accepts little else.
bool is_dotted_name(std::string_view text) {
    bool start = true;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || byte >= 0x80;
        const bool digit = c >= '0' && c <= '9';
        if (c == '.') {
            if (start) {
                return false;
            }
            start = true;
        } else if (letter || (digit && !start)) {
            start = false;
        } else {
            return false;
        }
    }
    return !start;
}

/// Whether Python could import this, as far as the names tell.
bool is_plausible(const PickleImport& found) {
    return found.module == "?" || found.name == "?" ||
           (is_dotted_name(found.module) && is_dotted_name(found.name));
}

/// By EXT1, EXT2 or EXT4: whatever the loading program registered (copyreg), in general nothing.
bool is_by_number(const PickleImport& found) {
    return found.opcode.starts_with("EXT");
}

/// Whether at least one of its names is a constant, and Python could import by it.
bool is_named(const PickleImport& found) {
    return is_plausible(found) && (is_dotted_name(found.module) || is_dotted_name(found.name));
}

/// Whether the import is of a module that is there: of Python itself, or much used with it. Of
/// others a loader says that there is none.
bool is_of_python(const PickleImport& found) {
    // Python 3.11, sys.stdlib_module_names, without what is a word of English in a list of words.
    constexpr std::string_view kModules[] = {"__builtin__",
                                             "__future__",
                                             "__main__",
                                             "_codecs",
                                             "_io",
                                             "_pickle",
                                             "_posixsubprocess",
                                             "_thread",
                                             "antigravity",
                                             "argparse",
                                             "asyncio",
                                             "atexit",
                                             "base64",
                                             "bdb",
                                             "builtins",
                                             "bz2",
                                             "cffi",
                                             "codeop",
                                             "commands",
                                             "compileall",
                                             "configparser",
                                             "contextlib",
                                             "copyreg",
                                             "cProfile",
                                             "crypt",
                                             "ctypes",
                                             "dbm",
                                             "distutils",
                                             "doctest",
                                             "ensurepip",
                                             "faulthandler",
                                             "fileinput",
                                             "ftplib",
                                             "functools",
                                             "getpass",
                                             "gzip",
                                             "http",
                                             "idlelib",
                                             "imaplib",
                                             "imp",
                                             "importlib",
                                             "ipaddress",
                                             "itertools",
                                             "joblib",
                                             "jupyter",
                                             "lib2to3",
                                             "linecache",
                                             "mailcap",
                                             "marshal",
                                             "mimetypes",
                                             "mmap",
                                             "modulefinder",
                                             "multiprocessing",
                                             "netrc",
                                             "nt",
                                             "ntpath",
                                             "numpy",
                                             "optparse",
                                             "os",
                                             "pandas",
                                             "pathlib",
                                             "pdb",
                                             "pickle",
                                             "pickletools",
                                             "pip",
                                             "pipes",
                                             "pkgutil",
                                             "pkg_resources",
                                             "plistlib",
                                             "poplib",
                                             "popen2",
                                             "posix",
                                             "posixpath",
                                             "pprint",
                                             "pstats",
                                             "pty",
                                             "py_compile",
                                             "pydoc",
                                             "requests",
                                             "rlcompleter",
                                             "runpy",
                                             "scipy",
                                             "setuptools",
                                             "shelve",
                                             "shlex",
                                             "shutil",
                                             "sitecustomize",
                                             "sklearn",
                                             "smtplib",
                                             "socket",
                                             "socketserver",
                                             "sqlite3",
                                             "ssl",
                                             "subprocess",
                                             "sys",
                                             "sysconfig",
                                             "tempfile",
                                             "tensorflow",
                                             "this",
                                             "threading",
                                             "timeit",
                                             "tkinter",
                                             "torch",
                                             "torchvision",
                                             "traceback",
                                             "transformers",
                                             "types",
                                             "unittest",
                                             "urllib",
                                             "urllib2",
                                             "usercustomize",
                                             "venv",
                                             "warnings",
                                             "webbrowser",
                                             "winreg",
                                             "xmlrpc",
                                             "yaml",
                                             "zipapp",
                                             "zipfile",
                                             "zipimport",
                                             "zlib"};
    const std::string_view root = std::string_view(found.module).substr(0, found.module.find('.'));
    return is_named(found) &&
           std::find(std::begin(kModules), std::end(kModules), root) != std::end(kModules);
}

/// Plain: None, a boolean, a number, bytes of a buffer, a list, dict or set. Python can neither
/// call it nor import by it.
enum class Kind : std::uint8_t { Mark, Text, Import, Tuple, Plain, Other };

struct Item {
    Kind kind = Kind::Other;
    std::uint32_t index = 0; // of a text or an import, plus one; 0 = not known. Of Other: an import
                             // that it may be.
};

/// What may be the one or the other: unpicklers do not agree which.
Item either(Item one, Item other) {
    if (one.kind == other.kind && one.index == other.index) {
        return one;
    }
    const auto import_of = [](Item item) {
        return item.kind == Kind::Import || item.kind == Kind::Other ? item.index : 0U;
    };
    return {Kind::Other, std::max(import_of(one), import_of(other))};
}

/// As isspace of C, which Python skips around numbers.
bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/// A number's text as C reads it: up to a NUL, without the space around it.
std::string_view trim_number(std::string_view line) {
    line = line.substr(0, line.find('\0'));
    while (!line.empty() && is_space(line.front())) {
        line.remove_prefix(1);
    }
    while (!line.empty() && is_space(line.back())) {
        line.remove_suffix(1);
    }
    return line;
}

class Walker {
  public:
    explicit Walker(const ByteSource& source) : cursor_(source) {}

    Result<PickleWalk> run() {
        while (true) {
            const bool stopped = walk_one();
            walk_.end_offset = op_offset_;
            if (cursor_.io_error()) {
                return *cursor_.io_error();
            }
            if (over_budget_) {
                walk_.end = PickleEnd::Budget;
                return std::move(walk_);
            }
            if (!stopped) {
                walk_.end = walk_.pickles == 0 ? PickleEnd::Malformed : PickleEnd::Trailing;
                return std::move(walk_);
            }
            ++walk_.pickles;
            if (cursor_.remaining() == 0) {
                walk_.end = PickleEnd::Stop;
                walk_.end_offset = cursor_.offset();
                return std::move(walk_);
            }
            if (walk_.pickles >= kMaxPickles) {
                walk_.end = PickleEnd::Budget;
                walk_.problem = "too many pickles in a row";
                return std::move(walk_);
            }
        }
    }

  private:
    bool wrong(std::string problem) {
        walk_.problem = std::move(problem);
        return false;
    }

    bool budget(std::string problem) {
        over_budget_ = true;
        return wrong(std::move(problem));
    }

    bool cut() { return wrong("the bytes end inside an opcode"); }

    /// One pickle, from its first opcode to STOP. False if it ends otherwise.
    bool walk_one() {
        stack_.clear();
        texts_.clear();
        text_bytes_ = 0;
        for (const auto& [index, item] : std::exchange(memo_, {})) {
            if (former_.size() < kMaxMemo || former_.contains(index)) {
                former_[index] = either(either(former_[index], item), {});
            }
        }
        std::uint8_t opcode = 0;
        while (true) {
            op_offset_ = cursor_.offset();
            if (!cursor_.next(opcode)) {
                return wrong("there is no STOP opcode");
            }
            if (++walk_.opcodes > kMaxOpcodes) {
                return budget("more than 20 million opcodes");
            }
            if (walk_.opcodes % 65'536 == 0 && walk_.opcodes > kEnoughOpcodes &&
                walk_.suspicious()) {
                return budget("what was seen is enough");
            }
            if (opcode == '.') {
                return pop() || wrong("STOP on an empty stack");
            }
            if (!execute(opcode)) {
                return false;
            }
            if (stack_.size() > kMaxStack) {
                return budget("a stack of more than two million items");
            }
        }
    }

    bool execute(std::uint8_t opcode) {
        switch (opcode) {
        case 0x80: { // PROTO
            std::uint8_t version = 0;
            if (!cursor_.next(version)) {
                return cut();
            }
            walk_.binary = walk_.binary || (walk_.opcodes == 1 && version <= 5);
            return version <= 5 || wrong("an unknown protocol");
        }
        case 0x95: // FRAME: its length does not change what is executed
            return cursor_.skip(8) || cut();

        case 'N':
        case 0x88: // NEWTRUE
        case 0x89: // NEWFALSE
        case ']':
        case ')':
        case '}':
        case 0x8F: // EMPTY_SET
        case 0x97: // NEXT_BUFFER, bytes from elsewhere
            return push({opcode == ')' ? Kind::Tuple : Kind::Plain, 0});
        case 0x98: // READONLY_BUFFER
            return need(1);

        case 'I':
        case 'L':
        case 'F': {
            std::string line;
            if (!take_line(line)) {
                return false;
            }
            for (const char c : trim_number(line)) {
                const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                   (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.' ||
                                   c == '_' || is_space(c);
                if (!plain) {
                    return wrong("a number that is none");
                }
            }
            return (!line.empty() || wrong("an empty number")) && push({Kind::Plain, 0});
        }
        case 'K':
            return take_number(1);
        case 'M':
            return take_number(2);
        case 'J':
            return take_number(4);
        case 'G':
            return take_number(8);
        case 0x8A:
            return take_sized<std::uint8_t>(Keep::No);
        case 0x8B: // LONG4, signed length
        case 'T':  // BINSTRING, signed length
            return take_sized<std::uint32_t>(opcode == 'T' ? Keep::Yes : Keep::No);
        case 'U':
        case 0x8C:
            return take_sized<std::uint8_t>(Keep::Yes);
        case 'X':
            return take_sized<std::uint32_t>(Keep::Yes);
        case 0x8D:
            return take_sized<std::uint64_t>(Keep::Yes);
        case 'B':
            return take_sized<std::uint32_t>(Keep::No);
        case 'C':
            return take_sized<std::uint8_t>(Keep::No);
        case 0x8E:
        case 0x96:
            return take_sized<std::uint64_t>(Keep::No);
        case 'S':
        case 'V':
            return take_text_line(opcode);

        case '(':
            return push({Kind::Mark, 0});
        case '0': // POP; of a mark too
            if (!stack_.empty()) {
                stack_.pop_back();
                return true;
            }
            return underflow();
        case '1':
            return pop_to_mark();
        case '2':
            return need(1) && push(stack_.back());

        case 'a':
            return need(2) && pop() && fill();
        case 's':
            return need(3) && pop() && pop() && fill();
        case 'e':
        case 'u':
        case 0x90:
            return pop_to_mark() && need(1) && fill();
        case 'l':
        case 'd':
        case 0x91:
            return pop_to_mark() && push({});
        case 't':
            return pop_to_mark() && push({Kind::Tuple, 0});
        case 0x85:
        case 0x86:
        case 0x87:
            for (unsigned i = 0; i < opcode - 0x84U; ++i) {
                if (!pop()) {
                    return false;
                }
            }
            return push({Kind::Tuple, 0});

        case 'g':
            return get_line();
        case 'h':
            return get_sized<std::uint8_t>();
        case 'j':
            return get_sized<std::uint32_t>();
        case 'p':
            return put_line();
        case 'q':
            return put_sized<std::uint8_t>();
        case 'r':
            return put_sized<std::uint32_t>();
        case 0x94: // MEMOIZE
            return put(memo_.size());

        case 'c': {
            std::string module;
            std::string name;
            return take_names(module, name) &&
                   push(import("GLOBAL", std::move(module), std::move(name)));
        }
        case 0x93: { // STACK_GLOBAL
            if (!need(2)) {
                return false;
            }
            const Item name = stack_.back();
            const Item module = stack_[stack_.size() - 2];
            stack_.resize(stack_.size() - 2);
            if (!may_be_text(module) || !may_be_text(name)) {
                return wrong("an import by something that is no text");
            }
            return push(import("STACK_GLOBAL", text_of(module), text_of(name)));
        }
        case 0x82:
            return extension<std::uint8_t>("EXT1");
        case 0x83:
            return extension<std::uint16_t>("EXT2");
        case 0x84:
            return extension<std::uint32_t>("EXT4");

        case 'R': { // REDUCE: callable, tuple
            if (!need(2)) {
                return false;
            }
            const Item arguments = stack_.back();
            stack_.pop_back();
            const Item callable = stack_.back();
            stack_.pop_back();
            // pickle.py takes anything that it can go through, _pickle.c a tuple only.
            const bool odd = arguments.kind == Kind::Text || arguments.kind == Kind::Plain;
            const bool prose = odd && may_be_prose(callable);
            return (prose || call(callable)) && push({});
        }
        case 0x81: // NEWOBJ: class, tuple
            if (!need(2)) {
                return false;
            }
            stack_.pop_back();
            return call_top() && push({});
        case 0x92: // NEWOBJ_EX: class, tuple, dict
            if (!need(3)) {
                return false;
            }
            stack_.resize(stack_.size() - 2);
            return call_top() && push({});
        case 'o': { // OBJ: mark, class, arguments
            const std::size_t mark = find_mark();
            if (mark == stack_.size() || mark + 1 == stack_.size()) {
                return underflow();
            }
            const Item callable = stack_[mark + 1];
            stack_.resize(mark);
            return call(callable) && push({});
        }
        case 'i': { // INST
            std::string module;
            std::string name;
            if (!take_names(module, name)) {
                return false;
            }
            const std::size_t mark = find_mark();
            if (mark == stack_.size()) {
                return underflow();
            }
            const bool arguments = mark + 1 < stack_.size();
            stack_.resize(mark);
            const Item imported = import("INST", std::move(module), std::move(name));
            // "(i" and two lines at the very start may be prose: an import then, not a call.
            const bool prose = !arguments && walk_.opcodes == 2 && may_be_prose(imported);
            if (!prose && !call(imported)) {
                return false;
            }
            return push({});
        }
        case 'b': // BUILD: object, state
            if (!need(2)) {
                return false;
            }
            stack_.pop_back();
            return fill();

        case 'P': {
            std::string line;
            return take_line(line) && push({});
        }
        case 'Q':
            return pop() && push({});
        default:
            return wrong("an unknown opcode");
        }
    }

    // --- the stack -------------------------------------------------------------------------

    bool underflow() { return wrong("an opcode that finds the stack empty"); }

    bool push(Item item) {
        stack_.push_back(item);
        return true;
    }

    /// Whether there are `count` values, and puts them on top. Python 3 ends at a mark among them;
    /// cPickle of Python 2 keeps its marks elsewhere and does not see them.
    bool need(std::size_t count) {
        constexpr std::size_t kMostMarks = 64; // for the time that it takes
        const auto is_mark = [](Item item) { return item.kind == Kind::Mark; };
        std::size_t values = 0;
        std::size_t begin = stack_.size();
        while (values < count) {
            if (begin == 0 || stack_.size() - begin - values > kMostMarks) {
                return underflow();
            }
            values += is_mark(stack_[--begin]) ? 0 : 1;
        }
        if (stack_.size() - begin > count) {
            std::stable_partition(
                stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end(), is_mark);
        }
        return true;
    }

    /// What is on top is given items or attributes: of an import itself, such as sys.path or a
    /// class, that is as good as a call.
    bool fill() {
        if (stack_.back().kind == Kind::Import) {
            walk_.patches = true;
            return call(stack_.back());
        }
        return true;
    }

    bool pop() {
        if (!need(1)) {
            return false;
        }
        stack_.pop_back();
        return true;
    }

    /// Index of the topmost mark, or the stack's size.
    std::size_t find_mark() const {
        for (std::size_t i = stack_.size(); i > 0; --i) {
            if (stack_[i - 1].kind == Kind::Mark) {
                return i - 1;
            }
        }
        return stack_.size();
    }

    bool pop_to_mark() {
        const std::size_t mark = find_mark();
        if (mark == stack_.size()) {
            return wrong("an opcode that finds no mark");
        }
        stack_.resize(mark);
        return true;
    }

    // --- the memo --------------------------------------------------------------------------

    bool put(std::uint64_t index) {
        if (!need(1)) {
            return false;
        }
        if (memo_.size() >= kMaxMemo && !memo_.contains(index)) {
            walk_.forgot = true;
            return true;
        }
        const auto [entry, fresh] = memo_.try_emplace(index, stack_.back());
        entry->second = odd_lines_ ? either(entry->second, stack_.back()) : stack_.back();
        return true;
    }

    bool get(std::uint64_t index) {
        if (const auto found = memo_.find(index); found != memo_.end()) {
            return push(found->second);
        }
        // load() starts with an empty memo, but an Unpickler that is used again has its former one.
        const auto found = former_.find(index);
        return found != former_.end()              ? push(found->second)
               : walk_.forgot || walk_.pickles > 0 ? push({})
                                                   : wrong("a memo entry that was never written");
    }

    /// By a line: Python 3 reads a number, so that "01" is 1; Python 2 takes any text as it is.
    /// "1" and "01" are two there; from the first such line on, what is read is either.
    bool put_line() {
        std::string line;
        if (!take_line(line)) {
            return false;
        }
        const std::uint64_t index = index_of(line);
        odd_lines_ = odd_lines_ || line != std::to_string(index);
        return put(index);
    }

    bool get_line() {
        std::string line;
        return take_line(line) && get(index_of(line));
    }

    static std::uint64_t index_of(std::string_view line) {
        constexpr std::uint64_t kText = 1ULL << 63U;
        std::string digits;
        for (const char c : trim_number(line)) {
            const bool sign = digits.empty() && (c == '+' || c == '-');
            if (!sign && c != '_' && (c != '0' || !digits.empty())) {
                digits += c;
            }
        }
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        const bool whole = end == digits.data() + digits.size() && error == std::errc();
        return digits.empty()            ? 0
               : whole && number < kText ? number
                                         : std::hash<std::string>{}(digits) | kText;
    }

    template <class T> bool get_sized() {
        T index = 0;
        return (cursor_.take_le(index) || cut()) && get(index);
    }

    template <class T> bool put_sized() {
        T index = 0;
        return (cursor_.take_le(index) || cut()) && put(index);
    }

    // --- operands --------------------------------------------------------------------------

    enum class Keep { No, Yes };

    bool take_number(std::uint64_t bytes) {
        return (cursor_.skip(bytes) || cut()) && push({Kind::Plain, 0});
    }

    bool skip_and_push(std::uint64_t count) { return (cursor_.skip(count) || cut()) && push({}); }

    template <class T> bool take_sized(Keep keep) {
        T length = 0;
        if (!cursor_.take_le(length) || length > cursor_.remaining()) {
            return cut();
        }
        if (keep == Keep::No || length > kMaxConstant) {
            return skip_and_push(length);
        }
        std::string text;
        return (cursor_.take_text(length, text) || cut()) && push(keep_text(std::move(text)));
    }

    /// A line without its newline; beyond kMaxConstant bytes only its start is kept.
    bool take_line(std::string& line) {
        const std::uint64_t begin = cursor_.offset();
        line_whole_ = true;
        while (true) {
            const std::string_view ahead = cursor_.ahead();
            if (ahead.empty()) {
                // Python takes the last byte for the newline, whatever it is.
                if (cursor_.offset() == begin) {
                    return cut();
                }
                if (line_whole_) {
                    line.pop_back();
                }
                return true;
            }
            const std::size_t newline = ahead.find('\n');
            const std::string_view part = ahead.substr(0, newline);
            const std::size_t room = kMaxConstant - line.size();
            line += part.substr(0, room);
            line_whole_ = line_whole_ && part.size() <= room;
            const bool found = newline != std::string_view::npos;
            cursor_.skip(part.size() + (found ? 1 : 0));
            if (found) {
                return true;
            }
            if (cursor_.offset() - begin > kMaxLine) {
                return budget("a line of more than 2 GiB");
            }
        }
    }

    /// Module and name, a line each. Python finds nothing under an empty one, and decodes strictly.
    bool take_names(std::string& module, std::string& name) {
        return take_name(module) && take_name(name);
    }

    bool take_name(std::string& name) {
        if (!take_line(name)) {
            return false;
        }
        if (name.empty()) {
            return wrong("an import without a name");
        }
        return !line_whole_ || is_utf8(name) || wrong("an import by a name that is not UTF-8");
    }

    /// STRING ('...' with Python's escapes) and UNICODE (raw-unicode-escape).
    bool take_text_line(std::uint8_t opcode) {
        std::string line;
        if (!take_line(line)) {
            return false;
        }
        std::string_view body = line;
        if (opcode == 'S') {
            const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
            while (!body.empty() && blank(body.back())) { // Python 2
                body.remove_suffix(1);
            }
            while (!body.empty() && blank(body.front())) {
                body.remove_prefix(1);
            }
            if (!line_whole_) {
                return push({});
            }
            if (body.size() < 2 || (body.front() != '\'' && body.front() != '"') ||
                body.front() != body.back()) {
                return wrong("a string without quotes");
            }
            body = body.substr(1, body.size() - 2);
        }
        std::string text;
        if (!line_whole_ || !unescape(body, opcode == 'S', text)) {
            return push({Kind::Text, 0});
        }
        return push(keep_text(std::move(text)));
    }

    /// False for escapes that are not understood: the text is then unknown.
    static bool unescape(std::string_view body, bool string, std::string& out) {
        for (std::size_t i = 0; i < body.size(); ++i) {
            if (body[i] != '\\' || i + 1 >= body.size()) {
                out += body[i];
                continue;
            }
            const char c = body[i + 1];
            std::uint32_t code = 0;
            const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
            if (digits > 0 && (string == (c == 'x'))) {
                if (i + 2 + digits > body.size() ||
                    !parse_hex_digits(body.substr(i + 2, digits), code) || code > 0xFFFF) {
                    return false;
                }
                append_utf8(out, code);
                i += 1 + digits;
            } else if (!string) {
                out += body[i];
            } else if (c >= '0' && c <= '7') {
                std::size_t used = 0;
                while (used < 3 && i + 1 + used < body.size() && body[i + 1 + used] >= '0' &&
                       body[i + 1 + used] <= '7') {
                    code = code * 8 + static_cast<std::uint32_t>(body[i + 1 + used] - '0');
                    ++used;
                }
                append_utf8(out, code & 0xFFU);
                i += used;
            } else {
                constexpr std::string_view kFrom = "\\'\"abfnrtv";
                constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
                const auto at = kFrom.find(c);
                if (at == std::string_view::npos) {
                    out += '\\';
                    out += c;
                } else {
                    out += kTo[at];
                }
                ++i;
            }
        }
        return true;
    }

    // --- texts and imports -----------------------------------------------------------------

    Item keep_text(std::string text) {
        if (text_bytes_ + text.size() + sizeof(std::string) > kMaxConstants) {
            return {Kind::Text, 0};
        }
        text_bytes_ += text.size() + sizeof(std::string);
        texts_.push_back(std::move(text));
        return {Kind::Text, static_cast<std::uint32_t>(texts_.size())};
    }

    /// os.name is a text.
    static bool may_be_text(Item item) {
        return item.kind == Kind::Text || item.kind == Kind::Import || item.kind == Kind::Other;
    }

    std::string text_of(Item item) const {
        return item.kind == Kind::Text && item.index > 0 ? texts_[item.index - 1]
                                                         : std::string("?");
    }

    Item import(std::string_view opcode, std::string module, std::string name) {
        const auto [known, fresh] = import_index_.try_emplace(
            module + '\n' + name, static_cast<std::uint32_t>(walk_.imports.size() + 1));
        if (!fresh) {
            return {Kind::Import, known->second};
        }
        PickleImport found{std::move(module), std::move(name), std::string(opcode), op_offset_};
        found.listed = is_listed(found.module, found.name);
        if (walk_.imports.size() < kMaxImports) {
            walk_.imports.push_back(std::move(found));
            return {Kind::Import, known->second};
        }
        import_index_.erase(known);
        if (!found.listed && walk_.imports.back().listed) {
            walk_.imports.back() = std::move(found); // listed ones never crowd it out
        }
        return {Kind::Import, 0};
    }

    template <class T> bool extension(std::string_view opcode) {
        T code = 0;
        if (!cursor_.take_le(code)) {
            return cut();
        }
        return push(import(opcode, "?", "extension " + std::to_string(code)));
    }

    /// Whether it is an import by two lines, as lists of words have them, of no module of Python's.
    bool may_be_prose(Item callable) const {
        if (callable.kind != Kind::Import || callable.index == 0) {
            return false;
        }
        const PickleImport& found = walk_.imports[callable.index - 1];
        return found.opcode != "STACK_GLOBAL" && !is_of_python(found);
    }

    bool call_top() {
        const Item callable = stack_.back();
        stack_.pop_back();
        return call(callable);
    }

    /// Python ends with an error when what it calls is a plain value.
    bool call(Item callable) {
        if (callable.kind != Kind::Import && callable.kind != Kind::Other) {
            return wrong("a call of something that cannot be called");
        }
        const bool imported = callable.kind == Kind::Import || callable.index != 0;
        if (imported && (callable.index == 0 || is_plausible(walk_.imports[callable.index - 1]))) {
            const bool numbered =
                callable.index != 0 && is_by_number(walk_.imports[callable.index - 1]);
            (numbered ? walk_.numbered_call : walk_.calls) = true;
        } else {
            walk_.unknown_call = true;
        }
        return true;
    }

    Cursor cursor_;
    PickleWalk walk_;
    std::uint64_t op_offset_ = 0;
    bool over_budget_ = false;
    bool line_whole_ = true;
    bool odd_lines_ = false; // of the memo: another spelling than that of a plain number
    std::vector<Item> stack_;
    std::unordered_map<std::uint64_t, Item> memo_;
    std::unordered_map<std::uint64_t, Item> former_; // those of the pickles before
    std::unordered_map<std::string, std::uint32_t> import_index_;
    std::vector<std::string> texts_;
    std::size_t text_bytes_ = 0;
};

std::string name_imports(const PickleWalk& walk) {
    std::string text;
    unsigned shown = 0;
    for (const PickleImport& found : walk.imports) {
        if (found.listed || shown == 4) {
            continue;
        }
        text += (shown++ == 0 ? "" : ", ");
        const std::string quoted = quote_for_message(found.module + "." + found.name);
        text += quoted.substr(1, quoted.size() - 2);
    }
    return text;
}

template <class Matches> bool imports(const PickleWalk& walk, Matches matches) {
    return std::any_of(walk.imports.begin(), walk.imports.end(), [&](const auto& found) {
        return !found.listed && matches(found);
    });
}

/// A value that stands alone ("Vocabulary" and a full stop): loading it would do nothing.
bool is_one_constant(const PickleWalk& walk) {
    return walk.pickles == 1 && walk.opcodes == 2 && walk.imports.empty();
}

/// Of a walk that broke, having named nothing that could be imported. Most first bytes are some
/// opcode, so random bytes run for a while; what broke soon is taken for such. Nothing is lost by
/// it: Python would have done nothing, but for an import by a number that somebody registered.
bool shows_enough(const PickleWalk& walk) {
    const bool ran = walk.pickles > 0 || walk.opcodes > kEnoughToTell;
    const bool odd_name = std::any_of(walk.imports.begin(),
                                      walk.imports.end(),
                                      [](const auto& found) { return !is_by_number(found); });
    if (walk.unknown_call || walk.numbered_call) {
        return walk.binary || ran || odd_name;
    }
    return walk.binary && ran;
}

} // namespace

bool PickleWalk::suspicious() const {
    return unknown_call || patches ||
           std::any_of(
               imports.begin(), imports.end(), [](const auto& found) { return !found.listed; });
}

Result<PickleWalk> walk_pickle(const ByteSource& source) {
    return Walker(source).run();
}

std::optional<Finding> judge_pickle(const PickleWalk& walk, PickleContext context) {
    const bool named = std::any_of(walk.imports.begin(), walk.imports.end(), is_named);
    const bool calls = walk.calls || (walk.forgot && walk.unknown_call);
    const bool whole = walk.end == PickleEnd::Stop || walk.end == PickleEnd::Budget;
    bool is_pickle = false;
    switch (context) {
    case PickleContext::Unknown:
        is_pickle = whole || named || calls || shows_enough(walk);
        break;
    case PickleContext::Text:
        // A first word in "c" and a second line make a GLOBAL: only a call, a walk over every
        // byte, or the name of a module that Python has, tells a pickle from prose.
        is_pickle = (whole && !is_one_constant(walk)) || calls ||
                    (walk.pickles > 0 && imports(walk, is_of_python));
        break;
    case PickleContext::Known:
        is_pickle =
            calls || walk.end == PickleEnd::Budget || (walk.pickles > 0 && imports(walk, is_named));
        break;
    }
    if (!is_pickle) {
        return std::nullopt;
    }

    const std::string advice = "; publish the weights as safetensors or GGUF";
    if (walk.suspicious()) {
        const PickleImport* first = nullptr;
        bool unknown = true;
        for (const PickleImport& found : walk.imports) {
            if (!found.listed) {
                first = first == nullptr ? &found : first;
                unknown = unknown && (found.module == "?" || found.name == "?");
            }
        }
        if (first == nullptr && walk.patches) {
            return Finding{"pickle.build.malicious",
                           "a Python pickle that changes a class while loading: it sets attributes "
                           "of " +
                               walk.imports.front().module + "." + walk.imports.front().name +
                               " or of another import" + advice,
                           walk.imports.front().offset};
        }
        if (first == nullptr || unknown) {
            return Finding{"pickle.import.unknown",
                           "a Python pickle that would run code it computes while loading" + advice,
                           first == nullptr ? std::nullopt : std::optional(first->offset)};
        }
        return Finding{"pickle.import.malicious",
                       "a Python pickle that would run code while loading: it imports " +
                           name_imports(walk) + advice,
                       first->offset};
    }
    if (walk.end == PickleEnd::Budget) {
        return Finding{"pickle.budget",
                       "a Python pickle too large to look through (" + walk.problem + ")" + advice,
                       walk.end_offset};
    }
    if (walk.end == PickleEnd::Malformed) {
        return Finding{"pickle.malformed",
                       "a broken Python pickle (" + walk.problem + "); a loader would run what " +
                           "comes before the break" + advice,
                       walk.end_offset};
    }
    return Finding{"pickle.wrong-format",
                   "a Python pickle, a format that can run code while loading; this one imports "
                   "nothing that is known to do harm" +
                       advice,
                   0};
}

} // namespace locara::formats
