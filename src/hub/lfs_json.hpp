// How Git LFS has its answers, errors too (git-lfs: docs/api/batch.md): its clients read "message".
#pragma once

#include <locara/http/message.hpp>

#include <string>

namespace locara::hub {

inline constexpr const char* kLfsJson = "application/vnd.git-lfs+json";

/// Whether a client of Git LFS asks.
inline bool is_lfs(const http::Request& request) {
    return request.path.find("/info/lfs/") != std::string::npos;
}

} // namespace locara::hub
