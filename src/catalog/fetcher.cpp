#include <locara/base/file.hpp>
#include <locara/catalog/fetcher.hpp>

namespace locara::catalog {

Status Fetcher::stream(std::string_view path,
                       std::uint64_t limit_bytes,
                       const std::function<Status(ByteView)>& sink) {
    LOCARA_TRY(const std::string bytes, fetch(path, limit_bytes));
    return sink(as_bytes(bytes));
}

Result<std::string> FolderFetcher::fetch(std::string_view path, std::uint64_t limit_bytes) {
    return read_file(folder_ / path, limit_bytes);
}

} // namespace locara::catalog
