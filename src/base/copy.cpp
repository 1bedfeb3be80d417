#include <locara/base/copy.hpp>

#include <algorithm>
#include <cerrno>

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace locara {

namespace {

constexpr std::uint64_t kBlockBytes = 1U << 20U;

/// Errors of a system call that say "not here", after which the next way is tried.
bool is_refusal(int error) {
    return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == EINVAL ||
           error == ENOSYS || error == EPERM || error == ETXTBSY;
}

Status copy_through_memory(
    const Fd& source, std::uint64_t from, const Fd& target, std::uint64_t to, std::uint64_t size) {
    Bytes block(std::min(size, kBlockBytes));
    while (size > 0) {
        const auto now = std::span(block).first(std::min<std::uint64_t>(size, block.size()));
        LOCARA_CHECK(read_exactly_at(source, from, now));
        LOCARA_CHECK(write_all_at(target, to, now));
        from += now.size();
        to += now.size();
        size -= now.size();
    }
    return {};
}

Status copy_bytes(
    const Fd& source, std::uint64_t from, const Fd& target, std::uint64_t to, std::uint64_t size) {
    while (size > 0) {
        auto in = static_cast<off_t>(from);
        auto out = static_cast<off_t>(to);
        const ssize_t copied = ::copy_file_range(source.get(), &in, target.get(), &out, size, 0);
        if (copied < 0 && errno == EINTR) {
            continue;
        }
        if (copied < 0 && is_refusal(errno)) {
            return copy_through_memory(source, from, target, to, size);
        }
        if (copied < 0) {
            return Error::from_errno("copying failed", errno);
        }
        if (copied == 0) {
            // The end of the source, or a file system that cannot and does not say so (/proc):
            // reading tells.
            return copy_through_memory(source, from, target, to, size);
        }
        from += static_cast<std::uint64_t>(copied);
        to += static_cast<std::uint64_t>(copied);
        size -= static_cast<std::uint64_t>(copied);
    }
    return {};
}

/// The block size that sharing goes by; 0 if it is not known.
std::uint64_t block_size_of(const Fd& file) {
    struct statfs info {};

    return ::fstatfs(file.get(), &info) == 0 && info.f_bsize > 0
               ? static_cast<std::uint64_t>(info.f_bsize)
               : 0;
}

} // namespace

Result<std::uint64_t> copy_range(
    const Fd& source, std::uint64_t from, const Fd& target, std::uint64_t to, std::uint64_t size) {
    const std::uint64_t block = block_size_of(target);
    if (block > 0 && from % block == to % block) {
        const std::uint64_t head = std::min(size, (block - from % block) % block);
        const std::uint64_t inner = (size - head) / block * block;
        if (inner > 0) {
            file_clone_range range{};
            range.src_fd = source.get();
            range.src_offset = from + head;
            range.src_length = inner;
            range.dest_offset = to + head;
            if (::ioctl(target.get(), FICLONERANGE, &range) == 0) {
                LOCARA_CHECK(copy_bytes(source, from, target, to, head));
                const std::uint64_t done = head + inner;
                LOCARA_CHECK(copy_bytes(source, from + done, target, to + done, size - done));
                return inner;
            }
            if (!is_refusal(errno)) {
                return Error::from_errno("sharing blocks failed", errno);
            }
        }
    }
    LOCARA_CHECK(copy_bytes(source, from, target, to, size));
    return 0;
}

Status clone_file(const Fd& source, const Fd& target) {
    if (::ioctl(target.get(), FICLONE, source.get()) == 0) {
        return {};
    }
    if (is_refusal(errno)) {
        return Error(ErrorCode::Unsupported, "these files cannot share blocks", errno);
    }
    return Error::from_errno("sharing blocks failed", errno);
}

} // namespace locara
