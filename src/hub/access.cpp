#include "access.hpp"

#include "audit_record.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

Refusal bad_token() {
    return {401, "", "Invalid credentials in Authorization header"};
}

/// What the caller is in a namespace, and the namespace as its owner spells it. Its own account is
/// its to administer.
struct Standing {
    OrgRole role = OrgRole::NoAccess;
    std::string space;
};

Standing standing_in(const Identity& who, std::string_view space) {
    if (equals_ignoring_case(who.account.name, space)) {
        return {OrgRole::Admin, who.account.name};
    }
    for (const Membership& membership : who.memberships) {
        if (equals_ignoring_case(membership.organization.name, space)) {
            return {membership.role, membership.organization.name};
        }
    }
    return {};
}

/// What a token must be for writing for, also where its account may do no more than talk.
bool changes(Action action) {
    return action == Action::Propose || action == Action::Write;
}

/// Whether a fine-grained token is for this.
bool in_scope(const Identity& who, const Repo& repo, Action action) {
    return std::any_of(who.scopes.begin(), who.scopes.end(), [&](const Scope& scope) {
        const bool named = scope.kind == Scope::Kind::Repo
                               ? scope.key == repo.key
                               : equals_ignoring_case(scope.name, repo.id.space);
        return named && (!changes(action) || scope.permission == Permission::Write);
    });
}

/// What a role allows in a namespace; a contributor more in what it made.
bool allows(OrgRole role, Action action) {
    switch (role) {
    case OrgRole::Admin:
    case OrgRole::Write:
        return true;
    case OrgRole::Contributor:
    case OrgRole::Read:
        return action != Action::Write;
    case OrgRole::NoAccess:
        return false;
    }
    return false;
}

/// The same address with the id that the repository has now. Without a host: the Python client
/// takes a redirect of HEAD that has one for the end of its way.
std::string moved_address(const http::Request& request, const RepoId& from, const RepoId& to) {
    std::vector<std::string> parts;
    for (std::size_t begin = 1; begin <= request.path.size();) {
        const std::size_t end = std::min(request.path.find('/', begin), request.path.size());
        parts.push_back(request.path.substr(begin, end - begin));
        begin = end + 1;
    }
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const std::string end = parts[i + 1] == from.name + ".git" ? ".git" : "";
        if (parts[i] == from.space && parts[i + 1] == from.name + end) {
            parts[i] = to.space;
            parts[i + 1] = to.name + end;
            break;
        }
    }
    std::string address;
    for (const std::string& part : parts) {
        address += "/" + part;
    }
    return address + request.target.substr(std::min(request.path.size(), request.target.size()));
}

/// 307: the method and the body stay as they are.
Refusal moved_to(const http::Request& request, const RepoId& from, const RepoId& to) {
    Refusal refusal(307, "", "this repository is " + to.render() + " now");
    refusal.headers.add("Location", moved_address(request, from, to));
    return refusal;
}

Refusal refuse_change(const Identity& who, const std::string& what) {
    switch (who.token.role) {
    case TokenRole::Read:
        return {403, "", "this token may only read"};
    case TokenRole::Write:
        break;
    case TokenRole::FineGrained:
        return {403, "", "this token, or user " + who.account.name + ", may not " + what};
    }
    return {403, "", "user " + who.account.name + " may not " + what};
}

/// Who may see a gated repository, but not read its files.
Refusal refuse_reading(const Caller& caller, const Repo& repo) {
    const std::string what = "Access to " + std::string(render(repo.id.type)) + " " +
                             repo.id.render() + " is restricted";
    if (!caller) {
        Refusal refusal(401,
                        "GatedRepo",
                        what + ". You must have access to it and be authenticated to access it. "
                               "Please log in.");
        refusal.headers.add("WWW-Authenticate", "Basic realm=\"locara-hub\"");
        return refusal;
    }
    return {403,
            "GatedRepo",
            what + " and you are not in the authorized list. Ask for access by a POST to " +
                repo.id.render_web() + "/ask-access"};
}

/// Whom a token of this digest stands for, if it is good.
Answer<Caller> find_caller(const Services& services, const crypto::Sha256Digest& digest) {
    LOCARA_TRY(auto found, services.names.find_token(digest, services.clock.now()));
    if (!found) {
        return Caller();
    }
    LOCARA_TRY(auto memberships, services.organizations.memberships(found->account.key));
    std::vector<Scope> scopes;
    if (found->token.role == TokenRole::FineGrained) {
        LOCARA_TRY(scopes, services.scopes.list(found->token.id));
    }
    LOCARA_TRY(auto admitted, services.requests.admitted(found->account.key, services.clock.now()));
    return Caller(Identity{std::move(found->account),
                           std::move(found->token),
                           std::move(memberships),
                           std::move(scopes),
                           std::move(admitted)});
}

} // namespace

Answer<Caller> identify(const Services& services, const http::Request& request) {
    const auto token = credentials(request);
    if (!token) {
        return Caller();
    }
    LOCARA_TRY(auto caller, find_caller(services, crypto::sha256(as_bytes(*token))));
    if (!caller) {
        return bad_token();
    }
    request.notes->user = caller->account.name;
    record_sign_in(services, request, caller->token);
    return caller;
}

Answer<Caller> identify_session(const Services& services, const http::Request& request) {
    const auto cookie = session_cookie(request);
    if (!cookie) {
        return Caller();
    }
    LOCARA_TRY(const auto token, services.sessions.find(*cookie, services.clock.now()));
    if (!token) {
        return Caller();
    }
    LOCARA_TRY(auto caller, find_caller(services, *token));
    if (caller) {
        request.notes->user = caller->account.name;
    }
    return caller;
}

Answer<Caller> identify_visitor(const Services& services, const http::Request& request) {
    return credentials(request) ? identify(services, request) : identify_session(services, request);
}

bool may(const Caller& caller, const Repo& repo, Action action) {
    if (repo.origin != Origin::Here) {
        return false;
    }
    const bool shown = repo.visibility == Visibility::Public;
    if (shown && (action == Action::See || (action == Action::Read && repo.gate == Gate::Open))) {
        return true;
    }
    if (!caller || (changes(action) && caller->token.role == TokenRole::Read) ||
        (caller->token.role == TokenRole::FineGrained && !in_scope(*caller, repo, action))) {
        return false;
    }
    const OrgRole role = standing_in(*caller, repo.id.space).role;
    const bool made = role == OrgRole::Contributor && repo.maker == caller->account.key;
    if (made || allows(role, action)) {
        return true;
    }
    const auto& admitted = caller->admitted;
    const bool reads = repo.gate == Gate::Open ||
                       std::find(admitted.begin(), admitted.end(), repo.key) != admitted.end();
    return shown && action != Action::Write && reads;
}

Answer<std::monostate> require(const Caller& caller, const Repo& repo, Action action) {
    if (!may(caller, repo, Action::See)) {
        return hidden_repo(caller);
    }
    if (may(caller, repo, action)) {
        return std::monostate();
    }
    if (action == Action::Read || (action == Action::Propose && !may(caller, repo, Action::Read))) {
        return refuse_reading(caller, repo);
    }
    LOCARA_TRY(const Identity who, require_known(caller));
    return refuse_change(who,
                         (action == Action::Write ? "write to " : "take part in discussions of ") +
                             repo.id.render());
}

bool reaches(const Identity& who, std::string_view space) {
    const auto names = [&space](const Scope& scope) {
        return equals_ignoring_case(std::string_view(scope.name).substr(0, scope.name.find('/')),
                                    space);
    };
    return who.token.role != TokenRole::FineGrained ||
           std::any_of(who.scopes.begin(), who.scopes.end(), names);
}

Answer<Identity> require_known(const Caller& caller) {
    if (!caller) {
        Refusal refusal(401, "", "a token is needed for this: Authorization: Bearer hf_...");
        refusal.headers.add("WWW-Authenticate", "Basic realm=\"locara-hub\"");
        return refusal;
    }
    return *caller;
}

Answer<std::string> require_space(const Caller& caller, std::string_view space) {
    LOCARA_TRY(const Identity who, require_known(caller));
    Standing standing = standing_in(who, space);
    const bool makes =
        standing.role == OrgRole::Contributor || allows(standing.role, Action::Write);
    const auto covers = [&space](const Scope& scope) {
        return scope.kind == Scope::Kind::Space && scope.permission == Permission::Write &&
               equals_ignoring_case(scope.name, space);
    };
    const bool covered = who.token.role == TokenRole::Write ||
                         (who.token.role == TokenRole::FineGrained &&
                          std::any_of(who.scopes.begin(), who.scopes.end(), covers));
    if (!makes || !covered) {
        return refuse_change(who, "make anything in " + std::string(space));
    }
    return std::move(standing.space);
}

Json render(Gate gate) {
    switch (gate) {
    case Gate::Open:
        return false;
    case Gate::Automatic:
        return "auto";
    case Gate::Manual:
        return "manual";
    }
    return false;
}

Refusal hidden_repo(const Caller& caller) {
    Refusal refusal = no_such_repo();
    refusal.status = caller ? 404 : 401;
    return refusal;
}

Answer<Repo> find_repo(const Services& services,
                       const http::Request& request,
                       const Caller& caller,
                       RepoType type,
                       Action action) {
    const RepoId id{type, request.param("org"), request.param("repo")};
    if (!is_repo_part(id.space) || !is_repo_part(id.name)) {
        return hidden_repo(caller);
    }
    LOCARA_TRY(auto repo, services.names.find_repo(id));
    if (!repo) {
        LOCARA_TRY(const auto moved, services.names.find_moved_repo(id));
        if (!moved) {
            return hidden_repo(caller);
        }
        LOCARA_CHECK(require(caller, *moved, Action::See));
        return moved_to(request, id, moved->id);
    }
    LOCARA_CHECK(require(caller, *repo, action));
    return std::move(*repo);
}

Answer<Repo>
find_repo(const Services& services, const http::Request& request, RepoType type, Action action) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    return find_repo(services, request, caller, type, action);
}

Answer<Repo> find_git_repo(const Services& services,
                           const http::Request& request,
                           const Caller& caller,
                           RepoType type,
                           Action action) {
    constexpr std::string_view kEnd = ".git";
    http::Request named = request;
    std::string& name = named.params["repo"];
    if (name.size() > kEnd.size() && name.substr(name.size() - kEnd.size()) == kEnd) {
        name.resize(name.size() - kEnd.size());
    }
    return find_repo(services, named, caller, type, action);
}

Answer<Repo> find_git_repo(const Services& services,
                           const http::Request& request,
                           RepoType type,
                           Action action) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    return find_git_repo(services, request, caller, type, action);
}

} // namespace locara::hub
