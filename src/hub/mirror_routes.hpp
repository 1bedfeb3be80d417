// The routes of repositories that are another hub's, in front of those of this hub's own.
//
// The same paths; a request about a repository of our own, or about anything else, goes to the
// routes behind. What is here is answered on one pool; what upstream has to be asked for on
// another, so that a slow upstream keeps nobody waiting but those who ask for it. Content that is
// on its way is sent while it arrives, without holding a thread.
#pragma once

#include "mirror.hpp"
#include "warm_files.hpp"

#include <locara/http/server.hpp>

#include <array>
#include <string_view>

namespace locara::hub {

/// All borrowed, for as long as requests come.
struct MirrorDoor {
    Mirror& mirror;
    const Services& services;
    WarmFiles& warm;
    const http::Router& behind;
    http::BlockingPool& here;
    http::BlockingPool& upstream;
};

/// "/api/models/gpt2/refs" may be a call about gpt2 or the description of a repository gpt2/refs:
/// it is the latter where that is to be had, else the former.
inline constexpr std::array<std::string_view, 2> kCallsWithoutRevision = {"auth-check", "refs"};

/// `door` is borrowed too.
void add_mirror_routes(http::Router& router, const MirrorDoor& door);

/// The routes of ids without a namespace ("gpt2"), behind those: what upstream says they stand for
/// is where a redirect leads. `door` is borrowed too.
void add_alias_routes(http::Router& router, const MirrorDoor& door);

} // namespace locara::hub
