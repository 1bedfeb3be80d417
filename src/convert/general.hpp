// `general.*`: what a file says of whose it is and where it comes from.
#pragma once

#include "gguf_header.hpp"

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::convert {

inline constexpr std::size_t kMaxNameBytes = 200; ///< Longer names are not taken apart.

/// What the parts of a repository's name say. What is absent is empty.
struct NameParts {
    std::string organization;
    std::string name; ///< All behind the slash.
    std::string basename;
    std::string finetune;
    std::string version;
    std::string size_label;
};

/// "Qwen/Qwen2.5-0.5B-Instruct": organization Qwen, basename Qwen2.5, size label 0.5B, finetune
/// Instruct. A size far from `parameters` is taken for a length of context.
NameParts parse_model_name(std::string_view name, std::uint64_t parameters);

/// "qwen2.5-0.5b-instruct" -> "Qwen2.5 0.5b Instruct".
std::string to_title(std::string_view name);

/// "494M", "1.3M", "7.6B": two digits at least.
std::string size_label(std::uint64_t parameters);

struct GeneralFacts {
    std::string repo;         ///< "org/name".
    std::string name_or_path; ///< Of config.json.
    std::optional<Json> card;
    std::optional<Json> generation; ///< generation_config.json.
    std::uint64_t parameters = 0;
};

/// Adds everything from general.type to general.languages.
void add_general(GgufHeader& header, const GeneralFacts& facts);

} // namespace locara::convert
