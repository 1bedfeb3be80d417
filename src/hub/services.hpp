// What the route families share: the parts of the hub that they work with, and who is asking.
#pragma once

#include "answers.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "signer.hpp"

#include <locara/cas/cas.hpp>

#include <filesystem>
#include <mutex>
#include <optional>

namespace locara::hub {

/// Borrowed by every handler; thread-safe.
struct Services {
    std::filesystem::path repos; ///< One bare git repository a folder, see folder_of.
    Names& names;
    cas::Backend& backend;
    cas::Cas& cas;
    const Signer& signer;
    const Clock& clock;
    Log& log;

    std::filesystem::path folder_of(const Repo& repo) const {
        return repo_folder(repos, repo.internal);
    }
};

/// Who asks; nobody in particular without a token.
using Caller = std::optional<Identity>;

/// By `Authorization: Bearer`, or `Basic` with the token as password. A token that is not (or no
/// longer) good is refused with 401, also where none is needed: clients must hear about it.
Answer<Caller> identify(const Services& services, const http::Request& request);

/// Whether the caller may see a repository, or change what is in a namespace. Only the owner of a
/// namespace may; a token with role read changes nothing.
bool may_read(const Caller& caller, const Repo& repo);
bool may_write(const Caller& caller, std::string_view space);

/// The caller must be known, and may write in this namespace: 401 or 403 otherwise.
Answer<Identity> require_writer(const Caller& caller, std::string_view space);

enum class Access { Read, Write };

/// The repository of a request (parameters {org} and {repo}), if the caller has this access to it.
/// What the caller may not see does not exist: 404, or 401 for a caller without a token.
Answer<Repo>
find_repo(const Services& services, const http::Request& request, RepoType type, Access access);

/// The same where the name may have ".git" at its end, as git and git-lfs write it.
Answer<Repo>
find_git_repo(const Services& services, const http::Request& request, RepoType type, Access access);

/// Makes a file of the chunk store one of the repository's; its SHA-256 is computed from its bytes.
Status own_file(const Services& services, std::int64_t repo, const xet::FileHash& hash);

/// What commits by an account carry; nobody reads mail there.
std::string author_email(const Account& account);

/// The token of a Basic or Bearer header; nothing without either.
std::optional<std::string> credentials(const http::Request& request);

} // namespace locara::hub
