#include "draft_signing.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>

using namespace locara;

namespace fs = std::filesystem;

Result<catalog::Draft> read_draft(const fs::path& path) {
    const std::string name = path.filename().string();
    const auto dot = name.find('.');
    constexpr std::string_view kSuffix = ".json";
    if (dot == std::string::npos || !name.ends_with(kSuffix) ||
        dot + 1 > name.size() - kSuffix.size()) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + path.string() + "': a file called <version>.<role>.json is wanted");
    }
    LOCARA_TRY(const std::string bytes, read_file(path, catalog::kDraftFileLimitBytes));
    return catalog::parse_draft_file(name.substr(dot + 1, name.size() - kSuffix.size() - dot - 1),
                                     bytes);
}

void DraftSigning::add_to(CLI::App* verb) {
    verb->add_option("FILE", files_, "<version>.<role>.json, changed in place")->required();
    verb->add_option("--keys", keys_dir_, "folder with <role>-<n>.pem")->required();
    verb->add_option("--since",
                     since_,
                     "<version>.<role>.json that you trust, such as the draft you signed last, to "
                     "compare with instead of what came along");
    verb->add_flag("-n,--dry-run", dry_run_, "only say what would be signed");
    verb->add_flag("--json", json_, "as JSON");
    access_.add_passphrase(verb);
}

Result<catalog::DraftReview> DraftSigning::review(const catalog::Draft& draft,
                                                  const std::vector<catalog::Draft>& since,
                                                  const std::optional<Secret>& passphrase) const {
    LOCARA_TRY(const auto mine, catalog::signers_in(keys_dir_, draft.role, passphrase));
    const auto trusted = std::find_if(
        since.begin(), since.end(), [&](const auto& one) { return one.role == draft.role; });
    return catalog::review_draft(draft, trusted == since.end() ? nullptr : &*trusted, mine);
}

Status DraftSigning::run() const {
    std::vector<catalog::Draft> drafts;
    for (const auto& file : files_) {
        LOCARA_TRY(auto draft, read_draft(file));
        drafts.push_back(std::move(draft));
    }
    std::vector<catalog::Draft> since;
    for (const auto& file : since_) {
        LOCARA_TRY(auto draft, read_draft(file));
        since.push_back(std::move(draft));
    }
    // A dry run, too: what it says of the signer's own signatures is what the signer goes by.
    LOCARA_TRY(const auto passphrase, access_.existing_passphrase(keys_dir_));
    for (const auto& draft : drafts) { // what cannot be shown is not signed
        LOCARA_TRY(const auto reviewed, review(draft, since, passphrase));
        LOCARA_CHECK(catalog::check_signable(reviewed, system_clock().now()));
    }
    Json list = Json::array();
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        if (!dry_run_) {
            LOCARA_CHECK(catalog::sign_draft(drafts[i], keys_dir_, passphrase));
            LOCARA_CHECK(
                write_file_atomically(files_[i], as_bytes(catalog::render_draft_file(drafts[i]))));
        }
        LOCARA_TRY(const auto reviewed, review(drafts[i], since, passphrase));
        if (json_) {
            Json one = {{"file", files_[i]}};
            one.update(catalog::render(reviewed));
            list.push_back(std::move(one));
        } else {
            print_review(files_[i], reviewed);
        }
    }
    if (json_) {
        std::printf(
            "%s\n",
            render_json({{"schema", "locara-hub.drafts/1"}, {"drafts", std::move(list)}}).c_str());
    }
    return {};
}
