// Which large files a repository's histories name.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <filesystem>
#include <set>
#include <stop_token>
#include <string_view>

namespace locara::hub {

using FileDigests = std::set<crypto::Sha256Digest>;

/// Takes out of `files` each one that a commit names to which a ref leads whose name begins so
/// ("refs/": a branch, a tag, a pull request or a pin); reads each folder and each small file once,
/// and stops when none is left. Io also if a ref cannot be read or a history is not whole,
/// Cancelled.
Status take_out_named(const std::filesystem::path& repository,
                      FileDigests& files,
                      const std::stop_token& stop,
                      std::string_view refs = "refs/");

} // namespace locara::hub
