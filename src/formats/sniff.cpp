#include "sniff.hpp"

#include "cursor.hpp"
#include "tar.hpp"

#include <locara/formats/sniff.hpp>

#include <algorithm>
#include <array>

namespace locara::formats {

namespace {

using namespace std::string_view_literals;

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
    {0, "LZIP\x01"sv, Kind::OtherArchive},
    {0, "MSCF\0\0\0\0"sv, Kind::OtherArchive},
    {0, "!<arch>\n"sv, Kind::OtherArchive},
    {0, "070701"sv, Kind::OtherArchive},
    {0, "xar!\0"sv, Kind::OtherArchive},
    {0, "\x60\xEA"sv, Kind::OtherArchive}, // arj
    {0, "\x1F\x9D"sv, Kind::OtherArchive}, // compress
    {0,
     "\x7F"
     "ELF"sv,
     Kind::Elf},
    {0, "\xFE\xED\xFA\xCE"sv, Kind::MachO},
    {0, "\xFE\xED\xFA\xCF"sv, Kind::MachO},
    {0, "\xCE\xFA\xED\xFE"sv, Kind::MachO},
    {0, "\xCF\xFA\xED\xFE"sv, Kind::MachO},
    {0, "\x89HDF\r\n\x1A\n"sv, Kind::Hdf5},
    {512, "\x89HDF\r\n\x1A\n"sv, Kind::Hdf5}, // after a user block
    {1024, "\x89HDF\r\n\x1A\n"sv, Kind::Hdf5},
    {2048, "\x89HDF\r\n\x1A\n"sv, Kind::Hdf5},
    {4, "TFL3"sv, Kind::TfLite},
    {0, "\x89PNG\r\n\x1A\n"sv, Kind::Png},
    {0, "\xFF\xD8\xFF"sv, Kind::Jpeg},
    {0, "GIF87a"sv, Kind::Gif},
    {0, "GIF89a"sv, Kind::Gif},
    {0, "\0\0\1\0"sv, Kind::Icon},
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

/// CPython writes a version number and "\r\n" (importlib/_bootstrap_external.py: 3000 up for
/// Python 3, 62211 for 2.7).
bool is_python_bytecode(std::string_view head) {
    if (head.size() < 16 || head.substr(2, 2) != "\r\n") {
        return false;
    }
    const std::uint64_t version = le(head.substr(0, 2));
    return (version >= 3000 && version < 4000) || (version >= 62000 && version < 62300);
}

/// Walks the top level of a protocol-buffers message (developers.google.com/protocol-buffers,
/// "Encoding") to the end of the source. Tells the fields it saw; nullopt if it is no message.
struct Fields {
    std::uint64_t seen = 0;      // bit n: field n
    std::uint64_t delimited = 0; // bit n: field n is length-delimited
};

std::optional<Fields> walk_message(const ByteSource& source) {
    constexpr unsigned kMaxFields = 200'000;
    Cursor cursor(source, 0, 4096);
    const auto varint = [&cursor](std::uint64_t& value) {
        value = 0;
        std::uint8_t byte = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (!cursor.next(byte)) {
                return false;
            }
            value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
            if ((byte & 0x80U) == 0) {
                return true;
            }
        }
        return false;
    };
    Fields fields;
    for (unsigned i = 0; i < kMaxFields && cursor.remaining() > 0; ++i) {
        std::uint64_t tag = 0;
        std::uint64_t value = 0;
        if (!varint(tag) || (tag >> 3U) == 0 || (tag >> 3U) > 63) {
            return std::nullopt;
        }
        const std::uint64_t field = 1ULL << (tag >> 3U);
        fields.seen |= field;
        bool read = false;
        switch (tag & 7U) {
        case 0:
            read = varint(value);
            break;
        case 1:
            read = cursor.skip(8);
            break;
        case 2:
            fields.delimited |= field;
            read = varint(value) && cursor.skip(value);
            break;
        case 5:
            read = cursor.skip(4);
            break;
        default:
            break;
        }
        if (!read) {
            return std::nullopt;
        }
    }
    return cursor.remaining() == 0 ? std::optional(fields) : std::nullopt;
}

std::optional<Kind> sniff_message(const ByteSource& source, std::string_view head) {
    const auto bit = [](unsigned field) { return 1ULL << field; };
    if (head.size() < 4) {
        return std::nullopt;
    }
    // onnx.proto, ModelProto: 1 ir_version (varint), 7 graph, 8 opset_import; up to 25 functions.
    // saved_model.proto: 1 saved_model_schema_version (varint), 2 meta_graphs.
    if (head[0] == 0x08 && head[1] > 0 && head[1] < 32) {
        const auto fields = walk_message(source);
        if (fields && (fields->delimited & bit(7)) != 0 && (fields->seen >> 27U) == 0) {
            return Kind::Onnx;
        }
        if (fields && fields->seen == (bit(1) | bit(2)) && fields->delimited == bit(2)) {
            return Kind::SavedModel;
        }
    }
    // sentencepiece_model.proto, ModelProto: 1 pieces (each with 1 piece), 2 trainer_spec,
    // 3 normalizer_spec.
    if (head[0] == 0x0A && head[2] == 0x0A) {
        const auto fields = walk_message(source);
        const std::uint64_t needed = bit(1) | bit(2);
        if (fields && (fields->delimited & needed) == needed && fields->seen == fields->delimited &&
            (fields->seen >> 6U) == 0) {
            return Kind::SentencePiece;
        }
    }
    return std::nullopt;
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

Kind refine_text(std::string_view head) {
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
    return Kind::Text;
}

} // namespace

Result<bool> is_text(const ByteSource& source) {
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
        if (text.find('\0') != std::string_view::npos || !checker.feed(text)) {
            return false;
        }
        offset += count;
    }
    return checker.complete();
}

std::string_view render(Kind kind) {
    switch (kind) {
    case Kind::Empty:
        return "empty";
    case Kind::Safetensors:
        return "safetensors";
    case Kind::Gguf:
        return "gguf";
    case Kind::OldGgml:
        return "ggml";
    case Kind::Pickle:
        return "pickle";
    case Kind::NumPy:
        return "numpy";
    case Kind::Zip:
        return "zip";
    case Kind::Gzip:
        return "gzip";
    case Kind::Bzip2:
        return "bzip2";
    case Kind::Xz:
        return "xz";
    case Kind::Zstd:
        return "zstd";
    case Kind::Tar:
        return "tar";
    case Kind::SevenZip:
        return "7z";
    case Kind::Rar:
        return "rar";
    case Kind::OtherArchive:
        return "archive";
    case Kind::Elf:
        return "elf";
    case Kind::PortableExecutable:
        return "pe";
    case Kind::MachO:
        return "mach-o";
    case Kind::Script:
        return "script";
    case Kind::PythonBytecode:
        return "python-bytecode";
    case Kind::JavaClass:
        return "java-class";
    case Kind::Hdf5:
        return "hdf5";
    case Kind::Onnx:
        return "onnx";
    case Kind::SavedModel:
        return "savedmodel";
    case Kind::TfLite:
        return "tflite";
    case Kind::SentencePiece:
        return "sentencepiece";
    case Kind::Png:
        return "png";
    case Kind::Jpeg:
        return "jpeg";
    case Kind::Gif:
        return "gif";
    case Kind::WebP:
        return "webp";
    case Kind::Icon:
        return "icon";
    case Kind::Font:
        return "font";
    case Kind::Audio:
        return "audio";
    case Kind::Video:
        return "video";
    case Kind::Pdf:
        return "pdf";
    case Kind::WebAssembly:
        return "wasm";
    case Kind::Svg:
        return "svg";
    case Kind::Json:
        return "json";
    case Kind::Text:
        return "text";
    case Kind::Unknown:
        return "unknown";
    }
    return "unknown";
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
        return text ? refine_text(head) : Kind::Gguf;
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
    }
    if (is_portable_executable(source, head)) {
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
    if (const auto kind = sniff_message(source, head)) {
        return *kind;
    }
    LOCARA_TRY(const bool text, is_text(source));
    if (text) {
        return refine_text(head);
    }
    return head.starts_with("#!") ? Kind::Script : Kind::Unknown;
}

} // namespace locara::formats
