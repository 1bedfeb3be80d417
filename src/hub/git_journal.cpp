#include "git_journal.hpp"

#include <locara/base/secret.hpp>

#include <system_error>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "locara-push";
constexpr std::string_view kSuffix = ".journal";

} // namespace

fs::path new_journal(const fs::path& repository) {
    constexpr std::size_t kRandomBytes = 8;
    return repository /
           (std::string(kPrefix) + "-" + random_hex(kRandomBytes) + std::string(kSuffix));
}

Result<std::vector<fs::path>> list_journals(const fs::path& repository) {
    std::vector<fs::path> journals;
    std::error_code error;
    for (fs::directory_iterator at(repository, error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) {
            journals.push_back(at->path());
        }
    }
    if (error) {
        return Error(ErrorCode::Io, "listing " + repository.string() + ": " + error.message());
    }
    return journals;
}

} // namespace locara::hub
