// Xet tokens: what lets a client talk to /cas about one repository.
#include "place.hpp"
#include "pulls.hpp"
#include "quota_check.hpp"
#include "routes.hpp"
#include "xet_links.hpp"
#include "xet_token.hpp"

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

Answer<Response>
give_token(const Services& services, const Request& request, RepoType type, XetRole role) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::See));
    const std::string& revision = request.param("rev");
    if (role == XetRole::Read) {
        LOCARA_CHECK(require(caller, repo, Action::Read));
        LOCARA_CHECK(open_place(services, repo, revision));
    } else if (request.query.flag("create_pr")) {
        LOCARA_CHECK(require(caller, repo, Action::Propose));
    } else {
        // Python asks at the revision "None"; a branch may be about to be made.
        LOCARA_CHECK(require_target(services, caller, repo, revision));
    }
    if (role == XetRole::Write) {
        LOCARA_CHECK(require_room(services, repo));
    }
    return token_answer(services, request, caller, repo, role);
}

} // namespace

XetGrant grant_xet(const Services& services,
                   const Request& request,
                   const Caller& caller,
                   const Repo& repo,
                   XetRole role) {
    const TimePoint expires = services.clock.now() + kXetTokenLife;
    return {cas_url(request),
            services.signer.make_token({repo.key, role, expires, caller ? caller->account.key : 0}),
            std::to_string(expires.time_since_epoch().count())};
}

Response token_answer(const Services& services,
                      const Request& request,
                      const Caller& caller,
                      const Repo& repo,
                      XetRole role) {
    const XetGrant grant = grant_xet(services, request, caller, repo, role);
    Response response = json_answer({{"casUrl", grant.cas_url},
                                     {"accessToken", grant.access_token},
                                     {"exp", std::stoll(grant.expires)}});
    response.headers.add("X-Xet-Cas-Url", grant.cas_url);
    response.headers.add("X-Xet-Access-Token", grant.access_token);
    response.headers.add("X-Xet-Token-Expiration", grant.expires);
    response.headers.add("Cache-Control", "no-store");
    return response;
}

void add_xet_routes(Routes& routes, const Services& services) {
    for_each_type([&](RepoType type, const std::string&) {
        const std::string repo = "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/";
        routes.get(repo + "xet-read-token/{*rev}", [&services, type](const Request& request) {
            return give_token(services, request, type, XetRole::Read);
        });
        routes.get(repo + "xet-write-token/{*rev}", [&services, type](const Request& request) {
            return give_token(services, request, type, XetRole::Write);
        });
    });
}

} // namespace locara::hub
