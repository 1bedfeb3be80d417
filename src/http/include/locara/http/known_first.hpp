// KnownFirst: a handler for a server that knows some answers already.
//
// An ordinary handler is watched while it works, so that it can be cancelled when its client
// leaves, and mostly hops to a pool and back. An answer that is in memory needs none of it: given a
// KnownFirst, a server asks `known` first, by itself.
#pragma once

#include <locara/http/message.hpp>

#include <functional>
#include <optional>

namespace locara::http {

struct KnownFirst {
    /// Asked about each request without a body, on an I/O thread, on which other connections wait.
    /// So it must not wait for anything: no lock that is held for long, no other process, no more
    /// of a disk than a look at the name or the first bytes of a file. Nothing: `otherwise` is
    /// asked. The answer is the one that `otherwise` would give.
    std::function<std::optional<Response>(const Request&)> known;

    Handler otherwise;

    /// What a server calls when nothing is known.
    boost::asio::awaitable<Response> operator()(Request request) const {
        return otherwise(std::move(request));
    }
};

} // namespace locara::http
