// What a hub that was killed in a commit leaves in its git repositories.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>

namespace locara::hub {

/// Removes, in all repositories below `repos`, the locks of refs, which nobody would ever let go
/// of, and unfinished objects. Nobody may write to them meanwhile. Io.
Status remove_git_leftovers(const std::filesystem::path& repos);

} // namespace locara::hub
