// Who asks at /cas, and what of the chunk store belongs to whom.
#pragma once

#include "services.hpp"

#include <locara/cas/cas.hpp>

namespace locara::hub {

/// The claims of a request's Xet token: 401 without a good one or when its repository is gone, 403
/// when writing is needed and it only reads.
Answer<XetClaims>
require_xet(const Services& services, const http::Request& request, XetRole needed);

/// The file of a path parameter {file}, if it belongs to the token's repository; 404 otherwise,
/// whether it is elsewhere or nowhere.
Answer<StoredFile>
require_file(const Services& services, const XetClaims& claims, std::string_view hash);

/// What the store asks before it lets somebody refer to a xorb: only what the repository itself or
/// a public one brought. Borrows the services.
cas::MayUse may_use(const Services& services, const XetClaims& claims);

/// A hash in a path; 400 when it is none.
template <class Hash> Answer<Hash> parse_path_hash(std::string_view text) {
    auto hash = Hash::parse(text);
    if (!hash) {
        return bad_request("found '" + std::string(text) + "', a hash has 64 hex digits");
    }
    return *hash;
}

/// What is wrong with an upload is the uploader's: 400 with the reason. What a stranger could learn
/// about others' xorbs from the difference, he does not: "not here" and "not yours" read the same.
Refusal refuse_upload(const Error& error);

} // namespace locara::hub
