#include "buckets.hpp"
#include "database.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "verdict_store.hpp"

#include <locara/hub/git_repo.hpp>
#include <locara/hub/verdicts.hpp>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// "acme/tiny", "models/acme/tiny", "datasets/acme/notes" ...
Result<RepoId> parse_id(std::string_view text) {
    RepoType of = RepoType::Model;
    std::string_view rest = text;
    for (const RepoType type :
         {RepoType::Model, RepoType::Dataset, RepoType::Space, RepoType::Bucket}) {
        const std::string prefix = std::string(render_plural(type)) + "/";
        if (rest.starts_with(prefix)) {
            of = type;
            rest.remove_prefix(prefix.size());
            break;
        }
    }
    auto id = RepoId::parse(of, rest);
    if (!id) {
        return Error(ErrorCode::InvalidArgument,
                     "found '" + std::string(text) +
                         "', wanted NAMESPACE/NAME, with datasets/, spaces/ or buckets/ in front "
                         "unless it is a model");
    }
    return *std::move(id);
}

Result<std::vector<FileVerdict>> list_git(const GitRepo& git, const std::string& commit) {
    LOCARA_TRY(const auto entries, git.list(commit, "", GitRepo::Recursive::Yes));
    std::vector<FileVerdict> files;
    for (const GitEntry& entry : entries) {
        if (entry.kind == GitEntry::Kind::File) {
            files.push_back({entry.path, entry.size(), content_id(entry), {}});
        }
    }
    return files;
}

Result<std::vector<FileVerdict>>
list_bucket(const Buckets& buckets, const Names& names, const Repo& bucket) {
    std::vector<FileVerdict> files;
    std::string from;
    do {
        LOCARA_TRY(const BucketPage page,
                   buckets.list(bucket, "", Buckets::Recursive::Yes, from, kBucketPage));
        for (const BucketEntry& entry : page.entries) {
            LOCARA_TRY(const auto file, names.find_file(bucket.key, entry.file.xet));
            files.push_back({entry.file.path,
                             entry.file.size,
                             file ? file->sha256.render() : std::string(),
                             {}});
        }
        from = page.next;
    } while (!from.empty());
    return files;
}

} // namespace

Result<RevisionVerdicts>
list_verdicts(const fs::path& data, const std::string& repo_id, const std::string& revision) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    const Names names(database);
    const Buckets buckets(database);
    const VerdictStore verdicts(std::move(database));
    LOCARA_TRY(const RepoId id, parse_id(repo_id));
    LOCARA_TRY(const auto repo, names.find_repo(id));
    if (!repo) {
        return Error(ErrorCode::NotFound, "there is no repository " + repo_id + " here");
    }
    if (repo->origin != Origin::Here) {
        return Error(ErrorCode::Unsupported,
                     repo_id + " is mirrored: what its revisions hold is known upstream");
    }
    RevisionVerdicts out;
    out.repo = std::string(render_plural(repo->id.type)) + "/" + repo->id.render();
    if (repo->id.type == RepoType::Bucket) {
        LOCARA_TRY(out.files, list_bucket(buckets, names, *repo));
    } else {
        LOCARA_TRY(const GitRepo git, GitRepo::open(repo_folder(data / kRepos, repo->internal)));
        LOCARA_TRY(out.commit, git.resolve(revision));
        LOCARA_TRY(out.files, list_git(git, out.commit));
    }
    for (FileVerdict& file : out.files) {
        LOCARA_TRY(file.found, verdicts.find(file.content, name_of(file.path)));
    }
    return out;
}

} // namespace locara::hub
