// The route families of a hub, one file each, and what registers them.
#pragma once

#include "access.hpp"
#include "answers.hpp"
#include "avatar.hpp"
#include "web_page.hpp"

#include <locara/http/server.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Fills a router with handlers that run on a pool. Uploads, whose checks may take minutes, have
/// one of their own, so that they keep nobody else waiting. Borrows everything.
/// What blocks has its turn with its like, so that the long keep nobody waiting who is quick.
struct Pools {
    http::BlockingPool& answers; ///< Of the API and of pages.
    http::BlockingPool& uploads;
    http::BlockingPool& fetches;  ///< By git.
    http::BlockingPool& compares; ///< Diffs, merges, and whole discussions.
};

class Routes {
  public:
    Routes(http::Router& router, const Pools& pools, Log& log)
        : router_(router), pools_(pools), log_(log) {}

    void get(std::string_view pattern, SyncHandler handler) {
        add("GET", pattern, std::move(handler));
    }

    void post(std::string_view pattern, SyncHandler handler) {
        add("POST", pattern, std::move(handler));
    }

    void add(std::string_view method, std::string_view pattern, SyncHandler handler);

    /// The same for one that takes as long as an upload, and has its turn among those.
    void add_long(std::string_view method, std::string_view pattern, SyncHandler handler);

    /// The same for one that compares files or renders much: a second or more of work for one
    /// answer.
    void add_compare(std::string_view method, std::string_view pattern, SyncHandler handler);

    /// A route whose handler reads the body, of at most `limit` bytes, as it arrives.
    void add_streamed(std::string_view method,
                      std::string_view pattern,
                      std::uint64_t limit,
                      StreamHandler handler);

    /// Where stream handlers do what blocks.
    const Pools& pools() const { return pools_; }

  private:
    void add_on(http::BlockingPool& pool,
                std::string_view method,
                std::string_view pattern,
                SyncHandler handler);

    http::Router& router_;
    const Pools pools_;
    Log& log_;
};

/// `/catalog/metadata/...` and `/catalog/targets/...` from the tree of a catalog writer, but for
/// bundles that the gate refuses by now.
void add_catalog_routes(Routes& routes,
                        const Services& services,
                        const std::filesystem::path& tree);

/// whoami and what clients ask on their own account.
void add_account_routes(Routes& routes, const Services& services);

/// Signing in and out at the hub's pages.
void add_session_routes(Routes& routes, const Services& services);

/// How programs get tokens (oauth.hpp): the pages where people say yes, and what programs call.
void add_oauth_routes(Routes& routes, const Services& services);

/// The pages of a repository, for people.
void add_repo_pages(Routes& routes, const Services& services);

/// Content: resolve and raw, of every type.
void add_file_routes(Routes& routes, const Services& services);

/// Models by tag, as ollama asks for them (oci.hpp).
void add_oci_routes(Routes& routes, const Services& services);

/// What there is: lists, info, trees, paths, refs.
void add_repo_routes(Routes& routes, const Services& services);

/// Branches, tags, histories.
void add_ref_routes(Routes& routes, const Services& services);

/// Making, moving, changing and removing repositories.
void add_admin_routes(Routes& routes, const Services& services);

/// Who may read the files of gated repositories: asking, deciding, reporting.
void add_gate_routes(Routes& routes, const Services& services);

/// Buckets, from making them to what is in them.
void add_bucket_routes(Routes& routes, const Services& services);

/// Collections and their items.
void add_collection_routes(Routes& routes, const Services& services);

/// Discussions and pull requests of repositories.
void add_discussion_routes(Routes& routes, const Services& services);

/// preupload and commit.
void add_commit_routes(Routes& routes, const Services& services);

/// A repository's large files as such: what there is, and giving them to another one.
void add_large_file_routes(Routes& routes, const Services& services);

/// The Git LFS batch call.
void add_lfs_routes(Routes& routes, const Services& services);

/// Clone, fetch and push, as git speaks them over HTTP.
void add_git_routes(Routes& routes, const Services& services);

/// Xet tokens.
void add_xet_routes(Routes& routes, const Services& services);

/// Everything below `/cas`: what a Xet client asks; and, each in its own file, what it uploads and
/// the bytes that signed URLs open.
void add_cas_routes(Routes& routes, const Services& services);
void add_cas_upload_routes(Routes& routes, const Services& services);
void add_cas_data_routes(Routes& routes, const Services& services);

/// Apps on their way into the catalog: /api/spaces/{org}/{repo}/submissions, and all of them for
/// the members of the organization `curators` at /api/review/ (HubConfig::curators).
void add_review_routes(Routes& routes,
                       const Services& services,
                       const std::filesystem::path& data,
                       const std::string& curators);

/// "/datasets/ana/notes": where a repository's pages are.
std::string page_of(const Repo& repo);

/// Calls `add` with the type and its web prefix ("/", "/datasets/", "/spaces/").
template <class Add> void for_each_type(Add add) {
    for (const RepoType type : {RepoType::Model, RepoType::Dataset, RepoType::Space}) {
        add(type, "/" + std::string(web_prefix(type)));
    }
}

/// Where the revision stands in a web path ("/{org}/{repo}/resolve/{rev}/...") and in an API path.
constexpr std::size_t web_revision_at(RepoType type) {
    return type == RepoType::Model ? 3 : 4;
}

inline constexpr std::size_t kApiRevisionAt = 5;

} // namespace locara::hub
