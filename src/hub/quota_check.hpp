// The question before bytes are taken: whether they fit into what their owner may store.
#pragma once

#include "answers.hpp"
#include "services.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace locara::hub {

/// 403, with what is stored and what is allowed, if `more` bytes do not fit into the quota of a
/// namespace; with 0 if there is no room for a single one. What others are bringing at the same
/// time is not known yet, so together they may bring somewhat more.
Answer<std::monostate>
require_room(const Services& services, const std::string& space, std::uint64_t more = 0);

/// A sum that stays at the most there can be.
inline std::uint64_t add_bytes(std::uint64_t a, std::uint64_t b) {
    return a + std::min(b, UINT64_MAX - a);
}

/// What the body of a request is to have; 0 if it does not say.
std::uint64_t announced_bytes(const http::Request& request);

/// The same for a repository's owner.
Answer<std::monostate>
require_room(const Services& services, const Repo& repo, std::uint64_t more = 0);

} // namespace locara::hub
