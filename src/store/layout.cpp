#include "layout.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

/// Room for journals, folders and what the file system itself writes.
constexpr std::uint64_t kMetadataBytes = 256U << 10U;

} // namespace

bool lock_now(const Fd& fd) {
    return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

bool still_at(const Fd& fd, const fs::path& path) {
    struct stat mine {};

    struct stat there {};

    return ::fstat(fd.get(), &mine) == 0 && ::lstat(path.c_str(), &there) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

Result<DigestLock> DigestLock::try_acquire(const fs::path& path) {
    while (true) {
        LOCARA_TRY(Fd fd, open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
        if (!lock_now(fd)) {
            if (errno == EWOULDBLOCK) {
                return Error(ErrorCode::Busy,
                             "another process works on " + path.filename().string() +
                                 "; wait for it or stop it");
            }
            const int saved = errno;
            return Error::from_errno("cannot lock " + path.string(), saved);
        }
        // The holder before us may have removed the file after we opened it.
        if (still_at(fd, path)) {
            return DigestLock(path, std::move(fd));
        }
    }
}

Result<DigestLock> DigestLock::acquire(const fs::path& path,
                                       const std::stop_token& stop,
                                       const std::function<void()>& waiting) {
    while (true) {
        auto lock = try_acquire(path);
        if (lock || lock.error().code() != ErrorCode::Busy) {
            return lock;
        }
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled,
                         "stopped while another process works on " + path.filename().string());
        }
        if (waiting) {
            waiting();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

DigestLock::~DigestLock() {
    if (!path_.empty()) {
        ::unlink(path_.c_str()); // while it is held: see docs/formats/store.md, "Locks"
    }
}

Status
publish_file(const Layout& layout, const fs::path& from, const crypto::Sha256Digest& digest) {
    const fs::path to = layout.file(digest);
    LOCARA_CHECK(create_folders(to.parent_path()));
    const Status renamed = rename_file(from, to, Replace::No);
    if (!renamed) {
        if (renamed.error().code() != ErrorCode::Conflict) {
            return renamed;
        }
        ::unlink(from.c_str());
    }
    return sync_folder(to.parent_path());
}

Status check_free_space(const fs::path& root, std::uint64_t bytes) {
    LOCARA_TRY(const std::uint64_t free, free_disk_bytes(root));
    const std::uint64_t needed = bytes + kMetadataBytes;
    if (bytes == 0 || free >= needed) {
        return {};
    }
    return Error(ErrorCode::NoSpace,
                 "not enough disk space: " + render_size(needed) + " are needed in " +
                     root.string() + " and " + render_size(free) + " are free; free " +
                     render_size(needed - free) + " there, or set LOCARA_STORE to another disk");
}

std::uint64_t allocated_bytes(const fs::path& path) {
    struct stat info {};

    if (::lstat(path.c_str(), &info) != 0) {
        return 0;
    }
    constexpr std::uint64_t kStatBlockBytes = 512; // stat(2): st_blocks counts these
    return static_cast<std::uint64_t>(info.st_blocks) * kStatBlockBytes;
}

} // namespace locara::store
