// The journals of moves of several refs, in a git folder while they are being made. Each has a name
// of its own: pushes to one repository move their refs at the same time.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace locara::hub {

/// A journal is "FROM TO NAME\n" for each ref, "-" where there is none. It is written whole before
/// the first ref moves and removed after the last, so that a hub that was killed between them can
/// finish.
std::filesystem::path new_journal(const std::filesystem::path& repository);

/// Those that are there, in no order. Io.
Result<std::vector<std::filesystem::path>> list_journals(const std::filesystem::path& repository);

} // namespace locara::hub
