// Where the bytes of a digest are: in files/, or at an adopted place that must not have changed.
// Private to the module. Follows docs/formats/store.md, "Adopted files".
#pragma once

#include "layout.hpp"

#include <locara/base/progress.hpp>
#include <locara/store/adopted.hpp>

#include <optional>

namespace locara::store {

struct Located {
    std::filesystem::path path;
    FileStamp stamp; ///< As it is now.
    /// Of a hard link or a reference: other programs may write to it. (What is recorded of a
    /// reflink is only for people.)
    std::optional<Adopted> adopted;

    /// Whether it looks the same as when its digest was last known.
    bool is_unchanged() const { return !adopted || adopted->stamp == stamp; }
};

/// nullopt if the digest is not here. Hashes nothing.
std::optional<Located> locate(const Layout& layout, const crypto::Sha256Digest& digest);

/// The record of a digest, if there is a valid one.
std::optional<Adopted> read_adopted(const Layout& layout, const crypto::Sha256Digest& digest);
Status write_adopted(const Layout& layout, const Adopted& record);

/// Whether the caller holds the lock of the digest.
enum class Lock { Held, NotHeld };

/// An adopted file that may have changed: hashes it again. When it is still the same its record is
/// renewed, else it is dropped from the store (the other program's file is left alone) and the
/// answer is Corrupt. Cancelled.
Result<Located> settle(const Layout& layout,
                       const crypto::Sha256Digest& digest,
                       Located found,
                       Lock lock,
                       const std::stop_token& stop,
                       const std::function<void(std::size_t)>& progress = nullptr);

/// Takes a hard link or reference out of the store, if `judged` is still what is there.
Status drop_adopted(const Layout& layout, const Located& judged, Lock lock);

/// How a file looks; nullopt unless it is a regular file.
std::optional<FileStamp> stamp_at(const std::filesystem::path& path);
std::optional<FileStamp> stamp_of(const Fd& fd);

} // namespace locara::store
