// A file that grows beside its place and is moved there when it is whole.
#pragma once

#include <locara/base/file.hpp>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::catalog {

/// Owns the temporary file and removes it unless move_to() put it in its place, durably.
class PartFile {
  public:
    static Result<PartFile> create(const std::filesystem::path& path) {
        std::string name = path.string() + ".part-XXXXXX";
        Fd fd(::mkostemp(name.data(), O_CLOEXEC));
        if (!fd.valid()) {
            return Error::from_errno("cannot create a temporary file beside " + path.string(),
                                     errno);
        }
        return PartFile(std::move(fd), std::move(name));
    }

    PartFile(PartFile&& other) noexcept
        : fd_(std::move(other.fd_)), name_(std::exchange(other.name_, {})) {}

    PartFile& operator=(PartFile&&) = delete;

    ~PartFile() {
        if (!name_.empty()) {
            ::unlink(name_.c_str());
        }
    }

    const Fd& fd() const { return fd_; }

    Status move_to(const std::filesystem::path& path) {
        if (::fchmod(fd_.get(), 0644) != 0) {
            return Error::from_errno("cannot set the mode of " + path.string(), errno);
        }
        LOCARA_CHECK(sync_file(fd_));
        LOCARA_CHECK(rename_file(name_, path, Replace::Yes));
        name_.clear();
        return sync_folder(path.has_parent_path() ? path.parent_path()
                                                  : std::filesystem::path("."));
    }

  private:
    PartFile(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

    Fd fd_;
    std::string name_;
};

} // namespace locara::catalog
