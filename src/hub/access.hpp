// Access: who asks, and what they may do. Every door of the hub (API, resolve, git, LFS, Xet
// tokens, submissions) comes here; nowhere else is it decided.
//
// What the caller may not see does not exist: 404 `RepoNotFound`, or 401 with the same code for a
// caller without a token, who may see more with one. 403 is only for what the caller may see.
#pragma once

#include "credentials.hpp"
#include "services.hpp"

#include <locara/hub/organizations.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Who a token stands for, and what it is part of.
struct Identity {
    Account account;
    Token token;
    std::vector<Membership> memberships;
    std::vector<Scope> scopes;          ///< Of a fine-grained token.
    std::vector<std::int64_t> admitted; ///< Gated repositories (Repo::key) whose files it may read.
};

/// Who asks; nobody in particular without a token.
using Caller = std::optional<Identity>;

/// What somebody wants of a repository; each implies those before it.
enum class Action {
    See,     ///< That it is there, its card, which files and revisions it has; its discussions.
    Read,    ///< What is in its files.
    Propose, ///< Discussions, and pull requests of one's own: whoever reads it, by a token to
             ///< write.
    Write,   ///< All changes: files, refs, settings, its name, removing it.
};

/// By `Authorization: Bearer`, or `Basic` with the token as password. A token that is not (or no
/// longer) good is refused with 401, also where none is needed: clients must hear about it.
Answer<Caller> identify(const Services& services, const http::Request& request);

/// Who is signed in, for the hub's pages and the files they show (file_answers.hpp) alone: the API
/// takes no cookies, nobody's other page can use it in his name. A cookie that is over is nobody.
Answer<Caller> identify_session(const Services& services, const http::Request& request);

/// Who looks at a page: by a token if there is one, else who is signed in.
Answer<Caller> identify_visitor(const Services& services, const http::Request& request);

/// Whether the caller may do this to a repository. To what is mirrored nothing: it is found by the
/// mirror's routes, and by its own rules.
bool may(const Caller& caller, const Repo& repo, Action action);

/// The refusal if the caller may not.
Answer<std::monostate> require(const Caller& caller, const Repo& repo, Action action);

/// The namespace as its owner spells it, if the caller may make repositories there: 401 or 403
/// otherwise.
Answer<std::string> require_space(const Caller& caller, std::string_view space);

/// Whether a namespace, or something in it, is within what the token is for.
bool reaches(const Identity& who, std::string_view space);

/// The caller, who must have a token: 401 otherwise.
Answer<Identity> require_known(const Caller& caller);

/// What somebody gets to see of a repository that is not there for him.
Refusal hidden_repo(const Caller& caller);

/// false, "auto" or "manual", as clients know gates.
Json render(Gate gate);

/// The repository of a request (parameters {org} and {repo}), if the caller may do this to it. Its
/// old id leads to the new one: 307. Who has the caller already hands it over; to identify one
/// reads the database.
Answer<Repo> find_repo(const Services& services,
                       const http::Request& request,
                       const Caller& caller,
                       RepoType type,
                       Action action);
Answer<Repo>
find_repo(const Services& services, const http::Request& request, RepoType type, Action action);

/// The same where the name may have ".git" at its end, as git and git-lfs write it.
Answer<Repo> find_git_repo(const Services& services,
                           const http::Request& request,
                           const Caller& caller,
                           RepoType type,
                           Action action);
Answer<Repo>
find_git_repo(const Services& services, const http::Request& request, RepoType type, Action action);

} // namespace locara::hub
