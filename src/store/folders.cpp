#include "folders.hpp"

namespace locara::store {

namespace fs = std::filesystem;

namespace {

Status each_entry(const fs::path& folder,
                  fs::file_type type,
                  const std::function<Status(const fs::path&)>& take) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored; // it went meanwhile
        if (it->symlink_status(ignored).type() == type) {
            LOCARA_CHECK(take(it->path()));
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return Error::from_errno("cannot list " + folder.string(), error.value());
    }
    return {};
}

} // namespace

Status each_file(const fs::path& folder, const std::function<Status(const fs::path&)>& take) {
    return each_entry(folder, fs::file_type::regular, take);
}

Status each_digest(const fs::path& folder, const TakeFile& take) {
    return each_file(folder, [&](const fs::path& path) {
        const auto digest = crypto::Sha256Digest::parse(path.filename().string());
        return digest ? take(*digest, path) : Status{};
    });
}

Status each_stored(const fs::path& folder, const TakeFile& take) {
    return each_entry(folder, fs::file_type::directory, [&](const fs::path& inner) {
        const std::string prefix = inner.filename().string();
        return prefix.size() == 2
                   ? each_digest(inner,
                                 [&](const crypto::Sha256Digest& digest, const fs::path& path) {
                                     return digest.render().starts_with(prefix) ? take(digest, path)
                                                                                : Status{};
                                 })
                   : Status{};
    });
}

} // namespace locara::store
