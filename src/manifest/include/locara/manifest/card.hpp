// ModelCard: what the card of a model's repository (README.md) says to machines.
//
// Its front matter: YAML between two lines "---" at the start of the file, as the Hugging Face Hub
// documents it (https://huggingface.co/docs/hub/model-cards). Only members that decide something
// here are read; all of it is the publisher's word. Threads: plain values.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

inline constexpr std::size_t kCardLimitBytes = 4U << 20U;        ///< Of a card.
inline constexpr std::size_t kFrontMatterLimitBytes = 1U << 20U; ///< Of its front matter.
inline constexpr std::size_t kCardBasesLimit = 16;
inline constexpr std::size_t kCardNodesLimit = 10'000; ///< Of a front matter, aliases followed.
inline constexpr std::size_t kCardDepthLimit = 32;

/// What is absent is empty.
struct ModelCard {
    std::string license;                  ///< `license`: an id of the Hub. Of several the first.
    std::string license_name;             ///< `license_name`, where `license` is "other".
    std::string license_link;             ///< `license_link`.
    std::vector<std::string> base_models; ///< `base_model`: what it was made from.
    std::string base_model_relation; ///< "finetune", "quantized", "merge", "adapter", or other.
    std::string pipeline_tag;        ///< What it does.

    /// Parses a card; one without front matter gives empty members. InvalidArgument (no YAML, or a
    /// member is no text, with the line), TooLarge (a limit).
    static Result<ModelCard> parse(std::string_view card);
};

/// The whole front matter, as JSON; nothing for a card without one. Plain scalars that YAML's core
/// schema (YAML 1.2, section 10.3) calls null, bool, int or float become that, others stay text.
/// InvalidArgument (no YAML, no map, a key that is no text or given twice; with the line), TooLarge
/// (a limit).
Result<std::optional<Json>> read_front_matter(std::string_view card);

/// What people read of a card: all that follows the front matter.
std::string_view without_front_matter(std::string_view card);

} // namespace locara::manifest
