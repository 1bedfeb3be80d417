// WeightsFacts: what the header of weights says of the model, for those who list models. Read where
// the file is judged, in the gate's sandbox; elsewhere only this is seen.
//
// The text form is JSON: {"format", "parameters", "types": {TYPE: N}, "architecture",
// "context_length", "chat_template", "bos_token", "eos_token"}, the last five null where the file
// does not say. Threads: plain values and functions.
#pragma once

#include <locara/base/json.hpp>
#include <locara/formats/byte_source.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace locara::formats {

/// What is longer is left out: it is said of a model, and not needed to load it.
inline constexpr std::size_t kMaxFactTemplate = 64U << 10U; ///< bytes of a chat template
inline constexpr std::size_t kMaxFactText = 256;            ///< bytes of any other text
inline constexpr std::size_t kMaxFactTypes = 64;            ///< of tensors

struct WeightsFacts {
    std::string format;                         ///< "gguf" or "safetensors".
    std::uint64_t parameters = 0;               ///< Elements of all tensors.
    std::map<std::string, std::uint64_t> types; ///< Elements by type: "BF16", "Q4_K".
    // Of GGUF only.
    std::optional<std::string> architecture;
    std::optional<std::uint64_t> context_length; ///< tokens
    std::optional<std::string> chat_template;
    std::optional<std::string> bos_token;
    std::optional<std::string> eos_token;

    bool operator==(const WeightsFacts&) const = default;
};

/// Of a file that passed its check. The tokens are read from the source: what cannot be read is
/// left out.
WeightsFacts facts_of(const Gguf& gguf, const ByteSource& source);
WeightsFacts facts_of(const Safetensors& safetensors);

Json render_facts(const WeightsFacts& facts);

/// The reverse, strictly: exactly these members, of these types, within the limits. Corrupt
/// otherwise.
Result<WeightsFacts> parse_facts(const Json& json);

} // namespace locara::formats
