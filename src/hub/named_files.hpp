// Which large files a repository's histories name.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <filesystem>
#include <set>
#include <stop_token>

namespace locara::hub {

using FileDigests = std::set<crypto::Sha256Digest>;

/// Takes out of `files` each one that a commit names which a branch, a tag or a pull request leads
/// to; reads each folder and each small file once, and stops when none is left. Io also if a
/// ref cannot be read or a history is not whole, Cancelled.
Status take_out_named(const std::filesystem::path& repository,
                      FileDigests& files,
                      const std::stop_token& stop);

} // namespace locara::hub
