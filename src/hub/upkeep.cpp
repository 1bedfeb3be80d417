#include "all_repos.hpp"
#include "buckets.hpp"
#include "catalog_files.hpp"
#include "database.hpp"
#include "disk_use.hpp"
#include "git_check.hpp"
#include "git_leftovers.hpp"
#include "git_objects.hpp"
#include "git_packs.hpp"
#include "git_refs.hpp"
#include "layout.hpp"
#include "lfs_parts.hpp"
#include "mirror.hpp"
#include "named_files.hpp"
#include "names.hpp"
#include "operation_routes.hpp"
#include "verdict_store.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/upkeep.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr RepoType kAllTypes[] = {
    RepoType::Model, RepoType::Dataset, RepoType::Space, RepoType::Bucket};

/// Of the chunk store, read between two looks at the clock of whoever waits.
constexpr std::uint64_t kCheckStep = 256U << 20U;

/// What lies directly in a folder, was changed before `limit`, and is of this type (S_IFDIR ...). A
/// folder that is not there holds nothing.
Result<std::vector<fs::path>> old_entries(const fs::path& folder, mode_t type, TimePoint limit) {
    std::vector<fs::path> entries;
    std::error_code error;
    fs::directory_iterator at(folder, error);
    if (error == std::errc::no_such_file_or_directory) {
        return entries;
    }
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        struct stat found {};

        if (::lstat(at->path().c_str(), &found) == 0 && (found.st_mode & S_IFMT) == type &&
            TimePoint(std::chrono::seconds(found.st_mtime)) < limit) {
            entries.push_back(at->path());
        }
    }
    if (error) {
        return Error(ErrorCode::Io, "listing " + folder.string() + ": " + error.message());
    }
    return entries;
}

/// The key of an object of the chunk store (docs/formats/cas.md).
template <class Hash> std::string key_of(const std::string& kind, const Hash& hash) {
    const std::string text = hash.render();
    return kind + text.substr(0, 2) + "/" + text;
}

/// Folders of repositories that are gone, made before `limit`: git's, and the mirror's notes.
Result<std::vector<fs::path>>
unnamed_folders(const fs::path& data, const Names& names, TimePoint limit) {
    LOCARA_TRY(auto folders, old_entries(data / kRepos, S_IFDIR, limit));
    std::erase_if(folders, [](const fs::path& folder) { return folder.extension() != ".git"; });
    LOCARA_TRY(const auto notes, old_entries(data / kMirror, S_IFDIR, limit));
    std::copy_if(
        notes.begin(), notes.end(), std::back_inserter(folders), [](const fs::path& folder) {
            return folder.filename() != kParts && folder.filename() != kAliases;
        });
    // Asked after the folders were listed: a repository's folder comes before its name.
    LOCARA_TRY(const auto known, list_all_repos(names));
    std::erase_if(folders, [&known](const fs::path& folder) {
        return std::any_of(known.begin(), known.end(), [&folder](const Repo& repo) {
            return repo.internal == folder.stem();
        });
    });
    return folders;
}

class Checker {
  public:
    Checker(const fs::path& data,
            std::shared_ptr<Database> database,
            cas::Cas& chunks,
            const CheckOptions& options)
        : data_(data), database_(std::move(database)), names_(database_), buckets_(database_),
          chunks_(chunks), options_(options) {}

    Result<CheckReport> run() {
        LOCARA_TRY(const auto wrong, database_->check());
        for (const std::string& line : wrong) {
            report_.bad.push_back({"database", line});
        }
        LOCARA_CHECK(check_objects());
        LOCARA_TRY(const auto repos, list_all_repos(names_));
        for (const Repo& repo : repos) {
            LOCARA_CHECK(check_stop());
            LOCARA_CHECK(check_repo(repo));
        }
        return std::move(report_);
    }

  private:
    /// Damaged files of a repository: by SHA-256, where they stand in the report.
    using Damaged = std::map<std::string, std::size_t>;

    Status check_stop() const {
        if (options_.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "fsck was stopped");
        }
        return {};
    }

    Status check_objects() {
        cas::FsckOptions step;
        step.budget_bytes = kCheckStep;
        step.on_bad = options_.on_bad;
        step.stop = options_.stop;
        while (true) {
            LOCARA_TRY(auto part, chunks_.fsck(step));
            LOCARA_CHECK(check_stop());
            report_.objects += part.objects;
            report_.bytes += part.bytes;
            for (auto& bad : part.bad) {
                damaged_.emplace(bad.key, bad.reason);
                report_.bad.push_back({std::move(bad.key), std::move(bad.reason)});
            }
            if (options_.progress) {
                options_.progress(report_.bytes);
            }
            if (!part.next) {
                return {};
            }
            step.after = std::move(*part.next);
        }
    }

    /// What is wrong with one repository; nothing if it was removed meanwhile.
    Status check_repo(const Repo& repo) {
        const std::size_t before = report_.bad.size();
        LOCARA_TRY(const auto files, names_.list_files(repo.key));
        Damaged damaged;
        for (const StoredFile& file : files) {
            const Status found = check_file(file);
            if (!found) {
                note(repo, "file sha256:" + file.sha256.render(), found);
                report_.bad.back().file = CheckReport::LargeFile{file.sha256, file.xet, {}};
                damaged.emplace(file.sha256.render(), report_.bad.size() - 1);
            }
        }
        LOCARA_CHECK(find_places(repo, damaged));
        if (repo.origin != Origin::Here) {
            return settle(repo, files.size(), before); // Its git is upstream.
        }
        if (repo.id.type == RepoType::Bucket) {
            LOCARA_CHECK(check_bucket(repo));
            return settle(repo, files.size(), before);
        }
        LOCARA_CHECK(check_git(repo));
        return settle(repo, files.size(), before);
    }

    /// Every path of a bucket is one of its files, of the size that stands there.
    Status check_bucket(const Repo& bucket) {
        return for_each_entry(bucket, [&](const BucketEntry& entry) -> Status {
            LOCARA_TRY(const auto file, names_.find_file(bucket.key, entry.file.xet));
            if (!file || file->size != entry.file.size) {
                note(bucket,
                     entry.file.path,
                     Error(ErrorCode::NotFound,
                           "it is the file " + entry.file.xet.render() + " of " +
                               std::to_string(entry.file.size) +
                               " bytes, which this bucket has not got"));
            }
            return {};
        });
    }

    template <class Take> Status for_each_entry(const Repo& bucket, Take take) const {
        std::string from;
        do {
            LOCARA_TRY(const BucketPage page,
                       buckets_.list(bucket, "", Buckets::Recursive::Yes, from, kBucketPage));
            for (const BucketEntry& entry : page.entries) {
                LOCARA_CHECK(take(entry));
            }
            from = page.next;
        } while (!from.empty());
        return {};
    }

    /// Counts a repository that was looked at; of one removed meanwhile nothing is wrong.
    Status settle(const Repo& repo, std::size_t files, std::size_t before) {
        ++report_.repositories;
        report_.files += files;
        LOCARA_TRY(const auto still, names_.find_repo(repo.key));
        if (!still) {
            report_.bad.resize(before);
        }
        return {};
    }

    /// Adds to damaged files where the repository names them.
    Status find_places(const Repo& repo, const Damaged& damaged) {
        if (damaged.empty() || repo.origin != Origin::Here) {
            return {};
        }
        const auto add = [&](const std::string& sha256, CheckReport::Place place) {
            const auto found = damaged.find(sha256);
            auto* const places =
                found == damaged.end() ? nullptr : &report_.bad[found->second].file->places;
            if (places != nullptr && places->size() < kCheckPlaces) {
                places->push_back(std::move(place));
            }
        };
        if (repo.id.type == RepoType::Bucket) {
            return for_each_entry(repo, [&](const BucketEntry& entry) -> Status {
                LOCARA_TRY(const auto file, names_.find_file(repo.key, entry.file.xet));
                if (file) {
                    add(file->sha256.render(), {"", entry.file.path});
                }
                return {};
            });
        }
        // What of git cannot be read is told by check_git.
        const auto git = GitRepo::open(repo_folder(data_ / kRepos, repo.internal));
        const auto refs = git ? git->refs() : Result<std::vector<GitRef>>(git.error());
        for (const GitRef& ref : refs ? *refs : std::vector<GitRef>()) {
            LOCARA_CHECK(check_stop());
            const auto entries = git->list(ref.commit, "", GitRepo::Recursive::Yes);
            for (const GitEntry& entry : entries ? *entries : std::vector<GitEntry>()) {
                if (entry.lfs) {
                    add(entry.lfs->sha256.render(), {ref.name, entry.path});
                }
            }
        }
        return {};
    }

    Status check_file(const StoredFile& file) const {
        if (const auto bad = damaged_.find(key_of("files/", file.xet)); bad != damaged_.end()) {
            return Error(ErrorCode::Corrupt, bad->first + ": " + bad->second);
        }
        LOCARA_TRY(const auto info, chunks_.file_info(file.xet));
        if (info.size != file.size) {
            return Error(ErrorCode::Corrupt,
                         "it has " + std::to_string(info.size) + " bytes, not " +
                             std::to_string(file.size));
        }
        if (info.sha256 && *info.sha256 != file.sha256) {
            return Error(ErrorCode::Corrupt, "it has sha256:" + info.sha256->render());
        }
        LOCARA_TRY(const auto xorbs, chunks_.xorbs_of(file.xet));
        for (const xet::XorbHash& xorb : xorbs) {
            if (const auto bad = damaged_.find(key_of("xorbs/", xorb)); bad != damaged_.end()) {
                return Error(ErrorCode::Corrupt,
                             "chunks of it are in " + bad->first + ": " + bad->second);
            }
            LOCARA_CHECK(chunks_.xorb_size(xorb)); // It may be gone.
        }
        return {};
    }

    /// Every ref, and all that it leads to.
    Status check_git(const Repo& repo) {
        const fs::path folder = repo_folder(data_ / kRepos, repo.internal);
        auto git = GitCheck::open(folder, [&](const LfsPointer& pointer) -> Result<bool> {
            LOCARA_TRY(const auto known, names_.find_file(repo.key, pointer.sha256));
            return known.has_value();
        });
        const auto refs = git ? read_refs(folder) : Result<std::vector<RefFile>>(git.error());
        if (!refs) {
            note(repo, "git", refs.error());
            return {};
        }
        note(repo, "git", check_head(folder, *refs));
        for (const RefFile& ref : *refs) {
            const Status found = ref.target
                                     ? git->check(*ref.target, options_.stop)
                                     : Status(Error(ErrorCode::Io, "it holds no object's id"));
            LOCARA_CHECK(check_stop());
            note(repo, ref.name, found);
        }
        return {};
    }

    void note(const Repo& repo, const std::string& what, const Status& found) {
        if (!found) {
            report_.bad.push_back({repo.id.render() + " " + what,
                                   found.error().describe(),
                                   std::string(render(repo.id.type)),
                                   repo.id.render(),
                                   repo.origin != Origin::Here,
                                   {}});
        }
    }

    const fs::path& data_;
    const std::shared_ptr<Database> database_;
    const Names names_;
    const Buckets buckets_;
    cas::Cas& chunks_;
    const CheckOptions& options_;
    std::map<std::string, std::string> damaged_; ///< Why, by the keys of objects.
    CheckReport report_;
};

/// Forgets what the gate said, before `limit`, of content that is nowhere any more.
Result<std::uint64_t> forget_verdicts(const fs::path& data,
                                      const VerdictStore& verdicts,
                                      const std::vector<Repo>& repos,
                                      TimePoint limit) {
    LOCARA_TRY(auto gone, verdicts.old_blobs(limit));
    for (const Repo& repo : repos) {
        if (gone.empty() || repo.origin != Origin::Here || repo.id.type == RepoType::Bucket) {
            continue;
        }
        const fs::path folder = repo_folder(data / kRepos, repo.internal);
        const Status listed =
            for_each_object(folder, [&gone](const std::string& oid) { gone.erase(oid); });
        std::error_code error;
        if (!listed && fs::exists(folder, error)) {
            return listed.error(); // Else it was removed just now.
        }
    }
    return verdicts.forget(gone, limit);
}

/// Folders of files that were coming in parts, and that nobody ended since `limit`.
Result<std::vector<fs::path>>
unended_parts(const fs::path& data, const std::vector<Repo>& repos, TimePoint limit) {
    std::vector<fs::path> folders;
    for (const Repo& repo : repos) {
        LOCARA_TRY(
            const auto some,
            old_entries(repo_folder(data / kRepos, repo.internal) / kLfsParts, S_IFDIR, limit));
        folders.insert(folders.end(), some.begin(), some.end());
    }
    return folders;
}

/// Makes one of many packs, in each repository that has them.
Status consolidate(const fs::path& data,
                   const std::vector<Repo>& repos,
                   TimePoint limit,
                   const cas::GcOptions& options,
                   CollectReport& report) {
    // A hub that starts meanwhile must not take a pack that is being made for a leftover.
    LOCARA_TRY(const Fd joined, open_file(data / kJoined, O_RDWR | O_CREAT, 0600));
    if (::flock(joined.get(), LOCK_SH) != 0) {
        return Error::from_errno("joining " + data.string(), errno);
    }
    PackOptions how{limit};
    how.only_look = options.dry_run == cas::GcOptions::DryRun::Yes;
    how.stop = options.stop;
    for (const Repo& repo : repos) {
        std::error_code error;
        const fs::path folder = fs::absolute(repo_folder(data / kRepos, repo.internal), error);
        if (repo.origin != Origin::Here || !fs::exists(folder / "objects/pack", error)) {
            continue;
        }
        auto done = consolidate_packs(folder, how);
        if (!done && !fs::exists(folder, error)) {
            continue; // Removed meanwhile.
        }
        if (!done) {
            return std::move(done).error();
        }
        report.packed += done->packed ? 1 : 0;
        report.removed_packs += done->removed_packs;
        report.freed_bytes += done->freed_bytes;
    }
    return {};
}

/// The files of models whose manifests the catalog has signed.
Result<FileDigests> pinned_files(const fs::path& data) {
    FileDigests pinned;
    const auto catalog = catalog::Repository::load(data / "catalog", data / "keys");
    if (!catalog && catalog.error().code() == ErrorCode::NotFound) {
        return pinned; // There is none yet.
    }
    if (!catalog) {
        return catalog.error();
    }
    for (const catalog::Target& target : catalog->targets()) {
        if (target.role != "models" || fs::path(target.name).extension() != ".json") {
            continue;
        }
        LOCARA_TRY(const std::string text, read_target(data / "catalog", target));
        LOCARA_TRY(const auto model, manifest::ModelManifest::parse(text));
        for (const manifest::Variant& variant : model.variants) {
            for (const manifest::ModelFile& file : variant.files) {
                pinned.insert(file.sha256);
            }
        }
    }
    return pinned;
}

/// Takes out of `files` what the repository names: its histories, or the paths of a bucket.
Status leave_unnamed(const fs::path& data,
                     const Buckets& buckets,
                     const Repo& repo,
                     TimePoint limit,
                     FileDigests& files,
                     const std::stop_token& stop) {
    if (repo.id.type != RepoType::Bucket) {
        return take_out_named(repo_folder(data / kRepos, repo.internal), files, stop);
    }
    LOCARA_TRY(const FileDigests unnamed, buckets.list_unnamed(repo, limit));
    std::erase_if(files, [&](const auto& one) { return !unnamed.contains(one); });
    return {};
}

/// Forgets large files that nothing names and nobody used since `limit`: uploads that were never
/// committed, and what was squashed away. Returns what stays of this repository.
Result<std::vector<StoredFile>> forget_unnamed(const fs::path& data,
                                               Names& names,
                                               const Buckets& buckets,
                                               const Repo& repo,
                                               const FileDigests& pinned,
                                               TimePoint limit,
                                               const cas::GcOptions& options,
                                               CollectReport& report) {
    LOCARA_TRY(auto files, names.list_files(repo.key));
    if (repo.origin != Origin::Here) {
        return files; // The mirror forgets by itself.
    }
    LOCARA_TRY(const auto unused, names.list_unused_files(repo.key, limit));
    FileDigests unnamed;
    for (const StoredFile& file : unused) {
        if (!pinned.contains(file.sha256)) {
            unnamed.insert(file.sha256);
        }
    }
    const Status looked = leave_unnamed(data, buckets, repo, limit, unnamed, options.stop);
    if (!looked && looked.error().code() == ErrorCode::Cancelled) {
        return looked.error();
    }
    if (!looked) {
        LOCARA_TRY(const auto still, names.find_repo(repo.key));
        if (still) { // Not removed just now.
            report.damaged.push_back(
                {std::string(render(repo.id.type)), repo.id.render(), looked.error().describe()});
        }
        return files;
    }
    std::vector<StoredFile> kept;
    for (const StoredFile& file : files) {
        bool gone = unnamed.contains(file.sha256);
        if (gone && options.dry_run == cas::GcOptions::DryRun::No) {
            LOCARA_TRY(gone, names.remove_unused_file(repo.key, file.sha256, limit));
        }
        if (gone) {
            ++report.forgotten_files;
            report.forgotten_bytes += file.size;
        } else {
            kept.push_back(file);
        }
    }
    return kept;
}

/// Of the xorbs that no file was made of, those that are gone or that a file is made of now count
/// no more: the repository that brought them is not why they are here.
Status settle_xorbs(Names& names,
                    const std::vector<xet::XorbHash>& unnamed,
                    const std::set<xet::XorbHash>& still) {
    for (const xet::XorbHash& xorb : unnamed) {
        if (!still.contains(xorb)) {
            LOCARA_CHECK(names.settle_xorb(xorb));
        }
    }
    return {};
}

} // namespace

Result<CollectReport>
collect_garbage(const fs::path& data, const Clock& clock, const cas::GcOptions& options) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    Names names(database);
    const Buckets buckets(database);
    const auto lock = FileLock::try_acquire(data / kGcLock);
    if (!lock) {
        return lock.error().code() == ErrorCode::Busy
                   ? Error(ErrorCode::Busy,
                           "another gc, a backup or the deletion of large files is at work in " +
                               data.string())
                   : lock.error();
    }
    LOCARA_TRY(const auto backend, cas::open_directory(data / kChunks, clock));
    cas::Cas chunks(*backend, {.clock = &clock});

    const TimePoint limit = clock.now() - options.grace;
    LOCARA_TRY(auto leftovers, unnamed_folders(data, names, limit));
    CollectReport report;
    report.removed_folders = leftovers.size();
    // Files that were on their way from upstream, which nobody asked for again.
    LOCARA_TRY(const auto parts, old_entries(data / kMirror / kParts, S_IFREG, limit));
    leftovers.insert(leftovers.end(), parts.begin(), parts.end());
    LOCARA_TRY(const auto repos, list_all_repos(names));
    LOCARA_TRY(const auto unended, unended_parts(data, repos, limit));
    leftovers.insert(leftovers.end(), unended.begin(), unended.end());
    for (const fs::path& folder : leftovers) {
        report.freed_bytes += allocated_bytes(folder);
        if (options.dry_run == cas::GcOptions::DryRun::No) {
            std::error_code error;
            fs::remove_all(folder, error);
            if (error) {
                return Error(ErrorCode::Io, "removing " + folder.string() + ": " + error.message());
            }
        }
    }
    std::set<xet::FileHash> live;
    LOCARA_CHECK(consolidate(data, repos, limit, options, report));
    LOCARA_TRY(const FileDigests pinned, pinned_files(data));
    for (const Repo& repo : repos) {
        LOCARA_TRY(const auto files,
                   forget_unnamed(data, names, buckets, repo, pinned, limit, options, report));
        for (const StoredFile& file : files) {
            live.insert(file.xet);
        }
    }
    LOCARA_TRY(const auto unnamed, names.list_unnamed_xorbs());
    LOCARA_TRY(report.chunks, chunks.gc(live, options));
    report.freed_bytes += report.chunks.freed_bytes;
    if (options.dry_run == cas::GcOptions::DryRun::No) {
        LOCARA_CHECK(settle_xorbs(names, unnamed, report.chunks.young_xorbs));
        LOCARA_TRY(report.removed_verdicts,
                   forget_verdicts(data, VerdictStore(database), repos, limit));
        LOCARA_CHECK(write_last_collection(
            data, {clock.now(), report.freed_bytes, report.chunks.kept_bytes}));
    }
    return report;
}

Result<CheckReport>
check_data(const fs::path& data, const Clock& clock, const CheckOptions& options) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    LOCARA_TRY(const auto backend, cas::open_directory(data / kChunks, clock));
    cas::Cas chunks(*backend, {.clock = &clock});
    return Checker(data, std::move(database), chunks, options).run();
}

Result<HubStatistics> count_data(const fs::path& data) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    HubStatistics counted;
    LOCARA_TRY(const auto tables, database->sizes());
    for (const TableSize& table : tables) {
        counted.accounts += table.table == "accounts" ? table.rows : 0;
        counted.tokens += table.table == "tokens" ? table.rows : 0;
    }
    const Names names(std::move(database));
    for (const RepoType type : kAllTypes) {
        HubStatistics::Repositories some;
        some.type = std::string(render(type));
        LOCARA_TRY(const auto repos, names.list_repos(type));
        for (const Repo& repo : repos) {
            const bool own = repo.origin == Origin::Here;
            some.own += own ? 1 : 0;
            some.mirrored += own ? 0 : 1;
            some.closed += own && repo.visibility == Visibility::Private ? 1 : 0;
            LOCARA_TRY(const auto files, names.list_files(repo.key));
            counted.files += files.size();
            for (const StoredFile& file : files) {
                counted.named_bytes += file.size;
            }
        }
        counted.repositories.push_back(std::move(some));
    }
    counted.git_bytes = allocated_bytes(data / kRepos);
    const fs::path objects = data / kChunks / "objects";
    counted.object_bytes = allocated_bytes(objects);
    std::error_code error;
    for (fs::recursive_directory_iterator at(objects, error), end; !error && at != end;
         at.increment(error)) {
        counted.objects += at->is_regular_file(error) ? 1 : 0;
    }
    return counted;
}

Result<std::vector<MirroredRepo>> list_mirrored(const fs::path& data) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    const Names names(std::move(database));
    LOCARA_TRY(const auto repos, list_all_repos(names));
    LOCARA_TRY(const auto files, names.list_mirrored_files());
    std::vector<MirroredRepo> listed;
    for (const Repo& repo : repos) {
        if (repo.origin == Origin::Here) {
            continue;
        }
        MirroredRepo one;
        one.id = repo.id.render_web();
        one.restricted = repo.visibility == Visibility::Private;
        for (const MirroredFile& file : files) {
            if (file.repo == repo.key) {
                ++one.files;
                one.bytes += file.size;
                one.used = std::max(one.used.value_or(file.used), file.used);
            }
        }
        listed.push_back(std::move(one));
    }
    return listed;
}

Status remove_mirrored(const fs::path& data, const std::string& id) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    Names names(std::move(database));
    LOCARA_TRY(const auto repos, list_all_repos(names));
    for (const Repo& repo : repos) {
        if (repo.origin != Origin::Here && equals_ignoring_case(repo.id.render_web(), id)) {
            return names.remove_repo(repo.key);
        }
    }
    return Error(ErrorCode::NotFound,
                 id + " is not mirrored here; `locara-hub mirror list` says what is");
}

} // namespace locara::hub
