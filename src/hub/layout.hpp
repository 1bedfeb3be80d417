// Where things lie in a data folder (docs/hub.md, "The data folder").
#pragma once

#include <filesystem>
#include <string>

namespace locara::hub {

inline constexpr const char* kNamesFile = "names.db";
inline constexpr const char* kXetKey = "xet.key";
inline constexpr const char* kChunks = "cas";
inline constexpr const char* kRepos = "repos";
inline constexpr const char* kGcLock = "gc.lock"; ///< Held by the one gc.

/// The git repository of an internal id, below the folder of all repositories.
inline std::filesystem::path repo_folder(const std::filesystem::path& repos,
                                         const std::string& internal) {
    return repos / (internal + ".git");
}

} // namespace locara::hub
