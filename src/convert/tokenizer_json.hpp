// tokenizer.json, as huggingface/tokenizers writes it: the vocabulary and merges of a BPE model as
// lists, the rest as JSON.
//
// A vocabulary is one object of up to millions of keys, more than parse_json takes; so the document
// is read by events, with the same strictness: UTF-8, no key twice, bounded depth. Threads: plain
// values.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::convert {

inline constexpr std::size_t kMaxMerges = 4'194'304;
inline constexpr std::size_t kTokenizerDepth = 32;
inline constexpr std::size_t kTokenizerNodes =
    500'000;                                         ///< Of what is neither vocabulary nor merges.
inline constexpr std::size_t kTokenizerKeys = 1'024; ///< Of one object likewise.

struct TokenizerJson {
    Json rest; ///< An object. Without `vocab` and `merges` of `model`.
    std::vector<std::pair<std::string, std::uint32_t>> vocabulary; ///< In the order of the file.
    std::vector<std::string> merges; ///< "left right"; blanks inside of halves are U+0120.
};

/// Errors: Corrupt (no JSON of this shape, with the byte offset; a key twice), TooLarge (a limit).
/// A vocabulary that is a list (of other models than BPE) is passed over.
Result<TokenizerJson> parse_tokenizer_json(std::string_view text);

} // namespace locara::convert
