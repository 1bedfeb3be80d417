// Where things lie in a data folder (docs/hub.md, "The data folder").
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace locara::hub {

inline constexpr const char* kNamesFile = "names.db";
inline constexpr const char* kXetKey = "xet.key";
inline constexpr const char* kChunks = "cas";
inline constexpr const char* kRepos = "repos";
inline constexpr const char* kMirror = "mirror";   ///< See mirror.hpp.
inline constexpr const char* kParts = "parts";     ///< In there: files on their way.
inline constexpr const char* kAliases = "aliases"; ///< In there: whole ids of short ones.
inline constexpr const char* kGcLock =
    "gc.lock"; ///< Held by the one gc, backup or deletion of files.

/// NotFound unless `data` is a folder that a hub has worked in.
inline Status require_hub(const std::filesystem::path& data) {
    std::error_code error;
    if (!std::filesystem::exists(data / kNamesFile, error)) {
        return Error(ErrorCode::NotFound,
                     "no hub has worked in " + data.string() + " (it has no " + kNamesFile +
                         "); give the folder of `locara-hub serve --data`");
    }
    return {};
}

/// The git repository of an internal id, below the folder of all repositories.
inline std::filesystem::path repo_folder(const std::filesystem::path& repos,
                                         const std::string& internal) {
    return repos / (internal + ".git");
}

/// What is in a commit of a mirrored repository (listing.hpp), below the folder of all that is
/// mirrored.
inline std::filesystem::path listing_file(const std::filesystem::path& mirror,
                                          const std::string& internal,
                                          const std::string& commit) {
    return mirror / internal / (commit + ".tree");
}

} // namespace locara::hub
