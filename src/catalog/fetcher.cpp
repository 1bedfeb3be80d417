#include "update.hpp"

#include <locara/base/file.hpp>
#include <locara/catalog/fetcher.hpp>

#include <algorithm>

#include <fcntl.h>

namespace locara::catalog {

namespace {

constexpr std::size_t kReadBlockBytes = 256U << 10U;

} // namespace

Status Fetcher::stream(std::string_view path,
                       std::uint64_t limit_bytes,
                       const std::function<Status(ByteView)>& sink) {
    LOCARA_TRY(const std::string bytes, fetch(path, limit_bytes));
    return sink(as_bytes(bytes));
}

Result<std::string> FolderFetcher::fetch(std::string_view path, std::uint64_t limit_bytes) {
    return read_file(folder_ / path, limit_bytes);
}

Status FolderFetcher::stream(std::string_view path,
                             std::uint64_t limit_bytes,
                             const std::function<Status(ByteView)>& sink) {
    return stream_file(folder_ / path, limit_bytes, sink);
}

Status stream_file(const std::filesystem::path& path,
                   std::uint64_t limit_bytes,
                   const std::function<Status(ByteView)>& sink) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_NONBLOCK));
    LOCARA_TRY(const std::uint64_t size, regular_file_size(fd, path));
    if (size > limit_bytes) {
        return Error(ErrorCode::TooLarge,
                     path.string() + " has " + render_size(size) + "; at most " +
                         render_size(limit_bytes) + " are read");
    }
    Bytes block(kReadBlockBytes);
    for (std::uint64_t offset = 0; offset < size;) {
        const auto view = std::span(block).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - offset)));
        LOCARA_CHECK(read_exactly_at(fd, offset, view).context("reading " + path.string()));
        LOCARA_CHECK(sink(view));
        offset += view.size();
    }
    return {};
}

} // namespace locara::catalog
