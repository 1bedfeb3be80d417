#include "locate.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

std::optional<FileStamp> stamp_at(const fs::path& path) {
    struct stat info {};

    return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)
               ? std::optional(FileStamp::of(info))
               : std::nullopt;
}

std::optional<FileStamp> stamp_of(const Fd& fd) {
    struct stat info {};

    return ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)
               ? std::optional(FileStamp::of(info))
               : std::nullopt;
}

std::optional<Adopted> read_adopted(const Layout& layout, const crypto::Sha256Digest& digest) {
    const auto text = read_file(layout.adopted(digest), kMaxAdoptedBytes);
    if (!text) {
        return std::nullopt;
    }
    auto record = Adopted::parse(*text);
    return record && record->digest == digest ? std::optional(std::move(*record)) : std::nullopt;
}

Status write_adopted(const Layout& layout, const Adopted& record) {
    return write_file_atomically(layout.adopted(record.digest), as_bytes(record.render()), 0600);
}

std::optional<Located> locate(const Layout& layout, const crypto::Sha256Digest& digest) {
    fs::path own = layout.file(digest);
    const auto stamp = stamp_at(own);
    auto record = read_adopted(layout, digest);
    if (stamp) {
        if (!record || record->link != LinkKind::Hardlink || record->stamp.inode != stamp->inode) {
            record.reset(); // a file of our own: pulled, put, or a reflink
        }
        return Located{std::move(own), *stamp, std::move(record)};
    }
    if (!record || record->link != LinkKind::Reference) {
        return std::nullopt;
    }
    fs::path from = record->from;
    const auto there = stamp_at(from);
    if (!there || there->size != record->stamp.size) {
        return std::nullopt;
    }
    return Located{std::move(from), *there, std::move(record)};
}

Status drop_adopted(const Layout& layout, const Located& judged, Lock lock) {
    const auto& digest = judged.adopted->digest;
    std::optional<DigestLock> held;
    if (lock == Lock::NotHeld) {
        LOCARA_TRY(DigestLock mine, DigestLock::acquire(layout.lock(digest), {}, nullptr));
        held.emplace(std::move(mine));
    }
    // Somebody else may have dropped it before us, and a good file may have come in its place.
    const auto now = locate(layout, digest);
    if (!now || !now->adopted || now->path != judged.path ||
        now->stamp.inode != judged.stamp.inode) {
        return {};
    }
    if (judged.adopted->link == LinkKind::Hardlink) {
        // The name goes first: without its record the file would pass for one of our own.
        if (::unlink(layout.file(digest).c_str()) != 0 && errno != ENOENT) {
            const int saved = errno;
            return Error::from_errno("cannot remove " + layout.file(digest).string(), saved);
        }
        LOCARA_CHECK(sync_folder(layout.file(digest).parent_path()));
    }
    if (::unlink(layout.adopted(digest).c_str()) != 0 && errno != ENOENT) {
        const int saved = errno;
        return Error::from_errno("cannot remove " + layout.adopted(digest).string(), saved);
    }
    return sync_folder(layout.adopted());
}

Result<Located> settle(const Layout& layout,
                       const crypto::Sha256Digest& digest,
                       Located found,
                       Lock lock,
                       const std::stop_token& stop,
                       const std::function<void(std::size_t)>& progress) {
    if (found.is_unchanged()) {
        return found;
    }
    std::string reason = "its size is another";
    if (found.stamp.size == found.adopted->stamp.size) {
        LOCARA_TRY(const Fd fd, open_file(found.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        const auto before = stamp_of(fd);
        const auto hash = crypto::sha256_file(fd, [&](std::size_t bytes) {
            if (progress) {
                progress(bytes);
            }
            return !stop.stop_requested();
        });
        if (!hash && hash.error().code() == ErrorCode::Cancelled) {
            return hash.error();
        }
        const auto after = stamp_of(fd);
        if (hash && *hash == digest && before && before == after) {
            Adopted renewed = *found.adopted;
            renewed.stamp = *after;
            // A record that cannot be written (a full disk) only means hashing again next time.
            (void)write_adopted(layout, renewed).has_value();
            return Located{std::move(found.path), *after, std::move(renewed)};
        }
        reason = !hash             ? hash.error().describe()
                 : *hash != digest ? "its SHA-256 is " + hash->render()
                                   : "it is being written to";
    }
    const std::string from = found.adopted->from.string();
    LOCARA_CHECK(drop_adopted(layout, found, lock));
    return Error(ErrorCode::Corrupt,
                 "another program changed " + from + ", which was adopted as " + digest.render() +
                     " (" + reason +
                     "); the store no longer uses it, and left it as it is; pull it again");
}

} // namespace locara::store
