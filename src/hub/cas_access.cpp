#include "cas_access.hpp"

#include "access.hpp"
#include "content_gate.hpp"

namespace locara::hub {

Answer<XetClaims>
require_xet(const Services& services, const http::Request& request, XetRole needed) {
    const std::string token = credentials(request).value_or("");
    LOCARA_TRY(const XetClaims claims, services.signer.parse_token(token, services.clock.now()));
    if (needed == XetRole::Write && claims.role != XetRole::Write) {
        return Refusal(403, "", "this Xet token may only read");
    }
    LOCARA_TRY(const auto repo, services.names.find_repo(claims.repo));
    if (!repo) {
        return Refusal(401, "", "the repository of this Xet token is gone");
    }
    return claims;
}

Answer<StoredFile>
require_file(const Services& services, const XetClaims& claims, std::string_view text) {
    LOCARA_TRY(const auto hash, parse_path_hash<xet::FileHash>(text));
    LOCARA_TRY(const auto file, services.names.find_file(claims.repo, hash));
    if (!file) {
        return Refusal(404, "", "there is no such file");
    }
    LOCARA_CHECK(check_named(services, file->sha256.render()));
    LOCARA_CHECK(check_served(services, claims.repo, file->sha256.render()));
    return *file;
}

cas::MayUse may_use(const Services& services, const XetClaims& claims) {
    return [&services, repo = claims.repo](const xet::XorbHash& xorb) {
        const auto allowed = services.names.may_use_xorb(repo, xorb);
        if (!allowed) {
            services.log.error("hub", "names_failed", {{"error", allowed.error().describe()}});
        }
        return allowed && *allowed;
    };
}

Refusal refuse_upload(const Error& error) {
    switch (error.code()) {
    case ErrorCode::NotFound:
    case ErrorCode::Forbidden:
        return bad_request("the shard names a xorb that was not uploaded; send its xorbs first");
    case ErrorCode::Corrupt:
    case ErrorCode::Conflict:
        return bad_request(error.describe());
    default:
        return error;
    }
}

} // namespace locara::hub
