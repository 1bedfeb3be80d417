// The card of a model at the commit that a manifest pins, as far as this hub has it.
#pragma once

#include "review_sources.hpp"

#include <locara/base/result.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <optional>
#include <string>

namespace locara::hub {

/// README.md of a repository of this hub, or of what is mirrored here, at that commit; empty if the
/// commit has none. Nothing if the commit or the file's content is not here. TooLarge above
/// manifest::kCardLimitBytes; Corrupt and Io.
Result<std::optional<std::string>> read_pinned_card(const ReviewSources& sources,
                                                    const manifest::Source& source);

/// Holds a manifest against the card of its source and those of what it was made from
/// (manifest::check_card), and gives the repositories whose card is not here. Refused if one says
/// what the manifest does not declare; further errors as read_pinned_card.
Result<std::vector<std::string>> check_cards(const ReviewSources& sources,
                                             const manifest::ModelManifest& model);

} // namespace locara::hub
