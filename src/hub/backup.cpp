#include "all_repos.hpp"
#include "database.hpp"
#include "database_choice_file.hpp"
#include "git_journal.hpp"
#include "layout.hpp"
#include "lfs_parts.hpp"
#include "names.hpp"
#include "tree_copy.hpp"

#include <locara/base/json.hpp>
#include <locara/cas/backend.hpp>
#include <locara/hub/backup.hpp>
#include <locara/hub/database_choice.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/reviews.hpp>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNote = "backup.json";
constexpr const char* kSchema = "locara-hub.backup/1";
constexpr std::size_t kNoteBytes = 4096;
/// Beside a copy that is not whole yet, which may be removed by the next try.
constexpr const char* kMarker = "unfinished-copy";
/// A repository whose refs move all the time is copied as it is, with its journal.
constexpr int kTries = 20;

/// A folder that appears under its name once it is whole. Until then it is `copy` in the folder
/// `<name>.unfinished`, beside the marker.
class NewFolder {
  public:
    /// Conflict when something is there, or something else where the copy is made.
    static Result<NewFolder> create(const fs::path& place) {
        NewFolder made(fs::absolute(place));
        std::error_code error;
        if (fs::exists(made.place_, error) && !fs::is_empty(made.place_, error)) {
            return Error(ErrorCode::Conflict,
                         made.place_.string() + " is there already; give a folder that is not");
        }
        if (fs::exists(made.around_, error)) {
            if (!fs::exists(made.around_ / kMarker, error) && !fs::is_empty(made.around_, error)) {
                return Error(ErrorCode::Conflict,
                             made.around_.string() +
                                 " is in the way, and no copy that was cut off");
            }
            LOCARA_CHECK(made.clear());
        }
        // The marker is inside before the name is there.
        LOCARA_TRY(TempFolder folder,
                   TempFolder::create(made.around_.parent_path(), ".locara-copy-"));
        LOCARA_CHECK(write_file_atomically(folder.path() / kMarker, {}));
        LOCARA_CHECK(rename_file(folder.path(), made.around_, Replace::No));
        LOCARA_CHECK(create_folders(made.path(), 0700));
        return made;
    }

    fs::path path() const { return around_ / "copy"; }

    Status finish() const {
        LOCARA_TRY(const Fd folder, open_file(path(), O_RDONLY | O_DIRECTORY));
        // One call in place of one for each file.
        if (::syncfs(folder.get()) != 0) {
            return Error::from_errno("writing " + path().string() + " to the disk", errno);
        }
        std::error_code error;
        fs::remove(place_, error); // An empty folder.
        LOCARA_CHECK(rename_file(path(), place_, Replace::No));
        LOCARA_CHECK(sync_folder(place_.parent_path()));
        return clear();
    }

  private:
    explicit NewFolder(fs::path place)
        : place_(place.has_filename() ? std::move(place) : place.parent_path()),
          around_(place_.string() + ".unfinished") {}

    /// Removes what is not finished; the marker last.
    Status clear() const {
        std::error_code error;
        fs::remove_all(path(), error);
        if (!error) {
            fs::remove_all(around_, error);
        }
        return error ? Status(Error(ErrorCode::Io,
                                    "removing " + around_.string() + ": " + error.message()))
                     : Status();
    }

    fs::path place_;
    fs::path around_;
};

/// Where refs are, and whether several are being moved; empty if that cannot be read.
std::string describe_refs(const fs::path& repository) {
    std::string text;
    const auto git = GitRepo::open(repository);
    const auto refs = git ? git->refs() : Result<std::vector<GitRef>>(git.error());
    if (refs) {
        for (const GitRef& ref : *refs) {
            text += ref.name + " " + ref.object + "\n";
        }
    }
    const auto journals = list_journals(repository);
    return text + (journals && !journals->empty() ? "moving" : "");
}

/// Refs first, then objects: what a ref names was there before the ref.
Status copy_repository(TreeCopy& copy, const fs::path& from, const fs::path& to) {
    for (int tries = 1;; ++tries) {
        const std::string before = describe_refs(from);
        LOCARA_CHECK(copy.folder(from, to, TreeCopy::How::Copy, [](const fs::path& path) {
            return *path.begin() != "objects" && *path.begin() != kLfsParts &&
                   path.extension() != ".lock";
        }));
        if (tries == kTries || (before == describe_refs(from) && !before.ends_with("moving"))) {
            break;
        }
        std::error_code error;
        fs::remove_all(to, error);
    }
    return copy.folder(
        from / "objects", to / "objects", TreeCopy::How::MayLink, [](const fs::path& path) {
            return !path.filename().string().starts_with("tmp_");
        });
}

/// Mirrored repositories and buckets have no folder of git's.
bool has_git(const Repo& repo) {
    return repo.origin == Origin::Here && repo.id.type != RepoType::Bucket;
}

/// Those that have their names by now: one that is just being made has no branch yet, and is left
/// out with its name.
Status
copy_repositories(TreeCopy& copy, const Names& names, const fs::path& from, const fs::path& to) {
    LOCARA_CHECK(create_folders(to));
    LOCARA_TRY(const auto repos, list_all_repos(names));
    for (const Repo& repo : repos) {
        const fs::path folder = repo_folder(from, repo.internal);
        std::error_code error;
        if (has_git(repo) && fs::exists(folder, error)) {
            LOCARA_CHECK(copy_repository(copy, folder, to / folder.filename()));
        }
    }
    return {};
}

/// The names, as a SQLite file, without repositories that were made after the folders were copied.
Status copy_names(Database& from, const fs::path& to, BackupReport& report) {
    LOCARA_TRY(const auto copied, Database::open(to / kNamesFile));
    LOCARA_CHECK(from.copy_to(*copied));
    Names names(copied);
    LOCARA_TRY(const auto repos, list_all_repos(names));
    for (const Repo& repo : repos) {
        std::error_code error;
        if (has_git(repo) && !fs::exists(repo_folder(to / kRepos, repo.internal), error)) {
            LOCARA_CHECK(names.remove_repo(repo.key));
        } else {
            ++report.repositories;
        }
    }
    return {};
}

/// Refuses a copy into what is copied, which would grow while it is read.
Status require_apart(const fs::path& from, const fs::path& to) {
    std::error_code error;
    const fs::path outer = fs::weakly_canonical(fs::absolute(from), error) / "";
    const fs::path inner = fs::weakly_canonical(fs::absolute(to), error) / "";
    if (std::mismatch(outer.begin(), --outer.end(), inner.begin(), inner.end()).first ==
        --outer.end()) {
        return Error(ErrorCode::InvalidArgument,
                     to.string() + " lies in " + from.string() +
                         ", which is to be copied; give a folder beside it");
    }
    return {};
}

/// Counts the names among the files, as the copy of the copy does.
void count_names(const fs::path& file, BackupReport& report) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    report.files += error ? 0 : 1;
    report.bytes += error ? 0 : size;
}

/// No step is half a line in the copy, or has a report that is not there.
Status copy_reviews(TreeCopy& copy, const fs::path& data, const fs::path& to) {
    LOCARA_TRY(const FileLock nobody_writes, lock_reviews(data));
    LOCARA_CHECK(copy.file(data / "reviews.jsonl", to / "reviews.jsonl", TreeCopy::How::Copy));
    return copy.folder(data / "reviews", to / "reviews", TreeCopy::How::Copy, take_all);
}

/// What else is in a data folder and is not made by itself.
Status copy_rest(TreeCopy& copy, const fs::path& data, const fs::path& to) {
    using How = TreeCopy::How;
    // The first file that clients read: what it leads to was there before it, and stays.
    const fs::path first = fs::path("metadata") / "timestamp.json";
    LOCARA_CHECK(create_folders(to / "catalog" / "metadata"));
    LOCARA_CHECK(copy.file(data / "catalog" / first, to / "catalog" / first, How::Copy));
    LOCARA_CHECK(
        copy.folder(data / "catalog", to / "catalog", How::Copy, [&first](const fs::path& path) {
            return path != first;
        }));
    LOCARA_CHECK(copy.folder(data / "keys", to / "keys", How::Copy, take_all));
    for (const char* const file : {kXetKey, "root.json", "seed.json", "hub.toml"}) {
        LOCARA_CHECK(copy.file(data / file, to / file, How::Copy));
    }
    LOCARA_CHECK(copy_reviews(copy, data, to));
    return copy.folder(data / kMirror, to / kMirror, How::Copy, [](const fs::path& path) {
        return path != kParts; // Files on their way begin anew.
    });
}

} // namespace

Result<BackupReport> back_up(const fs::path& data,
                             const fs::path& to,
                             const Clock& clock,
                             const BackupOptions& options) {
    LOCARA_TRY(const auto database, Database::open_in(data, Database::IfMissing::Fail));
    LOCARA_CHECK(require_apart(data, to));
    // No content goes meanwhile.
    const auto lock = FileLock::try_acquire(data / kGcLock);
    if (!lock) {
        return lock.error().code() == ErrorCode::Busy
                   ? Error(ErrorCode::Busy,
                           "gc, a backup or the deletion of large files is at work in " +
                               data.string())
                   : lock.error();
    }
    LOCARA_TRY(const NewFolder folder, NewFolder::create(to));
    TreeCopy copy(options);
    // Each after what refers to it: refs, then which large files are whose, then their content.
    LOCARA_CHECK(copy_repositories(copy, Names(database), data / kRepos, folder.path() / kRepos));
    LOCARA_CHECK(copy_names(*database, folder.path(), copy.report()));
    count_names(folder.path() / kNamesFile, copy.report());
    // Opened, so that what a killed gc was about to remove is back in its place.
    LOCARA_CHECK(cas::open_directory(data / kChunks, clock));
    LOCARA_CHECK(copy.folder(data / kChunks / "objects",
                             folder.path() / kChunks / "objects",
                             TreeCopy::How::MayLink,
                             take_all));
    LOCARA_CHECK(copy_rest(copy, data, folder.path()));
    const Json note = {{"schema", kSchema}, {"created", render_time(clock.now())}};
    LOCARA_CHECK(write_file_atomically(folder.path() / kNote, as_bytes(render_json(note))));
    LOCARA_CHECK(folder.finish());
    return copy.report();
}

Result<BackupReport> restore(const fs::path& from,
                             const fs::path& data,
                             const std::string& database,
                             const BackupOptions& options) {
    const auto note = read_file(from / kNote, kNoteBytes);
    if (!note || note->find(kSchema) == std::string::npos) {
        return Error(ErrorCode::NotFound,
                     from.string() + " is no whole backup of a hub (it has no " + kNote + " of " +
                         kSchema + ")");
    }
    LOCARA_CHECK(require_apart(from, data));
    LOCARA_TRY(const NewFolder folder, NewFolder::create(data));
    TreeCopy copy(options);
    for (const char* const part : {kChunks, kRepos}) {
        LOCARA_CHECK(
            copy.folder(from / part, folder.path() / part, TreeCopy::How::MayLink, take_all));
    }
    LOCARA_CHECK(copy.folder(from, folder.path(), TreeCopy::How::Copy, [](const fs::path& path) {
        return path != kChunks && path != kRepos && path != kNote;
    }));
    {
        LOCARA_TRY(const auto names, Database::open(folder.path() / kNamesFile));
        // What is made of a backup is another hub: both may be there side by side.
        LOCARA_CHECK(names->with([](soci::session& sql) -> Status {
            sql << "DELETE FROM hub";
            return {};
        }));
        LOCARA_TRY(const auto sizes, names->sizes());
        for (const TableSize& table : sizes) {
            copy.report().repositories += table.table == "repos" ? table.rows : 0;
        }
        if (!database.empty()) {
            LOCARA_TRY(const auto other, Database::connect(database));
            LOCARA_CHECK(names->copy_to(*other));
            LOCARA_CHECK(pair_with(folder.path(), *other));
        }
    }
    if (!database.empty()) {
        std::error_code error;
        for (const char* const end : {"", "-wal", "-shm"}) {
            fs::remove(folder.path() / (std::string(kNamesFile) + end), error);
        }
        LOCARA_CHECK(choose_database(folder.path(), database));
    }
    LOCARA_CHECK(folder.finish());
    return copy.report();
}

} // namespace locara::hub
