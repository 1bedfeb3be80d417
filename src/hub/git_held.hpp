// What git must not give away: files of a repository that were let in and are refused by now.
//
// git gives away whole histories, and any object to who knows its id. So a fetch is answered if
// nothing that it asks for leads to such a file, in whatever commit; else not at all.
#pragma once

#include "services.hpp"

#include <locara/http/server.hpp>

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// The refused blobs that are objects of the repository, whatever leads to them. Blocks.
Result<RefusedBlobs> find_held(const Services& services, const Repo& repo);

/// A refused blob and how it is called in some commit; nothing where it was asked for by its id.
struct HeldFile {
    std::string blob;
    std::string path;
};

/// The first of `held`, by a name that is refused, that one of the objects `wants` leads to, as git
/// finds out in `repository` (an absolute path). Starts git, and blocks on `pool` for that only.
/// NotFound if not all of them are there; Timeout, Unavailable, Io.
boost::asio::awaitable<Result<std::optional<HeldFile>>>
find_held_file(http::BlockingPool& pool,
               std::filesystem::path repository,
               std::vector<std::string> wants,
               RefusedBlobs held);

} // namespace locara::hub
