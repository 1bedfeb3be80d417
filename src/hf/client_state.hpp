// The inside of a Client. Private to the module.
#pragma once

#include "endpoint.hpp"

namespace locara::hf {

struct Client::State {
    Endpoint endpoint;

    Result<http::ClientResponse>
    ask(const http::ClientRequest& request, const Asked& asked, const std::stop_token& stop);
};

} // namespace locara::hf
