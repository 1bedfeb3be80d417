// What the catalog has published, as it lies in the data folder.
#pragma once

#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>

#include <filesystem>
#include <string>

namespace locara::hub {

/// The bytes of a target in the tree (docs/formats/catalog.md, "Layout"). NotFound, Corrupt.
Result<std::string> read_target(const std::filesystem::path& tree, const catalog::Target& target);

} // namespace locara::hub
