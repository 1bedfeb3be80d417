// What the route families share: the parts of the hub that they work with.
#pragma once

#include "access_requests.hpp"
#include "answers.hpp"
#include "buckets.hpp"
#include "collections.hpp"
#include "discussions.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "scopes.hpp"
#include "sessions.hpp"
#include "signer.hpp"
#include "verdict_store.hpp"

#include <locara/cas/cas.hpp>
#include <locara/hub/oauth.hpp>
#include <locara/hub/organizations.hpp>

#include <filesystem>
#include <mutex>
#include <optional>

namespace locara::hub {

class Audit;
class PublishedCatalog;
class Quotas;

struct RepoConfig;

/// Borrowed by every handler; thread-safe.
struct Services {
    std::filesystem::path repos; ///< One bare git repository a folder, see folder_of.
    Names& names;
    Organizations& organizations;
    Scopes& scopes;
    AccessRequests& requests;
    Buckets& buckets;
    Collections& collections;
    Discussions& discussions;
    Sessions& sessions;
    OAuth& oauth;
    Audit& audit;
    Quotas& quotas;
    const VerdictStore& verdicts;
    cas::Backend& backend;
    cas::Cas& cas;
    const Signer& signer;
    const Clock& clock;
    Log& log;
    const RepoConfig& rules;
    PublishedCatalog* published = nullptr; ///< Null where there is no catalog.

    std::filesystem::path folder_of(const Repo& repo) const {
        return repo_folder(repos, repo.internal);
    }
};

/// Makes a file of the chunk store one of the repository's; its SHA-256 is computed from its bytes.
Status own_file(const Services& services, std::int64_t repo, const xet::FileHash& hash);

/// What commits by an account carry; nobody reads mail there.
std::string author_email(const Account& account);

} // namespace locara::hub
