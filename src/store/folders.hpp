// Walking the store's folders: only names that are ours count. Private to the module.
#pragma once

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>

#include <filesystem>
#include <functional>

namespace locara::store {

using TakeFile =
    std::function<Status(const crypto::Sha256Digest& digest, const std::filesystem::path& path)>;

/// Calls `take` for each regular file of a folder whose whole name is a digest. An absent folder
/// has none.
Status each_digest(const std::filesystem::path& folder, const TakeFile& take);

/// The same for a folder of folders, each named by the first two digits of the digests in it.
Status each_stored(const std::filesystem::path& folder, const TakeFile& take);

/// Calls `take` for each regular file of a folder, whatever its name.
Status each_file(const std::filesystem::path& folder,
                 const std::function<Status(const std::filesystem::path&)>& take);

} // namespace locara::store
