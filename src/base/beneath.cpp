#include <locara/base/beneath.hpp>

#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace locara {
namespace {

Result<Fd> open_at(const Fd& folder, const std::string& name, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, folder.get(), name.c_str(), &how, sizeof(how))));
    if (fd.valid()) {
        return fd;
    }
    const int saved = errno;
    if (saved == ELOOP) {
        return Error(ErrorCode::InvalidArgument, name + " is or lies behind a symbolic link");
    }
    if (saved == EXDEV) {
        return Error(ErrorCode::InvalidArgument, name + " leads out of its folder");
    }
    if (saved == EEXIST) {
        return Error(ErrorCode::Conflict, name + " is there already");
    }
    return Error::from_errno("opening " + name, saved);
}

} // namespace

Result<Fd> open_folder(const std::filesystem::path& path) {
    return open_file(path, O_PATH | O_DIRECTORY);
}

Result<Fd> open_beneath(const Fd& folder, const std::string& name) {
    LOCARA_TRY(Fd fd, open_at(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
    LOCARA_CHECK(regular_file_size(fd, name));
    return fd;
}

Result<Fd> create_beneath(const Fd& folder, const std::string& name) {
    return open_at(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
}

} // namespace locara
