// Objects as files. docs/formats/cas.md says what holds when a process is killed.
#include <locara/cas/backend.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <mutex>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::cas {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kReadOnly = 0444;
constexpr char kSlash = '+'; ///< In names below gone/ for the '/' of a key, which has no '+'.
constexpr int kAttempts = 16;
constexpr std::size_t kFoldersKept = 4096;

struct FileFacts {
    std::uint64_t size = 0;
    TimePoint touched;
};

/// Nothing if there is no regular file at the path.
Result<std::optional<FileFacts>> facts_of(const fs::path& path) {
    struct stat info {};

    if (::lstat(path.c_str(), &info) != 0) {
        const int saved = errno;
        if (saved == ENOENT || saved == ENOTDIR) {
            return std::optional<FileFacts>();
        }
        return Error::from_errno("cannot stat " + path.string(), saved);
    }
    if (!S_ISREG(info.st_mode)) {
        return std::optional<FileFacts>();
    }
    return std::optional(FileFacts{static_cast<std::uint64_t>(info.st_size),
                                   TimePoint(std::chrono::seconds(info.st_mtim.tv_sec))});
}

Result<TimePoint> time_of(const Fd& fd, const fs::path& path) {
    struct stat info {};

    if (::fstat(fd.get(), &info) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot stat " + path.string(), saved);
    }
    return TimePoint(std::chrono::seconds(info.st_mtim.tv_sec));
}

Status set_time(const fs::path& path, TimePoint time) {
    const std::array<timespec, 2> times{
        timespec{0, UTIME_OMIT}, timespec{static_cast<time_t>(time.time_since_epoch().count()), 0}};
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot set the time of " + path.string(), saved);
    }
    return {};
}

/// Whether the name still leads to the open file.
bool still_at(const Fd& fd, const fs::path& path) {
    struct stat open_info {};

    struct stat named_info {};

    return ::fstat(fd.get(), &open_info) == 0 && ::lstat(path.c_str(), &named_info) == 0 &&
           open_info.st_ino == named_info.st_ino && open_info.st_dev == named_info.st_dev;
}

bool lock_now(const Fd& fd) {
    return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

/// Calls `take` with each file of the folder that no process has locked: those lost theirs.
Status each_stale(const fs::path& folder, const std::function<Status(const fs::path&)>& take) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const auto fd = open_file(it->path(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (fd && lock_now(*fd) && still_at(*fd, it->path())) {
            LOCARA_CHECK(take(it->path()));
        }
    }
    return {};
}

class Directory : public Backend {
  public:
    Directory(fs::path root, const Clock& clock) : root_(std::move(root)), clock_(&clock) {}

    Status open_root() {
        LOCARA_CHECK(create_folders(tmp()));
        LOCARA_CHECK(create_folders(gone()));
        LOCARA_CHECK(each_stale(tmp(), [](const fs::path& file) {
            ::unlink(file.c_str());
            return Status();
        }));
        // It may have been touched before it was taken away; if not, the next gc takes it again.
        return each_stale(gone(), [this](const fs::path& aside) {
            std::string name = aside.filename().string();
            std::replace(name.begin(), name.end(), kSlash, '/');
            const auto key = Key::parse(name);
            return key ? put_back(aside, path_of(*key)) : Status();
        });
    }

    Result<Staged> stage() override {
        while (true) {
            std::string path = (tmp() / "put-XXXXXX").string();
            Fd fd(::mkostemp(path.data(), O_CLOEXEC));
            if (!fd.valid()) {
                const int saved = errno;
                return Error::from_errno("cannot create a file in " + tmp().string(), saved);
            }
            // A process that starts up may take it for a stale one between the two calls.
            if (lock_now(fd) && still_at(fd, path)) {
                return Staged(std::move(fd), path);
            }
        }
    }

    Result<Put> put_if_absent(const Key& key, Staged staged) override {
        const fs::path path = path_of(key);
        if (::fchmod(staged.fd().get(), kReadOnly) != 0) {
            const int saved = errno;
            return Error::from_errno("cannot set the mode of " + staged.path().string(), saved);
        }
        LOCARA_CHECK(set_time(staged.path(), clock_->now()));
        LOCARA_CHECK(sync_file(staged.fd()).context("writing " + path.string()));
        for (int attempt = 0;; ++attempt) {
            LOCARA_CHECK(make_folder_of(path));
            auto renamed = rename_file(staged.path(), path, Replace::No);
            if (renamed) {
                staged.release();
                LOCARA_CHECK(sync_folder(path.parent_path()));
                return Put::Stored;
            }
            // A process that removes objects may take the empty folder away just now.
            if (renamed.error().code() == ErrorCode::NotFound && attempt < kAttempts) {
                forget_folder_of(path);
                continue;
            }
            if (renamed.error().code() != ErrorCode::Conflict) {
                return std::move(renamed).error();
            }
            // Another process may have renamed but not synced yet; or one that collects takes the
            // object away just now, then ours goes in its place.
            auto touched = touch(key);
            if (touched) {
                LOCARA_CHECK(sync_folder(path.parent_path()));
                return Put::Existed;
            }
            if (touched.error().code() != ErrorCode::NotFound || attempt == kAttempts) {
                return std::move(touched).error();
            }
        }
    }

    Result<Put> put_if_absent(const Key& key, ByteView bytes) override {
        LOCARA_TRY(Staged staged, stage());
        LOCARA_CHECK(staged.append(bytes));
        return put_if_absent(key, std::move(staged));
    }

    Status read(const Key& key, std::uint64_t offset, std::span<std::byte> buffer) const override {
        LOCARA_TRY(const Fd fd, open_object(key));
        return read_exactly_at(fd, offset, buffer).context("reading " + path_of(key).string());
    }

    Result<std::optional<Fd>> open(const Key& key) const override {
        LOCARA_TRY(Fd fd, open_object(key));
        return std::optional<Fd>(std::move(fd));
    }

    Result<std::optional<ObjectInfo>> find(const Key& key) const override {
        LOCARA_TRY(const auto facts, facts_of(path_of(key)));
        if (!facts) {
            return std::optional<ObjectInfo>();
        }
        return std::optional(ObjectInfo{key, facts->size, facts->touched});
    }

    Result<Page>
    list(std::string_view prefix, std::string_view after, std::size_t limit) const override {
        Page page;
        LOCARA_CHECK(walk("", prefix, after, limit, page));
        return page;
    }

    Status touch(const Key& key) override {
        LOCARA_TRY(const auto facts, facts_of(path_of(key)));
        if (!facts) {
            return Error(ErrorCode::NotFound, "there is no object " + path_of(key).string());
        }
        return set_time(path_of(key), clock_->now());
    }

    Status remove(const Key& key) override {
        const fs::path path = path_of(key);
        if (::unlink(path.c_str()) != 0) {
            const int saved = errno;
            return Error::from_errno("cannot remove " + path.string(), saved);
        }
        ::rmdir(path.parent_path().c_str()); // stays unless it is empty
        return {};
    }

    Result<Removed> remove_if_older(const Key& key, TimePoint limit) override {
        const fs::path path = path_of(key);
        LOCARA_TRY(const Fd fd, open_object(key));
        LOCARA_TRY(const TimePoint before, time_of(fd, path));
        // The lock keeps others that start up from taking it for a stale temporary file below. Who
        // else holds it is removing the object, too.
        if (before >= limit || !lock_now(fd)) {
            return Removed::No;
        }
        // Away from its name first: then nobody can touch it between the look and the removal. A
        // kill in between leaves it in gone/, and whoever opens the store next puts it back.
        const fs::path aside = aside_of(key);
        auto moved = rename_file(path, aside, Replace::No);
        if (!moved && moved.error().code() == ErrorCode::Conflict) {
            return Removed::No; // such a kill, and put anew since: not before the next opening
        }
        LOCARA_CHECK(moved);
        LOCARA_TRY(const TimePoint now, time_of(fd, path));
        if (now >= limit) {
            LOCARA_CHECK(put_back(aside, path));
            return Removed::No;
        }
        if (::unlink(aside.c_str()) != 0) {
            auto failed = Error::from_errno("removing " + aside.string(), errno);
            LOCARA_CHECK(put_back(aside, path));
            return failed;
        }
        // Nothing that this object names may be gone before it.
        LOCARA_CHECK(sync_folder(path.parent_path()));
        ::rmdir(path.parent_path().c_str()); // stays unless it is empty
        return Removed::Yes;
    }

  private:
    fs::path tmp() const { return root_ / "tmp"; }

    fs::path gone() const { return root_ / "gone"; }

    /// Where an object is while it is looked at once more: named so that it can be put back.
    fs::path aside_of(const Key& key) const {
        std::string name = key.render();
        std::replace(name.begin(), name.end(), '/', kSlash);
        return gone() / name;
    }

    fs::path path_of(const Key& key) const { return root_ / "objects" / key.render(); }

    /// Makes the folder of an object durable, with all above it: another process may have made
    /// them but not synced them yet. What was synced once is not synced again.
    Status make_folder_of(const fs::path& path) {
        const fs::path folder = path.parent_path();
        {
            const std::lock_guard guard(mutex_);
            if (folders_.contains(folder)) {
                return {};
            }
        }
        LOCARA_CHECK(create_folders(folder));
        for (fs::path above = folder; above != root_;) {
            above = above.parent_path();
            LOCARA_CHECK(sync_folder(above));
        }
        const std::lock_guard guard(mutex_);
        if (folders_.size() >= kFoldersKept) {
            folders_.clear();
        }
        folders_.insert(folder);
        return {};
    }

    static Status put_back(const fs::path& aside, const fs::path& path) {
        for (int attempt = 0;; ++attempt) {
            LOCARA_CHECK(create_folders(path.parent_path()));
            auto renamed = rename_file(aside, path, Replace::No);
            if (!renamed && renamed.error().code() == ErrorCode::Conflict) {
                ::unlink(aside.c_str()); // somebody has put the same bytes again meanwhile
                return {};
            }
            // Who removes the last object beside it takes the folder away, too.
            if (renamed || renamed.error().code() != ErrorCode::NotFound || attempt == kAttempts) {
                return renamed;
            }
        }
    }

    void forget_folder_of(const fs::path& path) {
        const std::lock_guard guard(mutex_);
        folders_.erase(path.parent_path());
    }

    Result<Fd> open_object(const Key& key) const {
        auto fd = open_file(path_of(key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!fd && fd.error().system_errno() == ENOTDIR) {
            return Error(ErrorCode::NotFound, "there is no object " + key.render());
        }
        return fd;
    }

    /// Adds the objects below `folder` (a key and '/', or "") to the page, in the order of keys:
    /// that of names, where a folder's has its '/'. Recursion: as deep as keys have segments.
    Status walk(const std::string& folder,
                std::string_view prefix,
                std::string_view after,
                std::size_t limit,
                Page& page) const {
        std::vector<std::string> names;
        std::error_code error;
        const fs::path path = root_ / "objects" / folder;
        for (fs::directory_iterator it(path, error), end; !error && it != end;
             it.increment(error)) {
            std::error_code ignored;
            const auto type = it->symlink_status(ignored).type();
            const std::string key = folder + it->path().filename().string();
            if (type == fs::file_type::directory) {
                names.push_back(key + '/');
            } else if (type == fs::file_type::regular && Key::parse(key)) {
                names.push_back(key);
            }
        }
        if (error && error != std::errc::no_such_file_or_directory) {
            return Error::from_errno("cannot list " + path.string(), error.value());
        }
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            if (page.next) {
                return {};
            }
            if (name.ends_with('/')) {
                const bool holds_prefix = name.starts_with(prefix) || prefix.starts_with(name);
                // All keys below come before `after` unless it is below too, or later.
                if (holds_prefix && (name > after || after.starts_with(name))) {
                    LOCARA_CHECK(walk(name, prefix, after, limit, page));
                }
                continue;
            }
            if (!name.starts_with(prefix) || name <= after) {
                continue;
            }
            if (page.objects.size() == limit) {
                page.next = page.objects.back().key.render();
                return {};
            }
            LOCARA_TRY(Key key, Key::parse(name));
            LOCARA_TRY(const auto facts, facts_of(path_of(key)));
            if (facts) { // else it was removed meanwhile
                page.objects.push_back({std::move(key), facts->size, facts->touched});
            }
        }
        return {};
    }

    const fs::path root_;
    const Clock* clock_;
    std::mutex mutex_;           ///< Guards folders_.
    std::set<fs::path> folders_; ///< Whose names are durable.
};

} // namespace

Result<std::unique_ptr<Backend>> open_directory(const fs::path& root, const Clock& clock) {
    std::error_code error;
    fs::path absolute = fs::absolute(root, error).lexically_normal();
    if (error) {
        return Error::from_errno("cannot find " + root.string(), error.value());
    }
    if (!absolute.has_filename()) { // "/srv/cas/" would not be found among its own parents
        absolute = absolute.parent_path();
    }
    auto directory = std::make_unique<Directory>(absolute, clock);
    LOCARA_CHECK(directory->open_root().context("opening the chunk store"));
    return std::unique_ptr<Backend>(std::move(directory));
}

} // namespace locara::cas
