// Sniffing: the kind of a file by its content. Names are not looked at.
//
// Only a few KiB are read (and, for text, all of it). A kind is a guess that names the parser to
// ask next; nothing is allowed on the strength of a kind alone. Threads: plain functions.
#pragma once

#include <locara/formats/byte_source.hpp>

#include <string_view>

namespace locara::formats {

enum class Kind {
    Empty,
    Safetensors,
    Gguf,
    OldGgml, ///< ggml, ggmf, ggjt, ggla: what came before GGUF
    Pickle,  ///< starts with a PROTO opcode; other pickles have no magic
    NumPy,
    Zip,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zlib,
    Lzma, ///< the form older than xz
    Tar,
    SevenZip,
    Rar,
    OtherArchive, ///< lz4, lzip, cab, ar, cpio, xar, arj, compress and others
    Elf,
    PortableExecutable,
    MachO,
    Script, ///< starts with #!
    PythonBytecode,
    JavaClass,
    OtherProgram, ///< Windows links, Dalvik, LLVM bitcode, Lua
    Hdf5,
    Onnx,
    SavedModel,
    TfLite,
    SentencePiece,
    Png,
    Jpeg,
    Gif,
    WebP,
    Icon, ///< and cursors
    Font,
    Audio,
    Video, ///< and what has boxes as MP4 does: AVIF, HEIC, M4A
    Pdf,
    Office, ///< OLE compound files: old Office documents, Windows installers
    WebAssembly,
    Svg,
    Json,
    Text,       ///< UTF-8 without NUL
    LegacyText, ///< what else looks like text: Latin-1 and other 8-bit encodings
    Unknown,
};

/// The label of verdicts: "gguf", "old ggml", "zip", ...
std::string_view render(Kind kind);

/// Io if a read fails.
Result<Kind> sniff(const ByteSource& source);

} // namespace locara::formats
