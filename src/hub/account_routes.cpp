// Who am I, who is who, and what clients ask on their own account.
#include "all_repos.hpp"
#include "audit_record.hpp"
#include "disk_use.hpp"
#include "list_page.hpp"
#include "place.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>
#include <locara/hub/repositories.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kRevokeLimit = 1000;

Json render_user(const Account& account) {
    return {{"_id", account.id},
            {"user", account.name},
            {"fullname", account.full_name},
            {"avatarUrl", kAvatar},
            {"isPro", false},
            {"type", "user"}};
}

Json render_organization(const Account& organization) {
    return {{"type", "org"},
            {"id", organization.id},
            {"name", organization.name},
            {"fullname", organization.full_name},
            {"avatarUrl", kAvatar}};
}

/// A fine-grained token's scopes, in the Hub's words.
Json render_scopes(const std::vector<Scope>& scopes) {
    Json list = Json::array();
    for (const Scope& scope : scopes) {
        Json permissions = {"repo.content.read"};
        if (scope.permission == Permission::Write) {
            permissions.push_back("repo.write");
            permissions.push_back("discussion.write");
        }
        list.push_back({{"entity", {{"_id", scope.id}, {"name", scope.name}, {"type", scope.type}}},
                        {"permissions", std::move(permissions)}});
    }
    return {{"scoped", std::move(list)}, {"global", Json::array()}, {"canReadGatedRepos", false}};
}

Answer<Response> whoami(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    const Account& account = who.account;
    const Token& token = who.token;
    const bool fine = token.role == TokenRole::FineGrained;
    Json shown_token = {{"displayName", token.name},
                        {"role", fine ? "fineGrained" : render(token.role)},
                        {"createdAt", render_date(token.created)}};
    if (fine) {
        shown_token["fineGrained"] = render_scopes(who.scopes);
    }
    Json auth = {{"type", "access_token"}, {"accessToken", std::move(shown_token)}};
    if (token.expires) {
        auth["expiresAt"] = render_date(*token.expires);
    }
    Json orgs = Json::array();
    for (const Membership& membership : who.memberships) {
        if (!reaches(who, membership.organization.name)) {
            continue;
        }
        Json shown = render_organization(membership.organization);
        shown["roleInOrg"] = render(membership.role);
        orgs.push_back(std::move(shown));
    }
    const bool known = !account.email.empty();
    return json_answer({{"type", "user"},
                        {"id", account.id},
                        {"name", account.name},
                        {"fullname", account.full_name},
                        {"email", known ? account.email : author_email(account)},
                        {"emailVerified", known},
                        {"canPay", false},
                        {"isPro", false},
                        {"periodEnd", nullptr},
                        {"billingMode", "postpaid"},
                        {"avatarUrl", avatar_of(account)},
                        {"orgs", std::move(orgs)},
                        {"auth", std::move(auth)}});
}

/// How many repositories of a namespace the caller may see, as overviews tell it.
Answer<Json> count_repos(const Services& services, const Caller& caller, const std::string& space) {
    Json counts = Json::object();
    for (const auto& [type, key] : {std::pair(RepoType::Model, "numModels"),
                                    std::pair(RepoType::Dataset, "numDatasets"),
                                    std::pair(RepoType::Space, "numSpaces")}) {
        LOCARA_TRY(const auto repos, services.names.list_repos(type));
        counts[key] = std::count_if(repos.begin(), repos.end(), [&](const Repo& repo) {
            return equals_ignoring_case(repo.id.space, space) && may(caller, repo, Action::See);
        });
    }
    return counts;
}

/// Who belongs to what is for people of this hub only.
Answer<Response> user_overview(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const auto account, services.names.find_account(request.param("user")));
    if (!account) {
        return Refusal(404, "", "there is no such user");
    }
    LOCARA_TRY(Json json, count_repos(services, caller, account->name));
    json.update(render_user(*account));
    json["isFollowing"] = false;
    json["orgs"] = Json::array();
    if (caller) {
        LOCARA_TRY(const auto memberships, services.organizations.memberships(account->key));
        for (const Membership& membership : memberships) {
            if (!reaches(*caller, membership.organization.name)) {
                continue;
            }
            json["orgs"].push_back(render_organization(membership.organization));
        }
    }
    return json_answer(json);
}

Answer<Account> find_organization(const Services& services, const Request& request) {
    LOCARA_TRY(auto found, services.organizations.find(request.param("org")));
    if (!found) {
        return Refusal(404, "", "there is no such organization");
    }
    return std::move(*found);
}

Answer<Response> organization_overview(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Account organization, find_organization(services, request));
    LOCARA_TRY(Json json, count_repos(services, caller, organization.name));
    LOCARA_TRY(const auto members, services.organizations.members(organization.key));
    json.update(render_organization(organization));
    json["_id"] = organization.id;
    json["numUsers"] = members.size();
    json["isVerified"] = false;
    json["isFollowing"] = false;
    return json_answer(json);
}

Answer<Response> organization_members(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    LOCARA_TRY(const Account organization, find_organization(services, request));
    if (!reaches(who, organization.name)) {
        return Refusal(403, "", "this token is not for " + organization.name);
    }
    LOCARA_TRY(const auto members, services.organizations.members(organization.key));
    LOCARA_TRY(const ListPage part, page_of(request, members.size(), kPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        Json shown = render_user(members[i].account);
        shown["role"] = render(members[i].role);
        page.push_back(std::move(shown));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

/// When content last came; when it was made, if none did.
Answer<TimePoint> last_change(const Services& services, const Repo& repo) {
    if (repo.id.type == RepoType::Bucket) {
        LOCARA_TRY(const BucketTotals totals, services.buckets.totals(repo));
        return totals.uploaded.value_or(repo.created);
    }
    auto place = open_place(services, repo, "main");
    if (!place) {
        return repo.created; // it has no such branch
    }
    LOCARA_TRY(const GitCommit commit, place->git.commit(place->commit));
    return commit.date;
}

/// What each repository of a namespace stores: its large files and its git folder.
Answer<Response>
list_storage(const Services& services, const Caller& caller, const std::string& space) {
    LOCARA_TRY(const auto repos, list_all_repos(services.names));
    Json list = Json::array();
    double total = 0;
    for (const Repo& repo : repos) {
        if (!equals_ignoring_case(repo.id.space, space) || !may(caller, repo, Action::See)) {
            continue;
        }
        LOCARA_TRY(const auto files, services.names.list_files(repo.key));
        std::uint64_t bytes = allocated_bytes(services.folder_of(repo));
        for (const StoredFile& file : files) {
            bytes += file.size;
        }
        LOCARA_TRY(const TimePoint updated, last_change(services, repo));
        list.push_back({{"id", repo.id.render()},
                        {"type", render(repo.id.type)},
                        {"updatedAt", render_date(updated)},
                        {"visibility", render(repo.visibility)},
                        {"storage", bytes}});
        total += static_cast<double>(bytes);
    }
    for (Json& one : list) {
        one["storagePercent"] = total > 0 ? 100 * one["storage"].get<double>() / total : 0;
    }
    return json_answer(list);
}

Answer<Response> own_storage(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    return list_storage(services, caller, who.account.name);
}

/// For its members.
Answer<Response> organization_storage(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    LOCARA_TRY(const Account organization, find_organization(services, request));
    const bool belongs = std::any_of(
        who.memberships.begin(), who.memberships.end(), [&](const Membership& membership) {
            return membership.organization.key == organization.key &&
                   membership.role != OrgRole::NoAccess;
        });
    if (!belongs || !reaches(who, organization.name)) {
        return Refusal(403, "", "what " + organization.name + " stores is for its members");
    }
    return list_storage(services, caller, organization.name);
}

/// Whoever has a token's text may end it, without a token of his own too: tokens that leaked are
/// reported so. Which of them were tokens is not told.
Answer<Response> revoke(const Services& services, const Request& request) {
    LOCARA_TRY(const Json body, parse_object(request));
    const auto credentials = body.find("credentials");
    if (credentials == body.end() || !credentials->is_array() ||
        credentials->size() > kRevokeLimit) {
        return Refusal(
            422, "", "send credentials: a list of at most " + std::to_string(kRevokeLimit));
    }
    for (const Json& one : *credentials) {
        if (!one.is_string()) {
            return Refusal(422, "", "every element of credentials must be a text");
        }
        const auto digest = crypto::sha256(as_bytes(one.get_ref<const std::string&>()));
        LOCARA_TRY(const auto found, services.names.find_token(digest, services.clock.now()));
        if (found) {
            const Status removed = services.names.remove_token(found->token.id);
            if (!removed && removed.error().code() != ErrorCode::NotFound) {
                return removed.error(); // Else somebody else was quicker.
            }
            services.log.info(
                "hub", "token_revoked", {{"token", found->token.id}, {"of", found->account.name}});
            record(services,
                   request,
                   "token-revoked",
                   {{"token", found->token.id}, {"user", found->account.name}});
        }
    }
    Response response = json_answer(Json::object());
    response.status = 202;
    return response;
}

} // namespace

void add_account_routes(Routes& routes, const Services& services) {
    const auto bind = [&services](Answer<Response> (*handle)(const Services&, const Request&)) {
        return [&services, handle](const Request& request) { return handle(services, request); };
    };
    routes.get("/api/whoami-v2", bind(&whoami));
    routes.post("/api/credentials/revoke", bind(&revoke));
    routes.get("/api/users/{user}/overview", bind(&user_overview));
    routes.get("/api/organizations/{org}/overview", bind(&organization_overview));
    routes.get("/api/organizations/{org}/members", bind(&organization_members));
    routes.get("/api/settings/repositories", bind(&own_storage));
    routes.get("/api/organizations/{org}/settings/repositories", bind(&organization_storage));
    // What the Python client asks for on its own account; any object will do.
    const auto empty = [](const Request&) -> Answer<Response> {
        return json_answer(Json::object());
    };
    routes.get("/api/agent-harnesses", empty);
    routes.get("/api/telemetry/{*topic}", empty);
}

} // namespace locara::hub
