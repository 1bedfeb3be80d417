// Convert: GGUF out of a repository's safetensors, configuration and tokenizer.
//
// The file is the one that llama.cpp's own converter makes of the same repository: names, order and
// types of metadata and tensors, the order of the rows of queries and keys, what stays float32.
// Source of these facts: llama.cpp v0.5.0 (conversion/base.py, llama.py and qwen.py; gguf-py:
// gguf_writer.py, metadata.py, vocab.py), GGUF itself as in docs/formats/gguf.md. Where it knows no
// better it reads a folder's name; here the repository's name stands for that. Differences, each
// on purpose: docs/formats/conversion.md.
//
// Architectures and tokenizers are tables (architecture.cpp, tokenizer.cpp); what is in none is
// Unsupported, with what is. Weights are streamed: memory holds the header of the result, the
// tokenizer and one block of a tensor, whatever the size. Files must have passed the gate; nothing
// in them is trusted all the same. Threads: plain functions; convert blocks.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/formats/byte_source.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::convert {

inline constexpr std::uint64_t kMaxConfig = 1U << 20U; ///< bytes of config.json and the like
inline constexpr std::uint64_t kMaxTokenizerConfig = 8U << 20U; ///< bytes, chat template included
inline constexpr std::uint64_t kMaxTokenizer = 64U << 20U;      ///< bytes of tokenizer.json
inline constexpr std::uint64_t kMaxIndex = 16U << 20U;          ///< bytes of the list of shards
inline constexpr std::size_t kMaxShards = 256;

/// How matrices are stored. What has one dimension, and every norm, is float32 in any case.
enum class Precision { F32, F16, BF16 };

/// "F32", "F16", "BF16": as manifests and GGUF name them. nullopt for anything else.
std::string_view render(Precision precision);
std::optional<Precision> parse_precision(std::string_view text);

/// What is read of a repository if it is there: names below its root. Beside these
/// model*.safetensors. The card is not among them: its front matter is handed over parsed.
inline constexpr std::string_view kConfigName = "config.json";
inline constexpr std::string_view kGenerationName = "generation_config.json";
inline constexpr std::string_view kIndexName = "model.safetensors.index.json";
inline constexpr std::string_view kTemplateName = "chat_template.jinja";
inline constexpr std::string_view kTokenizerName = "tokenizer.json";
inline constexpr std::string_view kTokenizerConfigName = "tokenizer_config.json";

/// The files of weights that an index names, sorted, each once. Corrupt, TooLarge.
Result<std::vector<std::string>> parse_index(std::string_view text);

struct SourceFile {
    std::string path;                            ///< In the repository.
    const formats::ByteSource* source = nullptr; ///< Borrowed.
};

struct ConvertRequest {
    std::string repo; ///< "org/name".
    std::vector<SourceFile> files;
    std::optional<Json> card;           ///< Front matter of README.md, if there is one.
    std::optional<Precision> precision; ///< nullopt: that of the first matrix.
    std::filesystem::path output;       ///< Written beside it, synced, then renamed over it.
};

struct Converted {
    Precision precision = Precision::F16;
    std::string architecture; ///< As GGUF names it.
    std::uint64_t tensors = 0;
    std::uint64_t parameters = 0;
    std::uint64_t bytes = 0; ///< Of the file.
};

/// Converts. The result was parsed by the reader of GGUF before it got its name. Errors: NotFound
/// (a file that is needed is not among them), Corrupt (files that contradict themselves or each
/// other: a tensor missing, twice, or of another shape than the configuration says), Unsupported
/// (architecture, tokenizer, numbers or options that are in no table, named; a weight too large for
/// F16), TooLarge (a limit), Cancelled, NoSpace, Io. Progress: task "convert", item = precision,
/// bytes written.
Result<Converted> convert(const ConvertRequest& request,
                          ProgressSink& progress = null_progress(),
                          const std::stop_token& stop = {});

} // namespace locara::convert
