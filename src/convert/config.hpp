// config.json of a repository: what a model is, for the architectures of architecture.hpp.
//
// Members as transformers writes them (configuration_llama.py, configuration_qwen2.py and so on;
// version 4 and 5: `rope_scaling` and `rope_theta`, or `rope_parameters`). Threads: plain values.
#pragma once

#include "architecture.hpp"

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::convert {

inline constexpr std::uint64_t kMaxLayers = 512;      ///< formats::kGgufMaxLayers
inline constexpr std::uint64_t kMaxWidth = 1U << 20U; ///< Of hidden and feed-forward layers.
inline constexpr std::uint64_t kMaxHeads = 4'096;
inline constexpr std::uint64_t kMaxHeadWidth = 4'096;
inline constexpr std::uint64_t kMaxContext = 1U << 30U;

/// Special tokens in the order in which llama.cpp looks for them; the last two only where a
/// template ends a text by another token than eos.
inline constexpr std::array<std::string_view, 9> kSpecialTokens = {
    "bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot", "eom"};
inline constexpr std::size_t kUsualTokens = 7;

struct Rope {
    enum class Kind { Plain, Linear, Yarn, Llama3 };

    Kind kind = Kind::Plain;
    double theta = 10'000.0;
    double factor = 1;
    double low_frequency_factor = 1;  ///< Llama3
    double high_frequency_factor = 4; ///< Llama3
    std::uint64_t original_context = 0;
    std::optional<double> extrapolation_factor; ///< Yarn, as the rest.
    std::optional<double> attention_factor;
    std::optional<double> beta_fast;
    std::optional<double> beta_slow;
};

struct ModelConfig {
    const Architecture* architecture = nullptr; ///< Never null in a result.
    std::string name_or_path;                   ///< `_name_or_path`, may be empty.
    std::uint64_t layers = 0;
    std::uint64_t context = 0; ///< tokens
    std::uint64_t hidden = 0;
    std::uint64_t feed_forward = 0;
    std::uint64_t heads = 0;
    std::uint64_t kv_heads = 0; ///< Divides heads.
    std::uint64_t vocabulary = 0;
    std::uint64_t head_width = 0;   ///< Even.
    bool states_head_width = false; ///< Said, or always there in this architecture.
    double norm_epsilon = 0;
    bool tied = false; ///< The output matrix is that of the embeddings.
    Rope rope;
    std::array<std::optional<std::uint64_t>, kSpecialTokens.size()>
        special; ///< `bos_token_id`, ...

    /// How many elements an extent of a tensor has.
    std::uint64_t extent(Extent extent) const;
};

/// Errors: Corrupt (no JSON, a member missing, of another type or out of bounds), Unsupported (an
/// architecture or an option that is in no table, named).
Result<ModelConfig> parse_config(std::string_view text);

} // namespace locara::convert
