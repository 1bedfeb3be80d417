#include <locara/base/file.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace locara {

namespace fs = std::filesystem;

namespace {

Error errno_error(std::string_view what, const fs::path& path) {
    const int saved = errno;
    return Error::from_errno(std::string(what) + " " + path.string(), saved);
}

/// Removes a file at the end of a scope unless it was kept.
class RemoveOnExit {
  public:
    explicit RemoveOnExit(fs::path path) : path_(std::move(path)) {}

    RemoveOnExit(const RemoveOnExit&) = delete;
    RemoveOnExit& operator=(const RemoveOnExit&) = delete;

    ~RemoveOnExit() {
        if (!path_.empty()) {
            ::unlink(path_.c_str());
        }
    }

    void keep() { path_.clear(); }

  private:
    fs::path path_;
};

} // namespace

void Fd::reset(int fd) {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    fd_ = fd;
}

Result<Fd> open_file(const fs::path& path, int flags, mode_t mode) {
    while (true) {
        const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
        if (fd >= 0) {
            return Fd(fd);
        }
        if (errno != EINTR) {
            return errno_error("cannot open", path);
        }
    }
}

Result<std::uint64_t> regular_file_size(const Fd& fd, const fs::path& path) {
    struct stat info {};

    if (::fstat(fd.get(), &info) != 0) {
        return errno_error("cannot stat", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error(ErrorCode::InvalidArgument, path.string() + " is not a regular file");
    }
    return static_cast<std::uint64_t>(info.st_size);
}

Status read_exactly_at(const Fd& fd, std::uint64_t offset, std::span<std::byte> buffer) {
    while (!buffer.empty()) {
        const ssize_t got =
            ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error::from_errno("read failed", errno);
        }
        if (got == 0) {
            return Error(ErrorCode::Corrupt,
                         "the file ends at byte " + std::to_string(offset) + ", " +
                             std::to_string(buffer.size()) + " bytes too early");
        }
        offset += static_cast<std::uint64_t>(got);
        buffer = buffer.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

Status write_all_at(const Fd& fd, std::uint64_t offset, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t put =
            ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error::from_errno("write failed", errno);
        }
        offset += static_cast<std::uint64_t>(put);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Status write_all(const Fd& fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd.get(), bytes.data(), bytes.size());
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error::from_errno("write failed", errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes) {
    // O_NONBLOCK: opening a FIFO that somebody put there must not hang.
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_NONBLOCK));
    LOCARA_TRY(const auto size, regular_file_size(fd, path));
    if (size > limit_bytes) {
        return Error(ErrorCode::TooLarge,
                     path.string() + " is " + render_size(size) + "; at most " +
                         render_size(limit_bytes) + " are read");
    }
    // Read to the end and not for `size` bytes: files of /proc say that they are empty.
    std::string text(std::max<std::size_t>(size, 4096), '\0');
    std::size_t used = 0;
    while (true) {
        if (used == text.size()) {
            text.resize(text.size() * 2);
        }
        const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno_error("cannot read", path);
        }
        used += static_cast<std::size_t>(got);
        if (used > limit_bytes) {
            return Error(ErrorCode::TooLarge,
                         path.string() + " holds more than the " + render_size(limit_bytes) +
                             " that are read of it");
        }
        if (got == 0) {
            text.resize(used);
            return text;
        }
    }
}

void remove_stale_temporaries(const fs::path& folder) {
    constexpr std::string_view kMark = ".tmp-";
    constexpr std::size_t kRandom = 6;
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        const bool temporary =
            name.size() > kMark.size() + kRandom &&
            name.compare(name.size() - kMark.size() - kRandom, kMark.size(), kMark) == 0;
        if (temporary && entry.is_regular_file(ignored) && entry.last_write_time(ignored) < old) {
            fs::remove(entry.path(), ignored);
        }
    }
}

Status write_file_atomically(const fs::path& path, ByteView bytes, mode_t mode) {
    return write_file_atomically(
        path, [&](const Fd& fd) { return write_all(fd, bytes); }, mode);
}

Status write_file_atomically(const fs::path& path,
                             const std::function<Status(const Fd&)>& write,
                             mode_t mode) {
    std::string temporary = path.string() + ".tmp-XXXXXX";
    Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd.valid()) {
        return errno_error("cannot create a temporary file beside", path);
    }
    RemoveOnExit cleanup{fs::path(temporary)};
    LOCARA_CHECK(write(fd).context("writing " + path.string()));
    if (::fchmod(fd.get(), mode) != 0) {
        return errno_error("cannot set the mode of", path);
    }
    LOCARA_CHECK(sync_file(fd).context("writing " + path.string()));
    LOCARA_CHECK(rename_file(temporary, path, Replace::Yes));
    cleanup.keep();
    return sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Status sync_file(const Fd& fd) {
    if (::fsync(fd.get()) != 0) {
        return Error::from_errno("fsync failed", errno);
    }
    return {};
}

Status sync_folder(const fs::path& path) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_DIRECTORY));
    return sync_file(fd).context("syncing the folder " + path.string());
}

Status create_folders(const fs::path& path, mode_t mode) {
    if (path.empty() || ::access(path.c_str(), F_OK) == 0) {
        return {};
    }
    const fs::path parent = path.parent_path();
    LOCARA_CHECK(create_folders(parent, mode));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return errno_error("cannot create the folder", path);
    }
    return sync_folder(parent.empty() ? fs::path(".") : parent);
}

Status rename_file(const fs::path& from, const fs::path& to, Replace replace) {
    const unsigned flags = replace == Replace::No ? RENAME_NOREPLACE : 0U;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) {
        return {};
    }
    if (errno == EEXIST) {
        return Error(ErrorCode::Conflict, to.string() + " exists already", EEXIST);
    }
    return errno_error("cannot rename to", to);
}

Result<std::uint64_t> free_disk_bytes(const fs::path& path) {
    struct statvfs info {};

    if (::statvfs(path.c_str(), &info) != 0) {
        return errno_error("cannot read the free space of", path);
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<TempFolder> TempFolder::create(const fs::path& parent, std::string_view prefix) {
    std::string path = (parent / (std::string(prefix) + "XXXXXX")).string();
    if (::mkdtemp(path.data()) == nullptr) {
        return errno_error("cannot create a temporary folder in", parent);
    }
    return TempFolder(fs::path(path));
}

TempFolder& TempFolder::operator=(TempFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
}

TempFolder::~TempFolder() {
    if (!path_.empty()) {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
}

Result<FileLock> FileLock::try_acquire(const fs::path& path) {
    LOCARA_TRY(Fd fd, open_file(path, O_RDWR | O_CREAT, 0600));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        return FileLock(std::move(fd));
    }
    if (errno == EWOULDBLOCK) {
        return Error(ErrorCode::Busy, path.string() + " is locked by another process");
    }
    return errno_error("cannot lock", path);
}

void FileLock::pause() {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

} // namespace locara
