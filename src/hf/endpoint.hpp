// What every request of a Client shares. Private to the module.
#pragma once

#include "answer.hpp"

#include <locara/hf/client.hpp>

namespace locara::hf {

/// Constant after construction; may be used from many threads.
struct Endpoint {
    http::Client& http;
    Options options;
    http::Origin origin; ///< Of options.endpoint: where the token may go.
    Timer& timer;
    Log& log;

    /// A GET of `url`, with the token if and only if it belongs to the URL's origin.
    http::ClientRequest request(const std::string& url) const;

    Asked asked(std::string_view repo, std::string_view revision, std::string_view path) const;

    /// Offline when the network must not be used.
    Status check_online(std::string_view what) const;
};

} // namespace locara::hf
