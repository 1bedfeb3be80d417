#include "temporary.hpp"

#include <locara/base/secret.hpp>

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

Result<Temporary> Temporary::create(const Layout& layout) {
    while (true) {
        std::string path = (layout.tmp() / "put-XXXXXX").string();
        Fd fd(::mkostemp(path.data(), O_CLOEXEC));
        if (!fd.valid()) {
            const int saved = errno;
            return Error::from_errno("cannot create a file in " + layout.tmp().string(), saved);
        }
        // Another process that starts up may have come between the two calls.
        if (lock_now(fd) && still_at(fd, path)) {
            return Temporary(path, std::move(fd));
        }
    }
}

Result<Temporary> Temporary::link(const Layout& layout, const Fd& file, const fs::path& path) {
    constexpr std::size_t kSuffixBytes = 8;
    fs::path name = layout.tmp() / ("link-" + random_hex(kSuffixBytes));
    if (::link(path.c_str(), name.c_str()) != 0) {
        const int saved = errno;
        const bool cannot = saved == EXDEV || saved == EPERM || saved == EACCES ||
                            saved == EMLINK || saved == EOPNOTSUPP || saved == EROFS;
        return cannot ? Error(ErrorCode::Unsupported,
                              path.string() + " cannot have a second name in the store: " +
                                  std::generic_category().message(saved),
                              saved)
                      : Error::from_errno("cannot link " + path.string(), saved);
    }
    Temporary temporary(std::move(name), Fd());
    if (!still_at(file, temporary.path())) {
        return Error(ErrorCode::Conflict, path.string() + " was replaced while it was being read");
    }
    return temporary;
}

Temporary::~Temporary() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

Status Temporary::publish(const Layout& layout, const crypto::Sha256Digest& digest) && {
    constexpr mode_t kReadOnly = 0444;
    if (::fchmod(fd_.get(), kReadOnly) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot set the mode of " + path_.string(), saved);
    }
    LOCARA_CHECK(sync_file(fd_));
    return std::move(*this).publish_link(layout, digest);
}

Status Temporary::publish_link(const Layout& layout, const crypto::Sha256Digest& digest) && {
    LOCARA_CHECK(publish_file(layout, path_, digest));
    path_.clear();
    return {};
}

} // namespace locara::store
