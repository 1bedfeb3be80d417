// Converting what was fetched, for `model build`.
#pragma once

#include "model_weights.hpp"

#include <locara/convert/convert.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::cli {

/// Makes a GGUF at `output` of a repository's files. Errors: those of convert::convert;
/// InvalidArgument (the card). Tells its progress.
Result<convert::Converted> convert_sources(Context& context,
                                           const std::vector<FetchedFile>& files,
                                           const std::string& repo,
                                           std::optional<convert::Precision> precision,
                                           const std::filesystem::path& output);

} // namespace locara::cli
