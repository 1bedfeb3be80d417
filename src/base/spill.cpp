#include <locara/base/spill.hpp>

#include <cerrno>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace locara {

namespace fs = std::filesystem;

fs::path scratch_folder() {
    const char* const named = std::getenv("TMPDIR");
    return named != nullptr && *named != '\0' ? fs::path(named) : fs::path("/var/tmp");
}

Result<Fd> open_scratch_file(const fs::path& folder) {
    auto unnamed = open_file(folder, O_RDWR | O_TMPFILE | O_EXCL, 0600);
    if (unnamed) {
        return unnamed;
    }
    const int failed = unnamed.error().system_errno();
    if (failed != EOPNOTSUPP && failed != EISDIR && failed != ENOENT) {
        return std::move(unnamed).error();
    }
    // Not every file system can do without a name for a moment.
    std::string path = (folder / "locara-XXXXXX").string();
    Fd fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd.valid()) {
        const int saved = errno;
        return Error::from_errno("cannot create a file in " + folder.string(), saved);
    }
    ::unlink(path.c_str());
    return fd;
}

Status SpillBytes::flush() {
    const auto where = [this] { return "keeping a temporary list in " + folder_.string(); };
    if (!file_.valid()) {
        auto file = open_scratch_file(folder_);
        if (!file) {
            return std::move(file).error().add_context(where());
        }
        file_ = std::move(*file);
    }
    if (Status written = write_all_at(file_, in_file_, tail_); !written) {
        return std::move(written).error().add_context(where());
    }
    in_file_ += tail_.size();
    tail_.clear();
    return {};
}

Status SpillBytes::add(ByteView bytes) {
    while (!bytes.empty()) {
        const ByteView some = bytes.first(std::min(bytes.size(), kMemoryBytes - tail_.size()));
        tail_.insert(tail_.end(), some.begin(), some.end());
        bytes = bytes.subspan(some.size());
        if (tail_.size() == kMemoryBytes) {
            LOCARA_CHECK(flush());
        }
    }
    return {};
}

Status SpillBytes::read(std::uint64_t offset, std::span<std::byte> buffer) const {
    LOCARA_ASSERT(offset <= size() && buffer.size() <= size() - offset);
    if (offset < in_file_) {
        const auto part = buffer.first(std::min<std::uint64_t>(buffer.size(), in_file_ - offset));
        if (Status got = read_exactly_at(file_, offset, part); !got) {
            return std::move(got).error().add_context("reading a temporary list in " +
                                                      folder_.string());
        }
        buffer = buffer.subspan(part.size());
        offset += part.size();
    }
    if (!buffer.empty()) {
        std::copy_n(tail_.begin() + static_cast<std::ptrdiff_t>(offset - in_file_),
                    buffer.size(),
                    buffer.begin());
    }
    return {};
}

} // namespace locara
