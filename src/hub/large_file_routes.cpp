// The large files of a repository as such, wherever its history names them: docs/hub.md, "Large
// files".
#include "audit_record.hpp"
#include "given.hpp"
#include "history_rewrite.hpp"
#include "list_page.hpp"
#include "named_files.hpp"
#include "place.hpp"
#include "quota_check.hpp"
#include "ref_name.hpp"
#include "routes.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <chrono>
#include <map>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
using http::Request;
using http::Response;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kDuplicateLimit = 1000;
constexpr std::size_t kRemoveLimit = 1000;
/// Each time that somebody else moved a ref meanwhile, the history is written again.
constexpr int kRewriteTries = 3;
/// How long a deletion waits for a gc, a backup or another deletion.
constexpr std::chrono::seconds kLockWait{5};

// ---------------------------------------------------------------------------------------- listing

/// Where a branch or tag names a large file at its tip.
struct Named {
    std::string path;
    std::string ref;
    TimePoint date; ///< Of the commit there.
};

Result<std::map<std::string, Named>> find_named(const GitRepo& git) {
    std::map<std::string, Named> found; // By SHA-256.
    LOCARA_TRY(const auto refs, git.refs());
    for (const GitRef& ref : refs) {
        LOCARA_TRY(const GitCommit commit, git.commit(ref.commit));
        LOCARA_TRY(const auto entries, git.list(ref.commit, "", GitRepo::Recursive::Yes));
        for (const GitEntry& entry : entries) {
            if (entry.lfs) {
                found.try_emplace(entry.lfs->sha256.render(),
                                  Named{entry.path, ref.name, commit.date});
            }
        }
    }
    return found;
}

Answer<Response> list(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::Read));
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    LOCARA_TRY(const auto named, find_named(git));
    LOCARA_TRY(auto files, services.names.list_files(repo.key));
    std::sort(files.begin(), files.end(), [](const StoredFile& a, const StoredFile& b) {
        return a.sha256.bytes < b.sha256.bytes;
    });
    LOCARA_TRY(const ListPage part, page_of(request, files.size(), kPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        const std::string oid = files[i].sha256.render();
        const auto at = named.find(oid);
        Json file = {
            {"fileOid", oid},
            {"oid", oid},
            {"size", files[i].size},
            {"xetHash", files[i].xet.render()},
            {"filename", at == named.end() ? "" : at->second.path},
            {"pushedAt", render_date(at == named.end() ? files[i].used : at->second.date)}};
        if (at != named.end()) {
            file["ref"] = at->second.ref;
        }
        page.push_back(std::move(file));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

/// What a folder or a file takes, as its repository names it: the same content twice counts twice.
Answer<Response> tree_size(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    LOCARA_TRY(const auto at, place.git.find(place.commit, place.path));
    if (!at) {
        return no_such_entry(place.commit);
    }
    std::uint64_t size = at->kind == GitEntry::Kind::File ? at->size() : 0;
    if (at->kind == GitEntry::Kind::Directory) {
        LOCARA_TRY(const auto entries,
                   place.git.list(place.commit, place.path, GitRepo::Recursive::Yes));
        for (const GitEntry& entry : entries) {
            size += entry.size();
        }
    }
    return json_answer({{"path", place.path}, {"size", size}});
}

// ---------------------------------------------------------------------------------------- copying

/// The repository that files are to be known to, if the caller may write there.
Answer<Repo> find_target(const Services& services, const Caller& caller, const Json& body) {
    const auto target = body.find("target");
    const Json empty = Json::object();
    const Json& named = target == body.end() ? empty : *target;
    const auto type = parse_repo_type(text_at(named, "type").value_or(""));
    const std::string name = text_at(named, "name").value_or("");
    const auto id = type ? RepoId::parse(*type, name) : std::nullopt;
    if (!id) {
        return bad_request("target has a type (model, dataset, space, bucket) and a name");
    }
    LOCARA_TRY(auto repo, services.names.find_repo(*id));
    if (!repo) {
        return hidden_repo(caller);
    }
    LOCARA_CHECK(require(caller, *repo, Action::Write));
    return std::move(*repo);
}

/// Makes a file of `source` one of the target's too. What is wrong with it, if it cannot be.
Answer<std::optional<std::string>> duplicate_one(const Services& services,
                                                 const Repo& source,
                                                 const Repo& target,
                                                 const std::string& oid) {
    const auto sha256 = crypto::Sha256Digest::parse(oid);
    if (!sha256) {
        return std::optional<std::string>("is no SHA-256");
    }
    LOCARA_TRY(const auto file, services.names.find_file(source.key, *sha256));
    if (!file || !services.cas.touch(file->xet)) {
        return std::optional<std::string>("is no file of " + source.id.render());
    }
    LOCARA_TRY(const auto known, services.names.find_file(target.key, *sha256));
    if (!known) {
        LOCARA_CHECK(require_room(services, target, file->size));
    }
    LOCARA_CHECK(own_file(services, target.key, file->xet));
    return std::optional<std::string>();
}

/// Large files of this repository become another one's, so that a commit there may name them: no
/// byte is sent, and only who may read them here can do it.
Answer<Response> duplicate(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo source, find_repo(services, request, caller, type, Action::Read));
    LOCARA_CHECK(require_known(caller));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const Repo target, find_target(services, caller, body));
    const auto files = body.find("files");
    if (files == body.end() || !files->is_array() || files->size() > kDuplicateLimit) {
        return bad_request("files is a list of at most " + std::to_string(kDuplicateLimit));
    }
    Json failed = Json::array();
    for (const Json& file : *files) {
        const std::string oid = text_at(file, "sha256").value_or("");
        LOCARA_TRY(const auto fault, duplicate_one(services, source, target, oid));
        if (fault) {
            failed.push_back({{"sha256", oid}, {"error", *fault}});
        }
    }
    Response response = json_answer({{"success", failed.empty()},
                                     {"processed", files->size()},
                                     {"succeeded", files->size() - failed.size()},
                                     {"failed", failed}});
    response.status = failed.empty() ? 200 : 207;
    return response;
}

// --------------------------------------------------------------------------------------- deleting

/// Whether the histories are to be written anew without the files.
enum class RewriteHistory { No, Yes };

/// Writes the histories of a repository without some files, all refs at once. Whether a ref moved.
Answer<bool> rewrite_history(const Services& services, const Repo& repo, const FileDigests& files) {
    const fs::path folder = services.folder_of(repo);
    LOCARA_TRY(GitRepo git, GitRepo::open(folder));
    for (int tries = 1;; ++tries) {
        LOCARA_TRY(auto moves, rewrite_without(folder, files, {}));
        if (moves.empty()) {
            return false;
        }
        const Status moved = git.move_refs(moves, [] { return Status(); });
        if (moved) {
            return true;
        }
        if (moved.error().code() != ErrorCode::Conflict || tries == kRewriteTries) {
            return moved.error();
        }
    }
}

/// What a catalog has pinned stays: who has that catalog may ask for it.
Answer<std::monostate>
check_unpinned(const Services& services, const Repo& repo, const FileDigests& files) {
    FileDigests unpinned = files;
    LOCARA_CHECK(take_out_named(services.folder_of(repo), unpinned, {}, kPins));
    for (const crypto::Sha256Digest& oid : files) {
        if (!unpinned.contains(oid)) {
            return Refusal(409,
                           "",
                           "this hub's catalog has pinned a model to a commit that names " +
                               oid.render() + ", and what was pinned stays. Nothing was deleted");
        }
    }
    return std::monostate();
}

/// Keeps backups and gc away: a backup that copied a ref before its history was written anew would
/// lack the files that it names.
Answer<FileLock> keep_backups_away(const Services& services) {
    const auto until = std::chrono::steady_clock::now() + kLockWait;
    auto lock = FileLock::acquire(services.repos.parent_path() / kGcLock,
                                  [until] { return std::chrono::steady_clock::now() >= until; });
    if (lock) {
        return std::move(*lock);
    }
    if (lock.error().code() != ErrorCode::Cancelled) {
        return std::move(lock).error();
    }
    Refusal later(503,
                  "",
                  "a backup or gc is at work on this hub, and needs large files to stay as they "
                  "are; nothing was deleted, try again when it has ended");
    later.headers.add("Retry-After", "60");
    return later;
}

/// Takes large files from a repository for good, and from its histories if so told.
Answer<Response> remove_files(const Services& services,
                              const Request& request,
                              RepoType type,
                              const FileDigests& files,
                              RewriteHistory rewrite) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::Write));
    for (const crypto::Sha256Digest& oid : files) {
        LOCARA_TRY(const auto file, services.names.find_file(repo.key, oid));
        if (!file) {
            return Refusal(404,
                           "EntryNotFound",
                           oid.render() + " is no large file of " + repo.id.render() +
                               "; nothing was deleted");
        }
    }
    LOCARA_TRY(const FileLock lock, keep_backups_away(services));
    bool rewritten = false;
    if (rewrite == RewriteHistory::Yes) {
        LOCARA_CHECK(check_unpinned(services, repo, files));
        LOCARA_TRY(rewritten, rewrite_history(services, repo, files));
    }
    const std::string count = std::to_string(files.size());
    if (rewritten) {
        record(services, request, "history-rewritten", repo, {{"files", count}});
    }
    FileDigests unnamed = files;
    LOCARA_CHECK(take_out_named(services.folder_of(repo), unnamed, {}));
    if (unnamed.size() != files.size()) {
        return Refusal(409,
                       "",
                       rewritten ? "the history was written without these files, and somebody "
                                   "named some of them again meanwhile; no file was deleted, ask "
                                   "again"
                                 : "the history names some of these files; send rewriteHistory: "
                                   "true to have it written without them. Nothing was deleted");
    }
    for (const crypto::Sha256Digest& oid : files) {
        LOCARA_CHECK(services.names.remove_unused_file(repo.key, oid, TimePoint::max()));
    }
    record(services,
           request,
           "files-deleted",
           repo,
           {{"files", count}, {"rewritten", rewritten ? "yes" : "no"}});
    return json_answer({{"deleted", files.size()}, {"historyRewritten", rewritten}});
}

Answer<Response> remove_many(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Json body, parse_object(request));
    const auto deletions = body.find("deletions");
    const Json none = Json::object();
    const Json& wanted = deletions == body.end() ? none : *deletions;
    LOCARA_TRY(const auto rewrite, given_truth(wanted, "rewriteHistory"));
    const auto list = wanted.find("sha");
    if (list == wanted.end() || !list->is_array() || list->empty() || list->size() > kRemoveLimit) {
        return bad_request("deletions has sha, a list of 1 to " + std::to_string(kRemoveLimit) +
                           " SHA-256, and rewriteHistory");
    }
    FileDigests files;
    for (const Json& one : *list) {
        const auto oid = crypto::Sha256Digest::parse(one.is_string() ? one.get<std::string>() : "");
        if (!oid) {
            return bad_request("each sha has 64 hex digits: the fileOid of lfs-files");
        }
        files.insert(*oid);
    }
    return remove_files(services,
                        request,
                        type,
                        files,
                        rewrite.value_or(false) ? RewriteHistory::Yes : RewriteHistory::No);
}

Answer<Response> remove_one(const Services& services, const Request& request, RepoType type) {
    const auto oid = crypto::Sha256Digest::parse(request.param("sha"));
    if (!oid) {
        return bad_request("a large file is named by its SHA-256, 64 hex digits");
    }
    return remove_files(services,
                        request,
                        type,
                        {*oid},
                        request.query.flag("rewriteHistory") ? RewriteHistory::Yes
                                                             : RewriteHistory::No);
}

} // namespace

void add_large_file_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    const auto bind = [&services](RepoType type, Handle handle) {
        return [&services, type, handle](const Request& request) {
            return handle(services, request, type);
        };
    };
    const auto here = [](RepoType type) {
        return "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/";
    };
    for_each_type([&](RepoType type, const std::string& /*prefix*/) {
        routes.get(here(type) + "lfs-files", bind(type, &list));
        routes.post(here(type) + "lfs-files/batch", bind(type, &remove_many));
        routes.add("DELETE", here(type) + "lfs-files/{sha}", bind(type, &remove_one));
        routes.post(here(type) + "lfs-files/duplicate", bind(type, &duplicate));
        routes.get(here(type) + "treesize/{*rev}", bind(type, &tree_size));
    });
    routes.post(here(RepoType::Bucket) + "lfs-files/duplicate", bind(RepoType::Bucket, &duplicate));
}

} // namespace locara::hub
