#include "tree_copy.hpp"

#include <locara/base/copy.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// Copied between two looks at whoever wants it to stop.
constexpr std::uint64_t kStep = 64U << 20U;

bool is_gone(int error) {
    return error == ENOENT || error == ENOTDIR;
}

} // namespace

bool take_all(const fs::path& /*path*/) {
    return true;
}

Status TreeCopy::file(const fs::path& from, const fs::path& to, How how) {
    if (options_.stop.stop_requested()) {
        return Error(ErrorCode::Cancelled, "copying was stopped");
    }
    const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!in.valid()) {
        const int saved = errno;
        return is_gone(saved) || saved == ELOOP
                   ? Status()
                   : Status(Error::from_errno("opening " + from.string(), saved));
    }

    struct stat info {};

    if (::fstat(in.get(), &info) != 0) {
        return Error::from_errno("looking at " + from.string(), errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return {};
    }
    ++report_.files;
    report_.bytes += static_cast<std::uint64_t>(info.st_size);
    if (how == How::MayLink && options_.link == BackupOptions::Link::Yes &&
        ::link(from.c_str(), to.c_str()) == 0) {
        return {};
    }
    LOCARA_TRY(const Fd out, open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0600));
    const auto size = static_cast<std::uint64_t>(info.st_size);
    for (std::uint64_t at = 0; at < size;) {
        const std::uint64_t step = std::min(size - at, kStep);
        LOCARA_CHECK(copy_range(in, at, out, at, step).context("copying " + from.string()));
        at += step;
        if (options_.progress) {
            options_.progress(report_.bytes);
        }
        if (options_.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "copying was stopped");
        }
    }
    const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
    if (::fchmod(out.get(), info.st_mode & 07777) != 0 ||
        ::futimens(out.get(), times.data()) != 0) {
        return Error::from_errno("copying " + from.string(), errno);
    }
    return {};
}

Status TreeCopy::folder(const fs::path& from, const fs::path& to, How how, const Filter& take) {
    return below(from, to, "", how, take);
}

Status TreeCopy::below(
    const fs::path& from, const fs::path& to, const fs::path& path, How how, const Filter& take) {
    struct stat info {};

    if (::lstat((from / path).c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return {};
    }
    const mode_t mode = info.st_mode & 07777;
    if (path.empty()) {
        LOCARA_CHECK(create_folders(to, mode));
    } else if (::mkdir((to / path).c_str(), mode) != 0 && errno != EEXIST) {
        return Error::from_errno("making " + (to / path).string(), errno);
    }
    // Listed first: an iterator ends at a folder that goes while it is in there.
    std::vector<fs::path> names;
    std::error_code error;
    fs::directory_iterator at(from / path, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        names.push_back(path / at->path().filename());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return Error(ErrorCode::Io, "listing " + (from / path).string() + ": " + error.message());
    }
    for (const fs::path& name : names) {
        if (!take(name) || ::lstat((from / name).c_str(), &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            LOCARA_CHECK(below(from, to, name, how, take));
        } else if (S_ISREG(info.st_mode)) {
            LOCARA_CHECK(file(from / name, to / name, how));
        }
    }
    return {};
}

} // namespace locara::hub
