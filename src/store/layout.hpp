// Where things lie below the store's root, and the lock of one digest. Private to the module.
// Follows docs/formats/store.md.
#pragma once

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

namespace locara::store {

/// Paths of one store.
struct Layout {
    std::filesystem::path root;

    std::filesystem::path version() const { return root / "version"; }

    std::filesystem::path files() const { return root / "files"; }

    std::filesystem::path parts() const { return root / "parts"; }

    std::filesystem::path locks() const { return root / "locks"; }

    std::filesystem::path tmp() const { return root / "tmp"; }

    std::filesystem::path quarantine() const { return root / "quarantine"; }

    std::filesystem::path chunks() const { return root / "chunks"; }

    std::filesystem::path adopted() const { return root / "adopted"; }

    /// Notes of a verification of everything, so that it can go on.
    std::filesystem::path verify_journal() const { return root / "verify.journal"; }

    /// Held shared by whoever puts files in that nothing names yet, alone by garbage collection.
    std::filesystem::path use_lock() const { return root / "use.lock"; }

    std::filesystem::path file(const crypto::Sha256Digest& digest) const {
        const std::string name = digest.render();
        return files() / name.substr(0, 2) / name;
    }

    std::filesystem::path part(const crypto::Sha256Digest& digest) const {
        return parts() / digest.render();
    }

    std::filesystem::path journal(const crypto::Sha256Digest& digest) const {
        return parts() / (digest.render() + ".journal");
    }

    std::filesystem::path written(const crypto::Sha256Digest& digest) const {
        return parts() / (digest.render() + ".written");
    }

    std::filesystem::path index(const crypto::Sha256Digest& digest) const {
        const std::string name = digest.render();
        return chunks() / name.substr(0, 2) / name;
    }

    std::filesystem::path adopted(const crypto::Sha256Digest& digest) const {
        return adopted() / digest.render();
    }

    std::filesystem::path lock(const crypto::Sha256Digest& digest) const {
        return locks() / digest.render();
    }
};

/// flock on a file that is removed by its holder. Frees itself.
class DigestLock {
  public:
    /// Busy while somebody else, in this process or another, holds it.
    static Result<DigestLock> try_acquire(const std::filesystem::path& path);

    /// Waits, calling `waiting` (may be empty) about every 100 ms. Cancelled.
    static Result<DigestLock> acquire(const std::filesystem::path& path,
                                      const std::stop_token& stop,
                                      const std::function<void()>& waiting);

    DigestLock(DigestLock&& other) noexcept
        : path_(std::move(other.path_)), fd_(std::move(other.fd_)) {
        other.path_.clear();
    }

    DigestLock& operator=(DigestLock&&) = delete;
    ~DigestLock();

  private:
    DigestLock(std::filesystem::path path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::filesystem::path path_;
    Fd fd_;
};

/// Takes flock on an open file at once. False while somebody else has it.
bool lock_now(const Fd& fd);

/// Whether `path` still leads to the file that `fd` has open.
bool still_at(const Fd& fd, const std::filesystem::path& path);

/// Moves a verified file, complete and synced, to its place. A file that is there already stays,
/// and `from` is removed. Durable on return.
Status publish_file(const Layout& layout,
                    const std::filesystem::path& from,
                    const crypto::Sha256Digest& digest);

/// NoSpace with numbers unless `bytes` more fit below `root`.
Status check_free_space(const std::filesystem::path& root, std::uint64_t bytes);

/// What a file really takes on disk. 0 if it is not there.
std::uint64_t allocated_bytes(const std::filesystem::path& path);

} // namespace locara::store
