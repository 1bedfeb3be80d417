#include <locara/formats/byte_source.hpp>

#include <cstring>
#include <string>

namespace locara::formats {

namespace {

Status check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
    if (offset > size || length > size - offset) {
        return Error(ErrorCode::Corrupt,
                     "the bytes end at " + std::to_string(size) + ", but " +
                         std::to_string(length) + " are wanted from " + std::to_string(offset));
    }
    return {};
}

} // namespace

Status MemorySource::read(std::uint64_t offset, std::span<std::byte> out) const {
    LOCARA_CHECK(check_range(bytes_.size(), offset, out.size()));
    if (!out.empty()) {
        std::memcpy(out.data(), bytes_.data() + offset, out.size());
    }
    return {};
}

Result<FileSource> FileSource::create(const Fd& fd, const std::filesystem::path& path) {
    LOCARA_TRY(const std::uint64_t size, regular_file_size(fd, path));
    return FileSource(fd, size);
}

Status FileSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    LOCARA_CHECK(check_range(size_, offset, out.size()));
    return read_exactly_at(*fd_, offset, out);
}

SliceSource::SliceSource(const ByteSource& whole, std::uint64_t begin, std::uint64_t size)
    : whole_(&whole), begin_(begin), size_(size) {
    LOCARA_ASSERT(begin <= whole.size() && size <= whole.size() - begin);
}

Status SliceSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    LOCARA_CHECK(check_range(size_, offset, out.size()));
    return whole_->read(begin_ + offset, out);
}

} // namespace locara::formats
