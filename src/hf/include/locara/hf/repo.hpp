// What a repository of a hub says of itself: a revision's commit, and the files in it.
//
// Nothing here is verified: it is what the server states. Threads: plain values.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace locara::hf {

/// Files of one commit: more are TooLarge.
inline constexpr std::size_t kMaxListedFiles = 200'000;

/// Where a branch, a tag or a commit stands.
struct Revision {
    std::string commit; ///< 40 lower-case hex digits.
    bool gated = false; ///< The repository wants an account and consent before it hands out files.
};

/// A file of a commit.
struct RepoFile {
    std::string
        path; ///< Can be one inside a repository; whether it suits this machine is not said.
    std::uint64_t size = 0;
    std::optional<crypto::Sha256Digest> sha256; ///< Of files that git itself does not hold.
    std::optional<xet::FileHash> xet_hash;
};

} // namespace locara::hf
