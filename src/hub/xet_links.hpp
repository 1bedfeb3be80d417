// Where a Xet client finds the way to a file of a repository.
#pragma once

#include "names.hpp"

#include <locara/http/message.hpp>

#include <string>

namespace locara::hub {

/// "http://host/cas": what every path of the CAS API is appended to.
std::string cas_url(const http::Request& request);

/// The URL that gives a read (or write) token for a repository at a revision, if it
/// has any.
std::string xet_token_url(const http::Request& request,
                          const Repo& repo,
                          std::string_view kind,
                          std::string_view revision);

/// The v1 form, which clients turn into /v2/ by themselves.
std::string reconstruction_url(const http::Request& request, const xet::FileHash& file);

} // namespace locara::hub
