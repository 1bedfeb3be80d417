#include "draft_signing.hpp"

#include <locara/base/file.hpp>

#include <optional>

using namespace locara;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kDraftLimitBytes = 5'000'001; // one more than the longest role may have

} // namespace

Result<catalog::Draft> read_draft(const fs::path& path) {
    const std::string name = path.filename().string();
    const auto dot = name.find('.');
    constexpr std::string_view kSuffix = ".json";
    if (dot == std::string::npos || !name.ends_with(kSuffix) ||
        dot + 1 > name.size() - kSuffix.size()) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + path.string() + "': a file called <version>.<role>.json is wanted");
    }
    catalog::Draft draft;
    draft.role = name.substr(dot + 1, name.size() - kSuffix.size() - dot - 1);
    LOCARA_TRY(draft.bytes, read_file(path, kDraftLimitBytes));
    return draft;
}

void DraftSigning::add_to(CLI::App* verb) {
    verb->add_option("FILE", files_, "<version>.<role>.json, changed in place")->required();
    verb->add_option("--keys", keys_dir_, "folder with <role>-<n>.pem")->required();
    verb->add_flag("-n,--dry-run", dry_run_, "only say what would be signed");
    access_.add_passphrase(verb);
}

Status DraftSigning::run() const {
    std::vector<catalog::Draft> drafts;
    for (const auto& file : files_) {
        LOCARA_TRY(auto draft, read_draft(file));
        drafts.push_back(std::move(draft));
    }
    std::optional<Secret> passphrase;
    if (!dry_run_) {
        LOCARA_TRY(passphrase, access_.existing_passphrase(keys_dir_));
    }
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        if (!dry_run_) {
            LOCARA_CHECK(catalog::sign_draft(drafts[i], keys_dir_, passphrase));
            LOCARA_CHECK(write_file_atomically(files_[i], as_bytes(drafts[i].bytes)));
        }
        LOCARA_TRY(const auto info, catalog::inspect_draft(drafts[i]));
        print_draft(files_[i], info);
    }
    return {};
}
