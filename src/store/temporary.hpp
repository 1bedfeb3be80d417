// Files in tmp/ on their way into the store. Private to the module.
#pragma once

#include "layout.hpp"

#include <utility>

namespace locara::store {

/// A name in tmp/ that is removed unless it was moved to its place. Its file is locked, so that
/// nobody takes it for a leftover.
class Temporary {
  public:
    /// A new, empty file.
    static Result<Temporary> create(const Layout& layout);

    /// A second name (hard link) of an open file that is at `path`, on which the caller holds
    /// flock. Unsupported where it cannot have one; Conflict when another file is at `path` now.
    static Result<Temporary>
    link(const Layout& layout, const Fd& file, const std::filesystem::path& path);

    Temporary(Temporary&& other) noexcept
        : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}

    Temporary& operator=(Temporary&&) = delete;
    ~Temporary();

    const std::filesystem::path& path() const { return path_; }

    /// For reading and writing; of a link there is none.
    const Fd& fd() const { return fd_; }

    /// Sets mode 0444, syncs, and moves the file to its place. A file that is there already stays.
    Status publish(const Layout& layout, const crypto::Sha256Digest& digest) &&;

    /// Only moves it: a link's mode is not ours.
    Status publish_link(const Layout& layout, const crypto::Sha256Digest& digest) &&;

  private:
    Temporary(std::filesystem::path path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::filesystem::path path_;
    Fd fd_;
};

} // namespace locara::store
