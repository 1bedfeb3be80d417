#include "sniff.hpp"

#include "cursor.hpp"
#include "protobuf.hpp"
#include "stream.hpp"
#include "tar.hpp"

#include <locara/base/utf8.hpp>
#include <locara/formats/pickle.hpp>
#include <locara/formats/sniff.hpp>

#include <algorithm>
#include <array>

#include <zlib.h>

namespace locara::formats {

namespace {

using namespace std::string_view_literals;

constexpr KindRow kKinds[] = {
    {Kind::Empty, "empty", "content.empty"},
    {Kind::Safetensors, "safetensors", ""},
    {Kind::Gguf, "gguf", ""},
    {Kind::OldGgml, "ggml", "format.ggml"},
    {Kind::Pickle, "pickle", "pickle.wrong-format"},
    {Kind::NumPy, "numpy", ""},
    {Kind::Zip, "zip", ""},
    {Kind::Gzip, "gzip", ""},
    {Kind::Bzip2, "bzip2", ""},
    {Kind::Xz, "xz", ""},
    {Kind::Zstd, "zstd", ""},
    {Kind::Zlib, "zlib", ""},
    {Kind::Lzma, "lzma", ""},
    {Kind::Tar, "tar", ""},
    {Kind::SevenZip, "7z", "archive.kind"},
    {Kind::Rar, "rar", "archive.kind"},
    {Kind::OtherArchive, "archive", "archive.kind"},
    {Kind::Elf, "elf", "executable.elf"},
    {Kind::PortableExecutable, "pe", "executable.pe"},
    {Kind::MachO, "mach-o", "executable.mach-o"},
    {Kind::Script, "script", ""},
    {Kind::PythonBytecode, "python-bytecode", "executable.python-bytecode"},
    {Kind::JavaClass, "java-class", "executable.java-class"},
    {Kind::OtherProgram, "program", "executable.program"},
    {Kind::Hdf5, "hdf5", ""},
    {Kind::Onnx, "onnx", ""},
    {Kind::SavedModel, "savedmodel", "format.savedmodel"},
    {Kind::TfLite, "tflite", "format.tflite"},
    {Kind::SentencePiece, "sentencepiece", "content.inert"},
    {Kind::Png, "png", "content.inert"},
    {Kind::Jpeg, "jpeg", "content.inert"},
    {Kind::Gif, "gif", "content.inert"},
    {Kind::WebP, "webp", "content.inert"},
    {Kind::Icon, "icon", "content.inert"},
    {Kind::Font, "font", "content.inert"},
    {Kind::Audio, "audio", "content.inert"},
    {Kind::Video, "video", "content.inert"},
    {Kind::Pdf, "pdf", "document.pdf"},
    {Kind::Office, "office", "document.office"},
    {Kind::WebAssembly, "wasm", "content.inert"},
    {Kind::Svg, "svg", ""},
    {Kind::Json, "json", ""},
    {Kind::Text, "text", ""},
    {Kind::LegacyText, "text", ""},
    {Kind::Unknown, "unknown", ""},
};

constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1A\n"sv;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    Kind kind;
};

// Magics that stand for a whole format by themselves. Order matters only where one is a prefix.
constexpr Magic kMagics[] = {
    {0, "lmgg"sv, Kind::OldGgml}, // the magics are little-endian words: 'ggml', 'ggmf', ...
    {0, "fmgg"sv, Kind::OldGgml},
    {0, "tjgg"sv, Kind::OldGgml},
    {0, "algg"sv, Kind::OldGgml},
    {0, "\x93NUMPY"sv, Kind::NumPy},
    {0, "PK\x03\x04"sv, Kind::Zip},
    {0, "PK\x05\x06"sv, Kind::Zip},
    {0, "PK\x07\x08"sv, Kind::Zip},
    {0, "\x1F\x8B\x08"sv, Kind::Gzip},
    {0, "BZh"sv, Kind::Bzip2},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     Kind::Xz},
    {0, "\x28\xB5\x2F\xFD"sv, Kind::Zstd},
    {257, "ustar"sv, Kind::Tar},
    {0, "7z\xBC\xAF\x27\x1C"sv, Kind::SevenZip},
    {0, "Rar!\x1A\x07"sv, Kind::Rar},
    {0, "\x04\x22\x4D\x18"sv, Kind::OtherArchive}, // lz4
    {0, "\x02\x21\x4C\x18"sv, Kind::OtherArchive}, // lz4, its old frames
    {1, "\x2A\x4D\x18"sv, Kind::OtherArchive},     // a frame that lz4 and zstd skip
    {0, "ZF0x"sv, Kind::OtherArchive},             // joblib, its old pickles in zlib
    {0, "LZIP\x01"sv, Kind::OtherArchive},
    {0, "MSCF\0\0\0\0"sv, Kind::OtherArchive},
    {0, "!<arch>\n"sv, Kind::OtherArchive},
    {0, "070701"sv, Kind::OtherArchive},
    {0, "xar!\0"sv, Kind::OtherArchive},
    {0, "\x60\xEA"sv, Kind::OtherArchive}, // arj
    {0, "\x1F\x9D"sv, Kind::OtherArchive}, // compress
    {0, "070707"sv, Kind::OtherArchive},   // cpio
    {0, "\xC7\x71"sv, Kind::OtherArchive}, // cpio, binary
    {2, "-lh"sv, Kind::OtherArchive},      // lha
    {7, "**ACE**"sv, Kind::OtherArchive},
    {0, "ZPAQ"sv, Kind::OtherArchive},
    {0, "7kSt"sv, Kind::OtherArchive}, // zpaq
    {0, "LRZI"sv, Kind::OtherArchive},
    {0, "\x89LZO\0\r\n\x1A\n"sv, Kind::OtherArchive},
    {0, "\xFF\x06\0\0sNaPpY"sv, Kind::OtherArchive},
    {0, "hsqs"sv, Kind::OtherArchive},             // squashfs
    {0, "\xED\xAB\xEE\xDB"sv, Kind::OtherArchive}, // rpm
    {0, "MSWIM\0\0\0"sv, Kind::OtherArchive},
    {0, "vhdxfile"sv, Kind::OtherArchive},
    {0, "conectix"sv, Kind::OtherArchive}, // VHD, one that grows
    {0, "KDMV"sv, Kind::OtherArchive},     // VMDK
    {0, "QFI\xFB"sv, Kind::OtherArchive},  // qcow2
    {0,
     "\x7F"
     "ELF"sv,
     Kind::Elf},
    {0, "\xFE\xED\xFA\xCE"sv, Kind::MachO},
    {0, "\xFE\xED\xFA\xCF"sv, Kind::MachO},
    {0, "\xCE\xFA\xED\xFE"sv, Kind::MachO},
    {0, "\xCF\xFA\xED\xFE"sv, Kind::MachO},
    {0, "L\0\0\0\x01\x14\x02\0"sv, Kind::OtherProgram}, // Windows link
    {0, "dex\n"sv, Kind::OtherProgram},
    {0, "BC\xC0\xDE"sv, Kind::OtherProgram}, // LLVM
    {0, "\x1BLua"sv, Kind::OtherProgram},
    {0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, Kind::Office},
    {4, "TFL3"sv, Kind::TfLite},
    {0, "\x89PNG\r\n\x1A\n"sv, Kind::Png},
    {0, "\xFF\xD8\xFF"sv, Kind::Jpeg},
    {0, "GIF87a"sv, Kind::Gif},
    {0, "GIF89a"sv, Kind::Gif},
    {0, "\0\0\1\0"sv, Kind::Icon},
    {0, "\0\0\2\0"sv, Kind::Icon}, // a cursor
    {0, "wOFF"sv, Kind::Font},
    {0, "wOF2"sv, Kind::Font},
    {0, "\0\1\0\0\0"sv, Kind::Font},
    {0, "OTTO\0"sv, Kind::Font},
    {0, "ttcf\0"sv, Kind::Font},
    {0, "OggS\0"sv, Kind::Audio},
    {0, "fLaC\0"sv, Kind::Audio},
    {0, "ID3\2"sv, Kind::Audio},
    {0, "ID3\3"sv, Kind::Audio},
    {0, "ID3\4"sv, Kind::Audio},
    {0, "\xFF\xFB"sv, Kind::Audio},
    {0, "\xFF\xF3"sv, Kind::Audio},
    {0, "\x1A\x45\xDF\xA3"sv, Kind::Video}, // Matroska, WebM
    {4, "ftyp"sv, Kind::Video},             // MP4 and kin
    {0, "%PDF-"sv, Kind::Pdf},
    {0, "\0asm\1\0\0\0"sv, Kind::WebAssembly},
};

bool matches(std::string_view head, const Magic& magic) {
    return head.size() >= magic.offset + magic.bytes.size() &&
           head.substr(magic.offset, magic.bytes.size()) == magic.bytes;
}

std::uint64_t le(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[i - 1]);
    }
    return value;
}

bool is_portable_executable(const ByteSource& source, std::string_view head) {
    if (!head.starts_with("MZ") || head.size() < 64) {
        return false;
    }
    const std::uint64_t at = le(head.substr(60, 4));
    std::array<std::byte, 4> signature{};
    return at <= source.size() && source.size() - at >= 4 && source.read(at, signature) &&
           as_text(signature) == "PE\0\0"sv;
}

/// A program of DOS: pages and relocations that make sense, which "MZ" in other bytes rarely has.
bool is_dos_program(const ByteSource& source, std::string_view head) {
    if (!head.starts_with("MZ") || head.size() < 64) {
        return false;
    }
    const std::uint64_t last = le(head.substr(2, 2));
    const std::uint64_t pages = le(head.substr(4, 2));
    const std::uint64_t header = le(head.substr(8, 2)) * 16;
    return last < 512 && pages > 0 && header >= 28 && header < pages * 512 &&
           (pages - 1) * 512 <= source.size();
}

/// RFC 1950: method 8, a check of 5 bits, no dictionary; then deflate that unpacks. Other bytes do
/// not for long; of text, where any letters may begin so, more is asked: the end with a right sum,
/// a block stored with a right length, 256 bytes, or a pickle.
Result<bool> is_zlib(const ByteSource& source, std::string_view head, bool text) {
    constexpr std::uint64_t kMaxIn = 64U << 20U; // bytes; blocks may be empty
    constexpr std::size_t kEnough = 16;
    constexpr std::size_t kEnoughOfText = 256;
    if (head.size() < 8) {
        return false;
    }
    const unsigned first = static_cast<unsigned char>(head[0]);
    const unsigned second = static_cast<unsigned char>(head[1]);
    if ((first & 0x0FU) != 8 || (first >> 4U) > 7 || (second & 0x20U) != 0 ||
        (first * 256 + second) % 31 != 0) {
        return false;
    }
    const std::uint64_t length = le(head.substr(3, 2));
    const bool stored = (static_cast<unsigned char>(head[2]) & 6U) == 0 && length > 0 &&
                        (length ^ 0xFFFFU) == le(head.substr(5, 2));
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) {
        return false;
    }
    std::array<std::byte, kEnoughOfText> out{};
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(text ? out.size() : kEnough);
    int status = Z_OK;
    Cursor cursor(source);
    while (status == Z_OK && stream.avail_out > 0 && cursor.offset() < kMaxIn) {
        const std::string_view ahead = cursor.ahead();
        if (ahead.empty()) {
            break;
        }
        stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(ahead.data()));
        stream.avail_in = static_cast<uInt>(ahead.size());
        status = inflate(&stream, Z_SYNC_FLUSH);
        cursor.skip(ahead.size());
    }
    const std::size_t given = stream.total_out;
    const bool full = stream.avail_out == 0 || cursor.offset() >= kMaxIn;
    inflateEnd(&stream);
    if (cursor.io_error()) {
        return *cursor.io_error();
    }
    if (status == Z_STREAM_END || full || stored) {
        return true;
    }
    const MemorySource unpacked(ByteView(out).first(std::min(given, out.size())));
    LOCARA_TRY(const PickleWalk walk, walk_pickle(unpacked));
    return walk.calls;
}

/// LZMA_Alone (lzma-specification.txt): properties, a dictionary, the unpacked size or all ones,
/// and a first byte of the range coder that is 0. What is usual is taken at its word, all else has
/// to unpack.
bool is_lzma(const ByteSource& source, std::string_view head) {
    if (head.size() < 18 || head[13] != '\0') {
        return false;
    }
    const unsigned properties = static_cast<unsigned char>(head[0]);
    const std::uint64_t dictionary = le(head.substr(1, 4));
    const std::uint64_t size = le(head.substr(5, 8));
    if (properties >= 225 || size == 0 || (size != ~0ULL && size >= (1ULL << 38U))) {
        return false;
    }
    const std::uint64_t low = dictionary & (~dictionary + 1);
    if (properties == 0x5D && dictionary >= 4096 && (dictionary == low || dictionary == 3 * low)) {
        return true;
    }
    const auto stream = open_packed(source, Kind::Lzma);
    if (!stream) {
        return false;
    }
    std::array<std::byte, 16> out{};
    const auto count = (*stream)->read(out);
    // What libarchive does not take for LZMA comes out as it is, but for the dictionary's size.
    constexpr std::size_t kAfterDictionary = 5;
    const std::string_view given = as_text(ByteView(out).first(count ? *count : 0));
    const bool as_it_is = given.size() > kAfterDictionary &&
                          head.substr(kAfterDictionary).starts_with(given.substr(kAfterDictionary));
    return count && !as_it_is && (*count == out.size() || *count == size) &&
           std::any_of(out.begin(), out.end(), [](std::byte byte) { return byte != std::byte{}; });
}

/// CPython writes a version number and "\r\n" (importlib/_bootstrap_external.py: 3000 up for
/// Python 3, 62211 for 2.7).
bool is_python_bytecode(std::string_view head) {
    if (head.size() < 16 || head.substr(2, 2) != "\r\n") {
        return false;
    }
    const std::uint64_t version = le(head.substr(0, 2));
    return (version >= 3000 && version < 4000) || (version >= 62000 && version < 62300);
}

/// Whether the message in a field is whole and has one of these fields (bits), delimited.
bool holds_fields(const ByteSource& source,
                  const MessageField& field,
                  std::uint64_t wanted,
                  std::uint64_t& budget) {
    bool found = false;
    const MessageEnd end =
        walk_message(source, field.begin, field.length, budget, [&](const MessageField& inner) {
            found = found ||
                    (inner.wire == 2 && inner.number < 64 && ((wanted >> inner.number) & 1U) != 0);
            return true;
        });
    return found && end != MessageEnd::Broken;
}

/// Fields may come in any order, and any may be unknown: parsers do not mind.
std::optional<Kind> sniff_message(const ByteSource& source, std::string_view head) {
    const auto bit = [](unsigned field) { return 1ULL << field; };
    std::uint64_t seen = 0;      // bit n: field n
    std::uint64_t delimited = 0; // bit n: field n is length-delimited
    bool varint = false;         // field 1 is a number
    bool beyond = false;         // a field of 27 or more
    bool graph = false;
    bool meta_graph = false;
    std::uint64_t budget = kMaxMessageFields;
    const MessageEnd end =
        walk_message(source, 0, source.size(), budget, [&](const MessageField& field) {
            beyond = beyond || field.number > 26;
            varint = varint || (field.number == 1 && field.wire == 0);
            if (field.number > 26) {
                return true;
            }
            seen |= bit(static_cast<unsigned>(field.number));
            if (field.wire != 2) {
                return true;
            }
            delimited |= bit(static_cast<unsigned>(field.number));
            // onnx.proto: GraphProto has 1 node and 5 initializer; meta_graph.proto: MetaGraphDef
            // has 2 graph_def.
            graph = graph ||
                    (field.number == 7 && holds_fields(source, field, bit(1) | bit(5), budget));
            meta_graph =
                meta_graph || (field.number == 2 && holds_fields(source, field, bit(2), budget));
            return true;
        });
    if (end == MessageEnd::Broken) {
        return std::nullopt;
    }
    // onnx.proto, ModelProto: 1 ir_version (varint), 7 graph, 8 opset_import; up to 25 functions.
    // saved_model.proto: 1 saved_model_schema_version (varint), 2 meta_graphs.
    if ((delimited & bit(7)) != 0 && (graph || (varint && !beyond))) {
        return Kind::Onnx;
    }
    if (varint && (delimited & bit(2)) != 0 &&
        (meta_graph || (!beyond && seen == (bit(1) | bit(2)) && delimited == bit(2)))) {
        return Kind::SavedModel;
    }
    // sentencepiece_model.proto, ModelProto: 1 pieces (each with 1 piece), 2 trainer_spec,
    // 3 normalizer_spec.
    if (head.size() >= 4 && head[0] == 0x0A && head[2] == 0x0A && !beyond) {
        const std::uint64_t needed = bit(1) | bit(2);
        if ((delimited & needed) == needed && seen == delimited && (seen >> 6U) == 0) {
            return Kind::SentencePiece;
        }
    }
    // No other bytes are fields for so long.
    return end == MessageEnd::Budget ? std::optional(Kind::Unknown) : std::nullopt;
}

/// A control character that text does not have. DEL is none here: JSON may hold it as it is, and
/// vocabularies do.
bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r' && c != '\x1B';
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/// Whether the root element is that of SVG, by its name under any prefix or by its namespace,
/// behind what may stand before it (XML 1.0, 2.8).
bool has_svg_root(std::string_view text) {
    while (true) {
        while (!text.empty() && is_space(text.front())) {
            text.remove_prefix(1);
        }
        std::string_view end = ">";
        if (text.starts_with("<?")) {
            end = "?>";
        } else if (text.starts_with("<!--")) {
            end = "-->";
        } else if (text.starts_with("<!")) {
            const std::size_t subset = text.find('[');
            end = subset < text.find('>') ? "]" : ">";
        } else if (text.starts_with("<")) {
            const std::string_view tag = text.substr(1, text.find('>') - 1);
            std::string_view name = tag.substr(0, tag.find_first_of(" \t\r\n\f/"));
            name = name.substr(name.rfind(':') + 1); // npos + 1 is 0
            return name == "svg" ||
                   tag.find("http://www.w3.org/2000/svg") != std::string_view::npos;
        } else {
            return false;
        }
        const std::size_t at = text.find(end);
        if (at == std::string_view::npos) {
            return false;
        }
        text.remove_prefix(at + end.size());
        if (end == "]" && text.find('>') != std::string_view::npos) {
            text.remove_prefix(text.find('>') + 1);
        }
    }
}

/// Text of the first bytes of a file, by its first letters.
Kind refine_text(const ByteSource& source, std::string_view head) {
    if (head.starts_with("\xEF\xBB\xBF")) {
        head.remove_prefix(3);
    }
    if (head.starts_with("#!")) {
        return Kind::Script;
    }
    while (!head.empty() && is_space(head.front())) {
        head.remove_prefix(1);
    }
    if (head.starts_with("{") || head.starts_with("[")) {
        return Kind::Json;
    }
    if (head.starts_with("<") &&
        (head.starts_with("<svg") || head.starts_with("<?xml") || head.starts_with("<!--") ||
         head.starts_with("<!DOCTYPE svg")) &&
        head.find("<svg") != std::string_view::npos) {
        return Kind::Svg;
    }
    if (head.starts_with("<")) {
        constexpr std::uint64_t kMaxProlog = 1U << 20U;
        std::string start;
        Cursor cursor(source);
        const std::uint64_t size = std::min(source.size(), kMaxProlog);
        if (cursor.take_text(size, start)) {
            std::string_view text = start;
            if (text.starts_with("\xEF\xBB\xBF")) {
                text.remove_prefix(3);
            }
            if (has_svg_root(text)) {
                return Kind::Svg;
            }
        }
    }
    return Kind::Text;
}

} // namespace

Result<bool> is_text(const ByteSource& source, Controls controls) {
    Utf8Checker checker;
    const std::uint64_t size = source.size();
    std::vector<std::byte> block(
        static_cast<std::size_t>(std::min<std::uint64_t>(256U << 10U, size)));
    for (std::uint64_t offset = 0; offset < size;) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - offset));
        const std::span<std::byte> part = std::span(block).first(count);
        LOCARA_CHECK(source.read(offset, part));
        const std::string_view text = as_text(part);
        const bool printable = controls == Controls::Any
                                   ? text.find('\0') == std::string_view::npos
                                   : std::none_of(text.begin(), text.end(), is_control);
        if (!printable || !checker.feed(text)) {
            return false;
        }
        offset += count;
    }
    return checker.complete();
}

const KindRow& row_of(Kind kind) {
    const auto* const row = std::find_if(
        std::begin(kKinds), std::end(kKinds), [kind](const KindRow& r) { return r.kind == kind; });
    LOCARA_ASSERT(row != std::end(kKinds));
    return *row;
}

/// Text of an 8-bit encoding: lines, no control characters, mostly ASCII.
Result<bool> is_legacy_text(const ByteSource& source) {
    constexpr std::uint64_t kLeast = 32; // bytes; fewer prove nothing
    if (source.size() < kLeast) {
        return false;
    }
    std::uint64_t high = 0;
    std::uint64_t lines = 0;
    Cursor cursor(source);
    for (std::string_view part = cursor.ahead(); !part.empty(); part = cursor.ahead()) {
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (is_control(c) || byte == 0x7F) {
                return false;
            }
            high += byte >= 0x80 ? 1 : 0;
            lines += c == '\n' ? 1 : 0;
        }
        cursor.skip(part.size());
    }
    if (cursor.io_error()) {
        return *cursor.io_error();
    }
    return lines > 0 && high <= source.size() / 4;
}

std::string_view render(Kind kind) {
    return row_of(kind).name;
}

Result<bool> holds_hdf5(const ByteSource& source) {
    std::array<std::byte, kHdf5.size()> bytes{};
    for (std::uint64_t at = 0; source.size() >= bytes.size() && at <= source.size() - bytes.size();
         at = at == 0 ? 512 : at * 2) {
        LOCARA_CHECK(source.read(at, bytes));
        if (as_text(bytes) == kHdf5) {
            return true;
        }
    }
    return false;
}

/// Whether one of the names, of at most 8 bytes, is at this offset, which is inside the source.
Result<bool> is_named_at(const ByteSource& source,
                         std::uint64_t at,
                         std::initializer_list<std::string_view> names) {
    std::array<std::byte, 8> bytes{};
    const auto part = std::span(bytes).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), source.size() - at)));
    LOCARA_CHECK(source.read(at, part));
    return std::any_of(names.begin(), names.end(), [&part](std::string_view name) {
        return as_text(part).starts_with(name);
    });
}

/// Disks that systems open at a click, and whose beginning may hold anything: ISO 9660 and UDF name
/// themselves in their 16th sector (ECMA-119, 8.1.2; ECMA-167, 2/9.1.2), DMG and VHD of a fixed
/// size in their last 512 bytes.
Result<bool> is_disk_image(const ByteSource& source) {
    constexpr std::uint64_t kDescriptor = 16 * 2048 + 1;
    constexpr std::uint64_t kFooter = 512;
    if (source.size() > kDescriptor) {
        LOCARA_TRY(const bool optical, is_named_at(source, kDescriptor, {"CD001", "BEA01"}));
        if (optical) {
            return true;
        }
    }
    return source.size() < kFooter
               ? Result<bool>(false)
               : is_named_at(source, source.size() - kFooter, {"koly", "conectix"});
}

Result<Kind> sniff(const ByteSource& source) {
    if (source.size() == 0) {
        return Kind::Empty;
    }
    std::array<std::byte, 4096> buffer{};
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), source.size()));
    LOCARA_CHECK(source.read(0, std::span(buffer).first(count)));
    const std::string_view head = as_text(std::span(buffer).first(count));

    if (head.starts_with("GGUF")) {
        // Prose about GGUF starts with the same four letters, but never holds a NUL.
        LOCARA_TRY(const bool text, is_text(source));
        return text ? refine_text(source, head) : Kind::Gguf;
    }
    if (head.size() >= 9 && head[8] == '{' && le(head.substr(0, 8)) <= 100'000'000) {
        return Kind::Safetensors;
    }
    if (head.size() >= 2 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 5) {
        return Kind::Pickle;
    }
    for (const Magic& magic : kMagics) {
        if (matches(head, magic)) {
            // Magics of printable letters: text may start with them as well.
            const bool printable = std::all_of(magic.bytes.begin(), magic.bytes.end(), [](char c) {
                return (c >= 0x20 && c < 0x7F) || c == '\n';
            });
            if (printable) {
                LOCARA_TRY(const bool text, is_text(source));
                if (text && magic.kind != Kind::Tar && magic.kind != Kind::Pdf) {
                    break;
                }
            }
            return magic.kind;
        }
    }
    if (head.starts_with("RIFF") && head.size() >= 12) {
        const std::string_view form = head.substr(8, 4);
        if (form == "WEBP") {
            return Kind::WebP;
        }
        if (form == "WAVE") {
            return Kind::Audio;
        }
        if (form == "AVI ") {
            return Kind::Video;
        }
    }
    if (is_portable_executable(source, head) || is_dos_program(source, head)) {
        return Kind::PortableExecutable;
    }
    if (head.starts_with("\xCA\xFE\xBA\xBE") && head.size() >= 8) {
        // Java classes have a version from 45 up where fat Mach-O has a small count.
        return static_cast<unsigned char>(head[7]) >= 45 ? Kind::JavaClass : Kind::MachO;
    }
    if (is_python_bytecode(head)) {
        return Kind::PythonBytecode;
    }
    if (is_tar_header(as_bytes(head))) {
        return Kind::Tar;
    }
    LOCARA_TRY(const bool disk, is_disk_image(source));
    if (disk) {
        return Kind::OtherArchive;
    }
    LOCARA_TRY(const bool hdf5, holds_hdf5(source));
    if (hdf5) {
        return Kind::Hdf5;
    }
    if (is_lzma(source, head)) {
        return Kind::Lzma;
    }
    const auto message = sniff_message(source, head);
    if (message && *message != Kind::Unknown) {
        return *message;
    }
    LOCARA_TRY(const bool text, is_text(source));
    if (message && !text) { // of more fields than are looked at, so that it may be a model
        return Kind::Onnx;
    }
    LOCARA_TRY(const bool zlib, is_zlib(source, head, text));
    if (zlib) {
        return Kind::Zlib;
    }
    if (text) {
        return refine_text(source, head);
    }
    LOCARA_TRY(const bool legacy, is_legacy_text(source));
    if (legacy) {
        const Kind kind = refine_text(source, head);
        return kind == Kind::Text ? Kind::LegacyText : kind;
    }
    return head.starts_with("#!") ? Kind::Script : Kind::Unknown;
}

} // namespace locara::formats
