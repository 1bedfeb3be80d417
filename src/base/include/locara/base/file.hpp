// File descriptors, whole-file reads and durable writes: the one place that wraps these system
// calls.
//
// Every descriptor is O_CLOEXEC and has a move-only owner. A durable write is: temporary file in
// the same folder, write, fsync, rename, fsync of the folder. Threads: distinct objects may be used
// from distinct threads; one Fd belongs to one thread at a time unless a function says otherwise.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace locara {

/// Owns a file descriptor and closes it.
class Fd {
  public:
    Fd() = default;

    explicit Fd(int fd) : fd_(fd) {}

    Fd(Fd&& other) noexcept : fd_(other.release()) {}

    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset(other.release());
        }
        return *this;
    }

    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    ~Fd() { reset(); }

    int get() const { return fd_; }

    bool valid() const { return fd_ >= 0; }

    /// Gives the descriptor up to the caller.
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }

    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

/// open(2) with O_CLOEXEC added. Fails as Error::from_errno with the path in the message.
Result<Fd> open_file(const std::filesystem::path& path, int flags, mode_t mode = 0644);

/// Size of an open regular file. InvalidArgument if it is anything but a regular file.
Result<std::uint64_t> regular_file_size(const Fd& fd, const std::filesystem::path& path);

/// Reads exactly `buffer.size()` bytes at `offset`. Corrupt if the file ends earlier. Thread-safe.
Status read_exactly_at(const Fd& fd, std::uint64_t offset, std::span<std::byte> buffer);

/// Writes all of `bytes` at `offset`. NoSpace when the disk or quota is full. Thread-safe.
Status write_all_at(const Fd& fd, std::uint64_t offset, ByteView bytes);

/// Writes all of `bytes` at the descriptor's own position (pipes, sockets, terminals too).
Status write_all(const Fd& fd, ByteView bytes);

/// The whole file as text. TooLarge above `limit_bytes`; NotFound if absent.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

/// Removes what a killed write_file_atomically left in a folder, if it is older than an hour:
/// others may be writing. What cannot be removed stays.
void remove_stale_temporaries(const std::filesystem::path& folder);

/// Replaces `path` by `bytes` so that after a crash it holds either the old or the new content
/// whole. On return the new content is durable (file and folder synced). `mode` is the final mode.
Status write_file_atomically(const std::filesystem::path& path, ByteView bytes, mode_t mode = 0644);

/// The same with what `write` writes into an empty file, at its descriptor's own position. Its
/// error is the answer, and leaves the old content.
Status write_file_atomically(const std::filesystem::path& path,
                             const std::function<Status(const Fd&)>& write,
                             mode_t mode);

/// fsync on a descriptor, and on the folder at `path`, which makes renames in it durable.
Status sync_file(const Fd& fd);
Status sync_folder(const std::filesystem::path& path);

/// mkdir -p with `mode` for what is new; each new folder's parent is synced.
Status create_folders(const std::filesystem::path& path, mode_t mode = 0755);

/// rename(2). With Replace::No an existing target is left alone and the answer is Conflict.
enum class Replace { No, Yes };
Status
rename_file(const std::filesystem::path& from, const std::filesystem::path& to, Replace replace);

/// Bytes that an unprivileged user may still write in the file system of `path`.
Result<std::uint64_t> free_disk_bytes(const std::filesystem::path& path);

/// A folder that is removed, with everything in it, when its owner goes.
class TempFolder {
  public:
    /// Makes `<parent>/<prefix>XXXXXX`, mode 0700.
    static Result<TempFolder> create(const std::filesystem::path& parent, std::string_view prefix);

    TempFolder(TempFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }

    TempFolder& operator=(TempFolder&& other) noexcept;
    ~TempFolder();

    const std::filesystem::path& path() const { return path_; }

  private:
    explicit TempFolder(std::filesystem::path path) : path_(std::move(path)) {}

    std::filesystem::path path_;
};

/// An advisory lock on a file (flock, exclusive), freed with its owner or with the process.
class FileLock {
  public:
    /// Takes the lock at once or answers Busy.
    static Result<FileLock> try_acquire(const std::filesystem::path& path);

    /// Waits for the lock, looking at `cancelled` every 100 ms; Cancelled when it says so.
    template <class Cancelled>
    static Result<FileLock> acquire(const std::filesystem::path& path, Cancelled cancelled) {
        while (true) {
            auto lock = try_acquire(path);
            if (lock || lock.error().code() != ErrorCode::Busy) {
                return lock;
            }
            if (cancelled()) {
                return Error(ErrorCode::Cancelled, "stopped while waiting for " + path.string());
            }
            pause();
        }
    }

  private:
    explicit FileLock(Fd fd) : fd_(std::move(fd)) {}

    static void pause();
    Fd fd_;
};

} // namespace locara
