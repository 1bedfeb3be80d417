#include "services.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
    if (header.size() <= scheme.size() ||
        !http::equals_ignoring_case(header.substr(0, scheme.size()), scheme) ||
        header[scheme.size()] != ' ') {
        return std::nullopt;
    }
    return header.substr(scheme.size() + 1);
}

Refusal bad_token() {
    return {401, "", "Invalid credentials in Authorization header"};
}

Refusal hidden_repo(const Caller& caller) {
    Refusal refusal = no_such_repo();
    refusal.status = caller ? 404 : 401;
    return refusal;
}

} // namespace

std::optional<std::string> credentials(const http::Request& request) {
    const auto header = request.headers.find("Authorization");
    if (!header) {
        return std::nullopt;
    }
    if (const auto token = after_scheme(*header, "Bearer")) {
        return std::string(*token);
    }
    if (const auto encoded = after_scheme(*header, "Basic")) {
        const auto plain = parse_base64(*encoded);
        const std::string text(plain ? as_text(*plain) : std::string_view());
        const std::size_t colon = text.find(':');
        return colon == std::string::npos ? "" : text.substr(colon + 1);
    }
    return "";
}

Answer<Caller> identify(const Services& services, const http::Request& request) {
    const auto token = credentials(request);
    if (!token) {
        return Caller();
    }
    const auto digest = crypto::sha256(as_bytes(*token));
    LOCARA_TRY(auto found, services.names.find_token(digest, services.clock.now()));
    if (!found) {
        return bad_token();
    }
    return Caller(std::move(found));
}

bool may_read(const Caller& caller, const Repo& repo) {
    return repo.visibility == Visibility::Public ||
           (caller && http::equals_ignoring_case(caller->account.name, repo.id.space));
}

bool may_write(const Caller& caller, std::string_view space) {
    return caller && caller->token.role == TokenRole::Write &&
           http::equals_ignoring_case(caller->account.name, space);
}

Answer<Identity> require_writer(const Caller& caller, std::string_view space) {
    if (!caller) {
        Refusal refusal(401, "", "a token is needed for this: Authorization: Bearer hf_...");
        refusal.headers.add("WWW-Authenticate", "Basic realm=\"locara-hub\"");
        return refusal;
    }
    if (!may_write(caller, space)) {
        const bool reader = caller->token.role == TokenRole::Read;
        return Refusal(403,
                       "",
                       reader ? "this token may only read"
                              : "user " + caller->account.name + " may not write to " +
                                    std::string(space));
    }
    return *caller;
}

namespace {

/// The same address with the id that the repository has now.
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
    std::string address = endpoint(request);
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

} // namespace

Answer<Repo>
find_repo(const Services& services, const http::Request& request, RepoType type, Access access) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    const RepoId id{type, request.param("org"), request.param("repo")};
    if (!is_repo_part(id.space) || !is_repo_part(id.name)) {
        return hidden_repo(caller);
    }
    LOCARA_TRY(auto repo, services.names.find_repo(id));
    if (!repo) {
        LOCARA_TRY(const auto moved, services.names.find_moved_repo(id));
        if (moved && may_read(caller, *moved)) {
            return moved_to(request, id, moved->id);
        }
    }
    // What is mirrored is found by the mirror's routes, and by its own rules.
    if (!repo || repo->origin != Origin::Here || !may_read(caller, *repo)) {
        return hidden_repo(caller);
    }
    if (access == Access::Write) {
        LOCARA_CHECK(require_writer(caller, repo->id.space));
    }
    return std::move(*repo);
}

Answer<Repo> find_git_repo(const Services& services,
                           const http::Request& request,
                           RepoType type,
                           Access access) {
    constexpr std::string_view kEnd = ".git";
    http::Request named = request;
    std::string& name = named.params["repo"];
    if (name.size() > kEnd.size() && name.substr(name.size() - kEnd.size()) == kEnd) {
        name.resize(name.size() - kEnd.size());
    }
    return find_repo(services, named, type, access);
}

Status own_file(const Services& services, std::int64_t repo, const xet::FileHash& hash) {
    LOCARA_TRY(const auto sha256, services.cas.verify_sha256(hash));
    LOCARA_TRY(const auto info, services.cas.file_info(hash));
    LOCARA_TRY(const auto xorbs, services.cas.xorbs_of(hash));
    for (const xet::XorbHash& xorb : xorbs) {
        LOCARA_CHECK(services.names.add_xorb(repo, xorb));
    }
    return services.names.add_file(repo, {sha256, hash, info.size});
}

std::string author_email(const Account& account) {
    return account.name + "@users.noreply.locara.dev";
}

} // namespace locara::hub
