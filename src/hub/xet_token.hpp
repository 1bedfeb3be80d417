// A Xet token as clients get it, by three ways: the token routes, their headers, the LFS batch.
#pragma once

#include "access.hpp"
#include "services.hpp"

#include <string>

namespace locara::hub {

struct XetGrant {
    std::string cas_url;
    std::string access_token;
    std::string expires; ///< Seconds since 1970.
};

XetGrant grant_xet(const Services& services,
                   const http::Request& request,
                   const Caller& caller,
                   const Repo& repo,
                   XetRole role);

/// A grant as the token routes give it.
http::Response token_answer(const Services& services,
                            const http::Request& request,
                            const Caller& caller,
                            const Repo& repo,
                            XetRole role);

} // namespace locara::hub
