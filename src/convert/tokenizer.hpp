// The tokenizer of a repository as GGUF holds it: byte-level BPE, the engine's "gpt2".
//
// What llama.cpp finds out by running transformers over a test text, which pre-tokenizer a model
// has, is looked up here by its structure: the regular expressions in tokenizer.json, held against
// those of the engine (llama.cpp v0.5.0, src/llama-vocab.cpp). One that is not in the table is
// Unsupported, never guessed. Threads: plain values.
#pragma once

#include "config.hpp"
#include "gguf_header.hpp"

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::convert {

/// Types of tokens, numbered as in GGUF.
enum class TokenType : std::int32_t { Normal = 1, Control = 3, UserDefined = 4, Unused = 5 };

struct Tokenizer {
    std::string pre;                 ///< `tokenizer.ggml.pre`
    std::vector<std::string> tokens; ///< As many as the configuration says.
    std::vector<std::int32_t> types;
    std::vector<std::string> merges;
    std::vector<std::pair<std::string, std::uint64_t>> special; ///< Keys and tokens.
    std::vector<std::pair<std::string, bool>> adds; ///< Keys, and whether it is put to each text.
    std::optional<bool> space_prefix;
    std::vector<std::pair<std::string, std::string>> templates; ///< Named ones; rarely any.
    std::string chat_template;                                  ///< May be empty.

    void add_to(GgufHeader& header) const;
};

/// `tokenizer_config` and `chat_template` (the file chat_template.jinja) are empty if the
/// repository has none. Errors: Corrupt, TooLarge, Unsupported (another tokenizer than byte-level
/// BPE, or a pre-tokenizer, normalizer or post-processor that is in no table; named).
Result<Tokenizer> read_tokenizer(std::string_view tokenizer,
                                 std::string_view tokenizer_config,
                                 std::string_view chat_template,
                                 const ModelConfig& model);

} // namespace locara::convert
