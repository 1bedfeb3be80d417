#include "catalog_access.hpp"

#include "passphrase.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace locara;

namespace fs = std::filesystem;

namespace {

/// Whether a folder has private keys that a passphrase would open.
bool has_encrypted_keys(const fs::path& keys) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(keys, error)) {
        if (entry.path().extension() == ".pem") {
            const auto key = crypto::SigningKey::load(entry.path());
            if (!key && key.error().code() == ErrorCode::Unauthorized) {
                return true;
            }
        }
    }
    return false;
}

/// `<version>.<role>.json`, as it is called in the catalog.
Result<fs::path> write_draft(const fs::path& folder, const catalog::Draft& draft) {
    LOCARA_TRY(const auto info, catalog::inspect_draft(draft));
    LOCARA_CHECK(create_folders(folder));
    fs::path path = folder / (std::to_string(info.version) + "." + draft.role + ".json");
    LOCARA_CHECK(write_file_atomically(path, as_bytes(catalog::render_draft_file(draft))));
    return path;
}

} // namespace

std::string who_decides(const std::string& given) {
    const char* const name = std::getenv("USER");
    return given.empty() && name != nullptr ? name : given;
}

namespace {

/// What a hub wrote goes to a terminal: nothing in it may drive one.
std::string plain(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text;
}

/// What the draft was compared with, and how far that is to be believed.
std::string describe_since(const catalog::DraftReview& review) {
    if (!review.since) {
        return "compared with nothing, so that all of it is marked as new, and that its version "
               "follows the last one is the hub's word; --since FILE compares with the version "
               "before it";
    }
    std::string out = "compared with version " + std::to_string(*review.since) + ", ";
    if (review.keys_open == 0) {
        return out + "whose signatures were held against no key: " +
               (review.keys_closed > 0 ? "the keys there were not opened"
                                       : "no key of " + review.info.role + " is there");
    }
    if (review.since_mine.empty()) {
        return out + "which no key that is open here signed" +
               (review.keys_closed > 0 ? "; others there were not opened" : "");
    }
    out += "which was signed by your key";
    for (const auto& id : review.since_mine) {
        out += " " + id;
    }
    return out;
}

void print_targets(const std::vector<catalog::ReviewedTarget>& targets) {
    for (const auto& one : targets) {
        std::printf("  %c %s  %s  sha256:%s",
                    catalog::mark(one.change),
                    plain(one.name).c_str(),
                    one.version.empty() ? "-" : plain(one.version).c_str(),
                    plain(one.sha256).c_str());
        if (!one.was.empty()) {
            std::printf("  (was sha256:%s)", plain(one.was).c_str());
        } else if (one.change == catalog::Change::Changed) {
            std::printf("  (the same bytes; what is said of them changed)");
        }
        std::printf("\n");
    }
}

void print_role(const catalog::ReviewedRole& role) {
    std::size_t keys = 0;
    for (const auto& key : role.keys) {
        keys += key.change == catalog::Change::Removed ? 0U : 1U;
    }
    std::printf("  %c %s: %llu of %zu keys",
                catalog::mark(role.change),
                plain(role.name).c_str(),
                static_cast<unsigned long long>(role.threshold),
                keys);
    if (role.threshold_was) {
        std::printf(" (before: %llu)", static_cast<unsigned long long>(*role.threshold_was));
    }
    const auto join = [](const std::vector<std::string>& paths) {
        std::string out;
        for (const auto& path : paths) {
            out += (out.empty() ? "" : ", ") + plain(path);
        }
        return out;
    };
    if (!role.paths.empty()) {
        std::printf(", for %s", join(role.paths).c_str());
    }
    if (role.paths_were) {
        std::printf(" (before: %s)", join(*role.paths_were).c_str());
    }
    std::printf("\n");
    for (const auto& key : role.keys) {
        std::printf("    %c %s\n", catalog::mark(key.change), plain(key.id).c_str());
    }
}

} // namespace

void print_review(const fs::path& path, const catalog::DraftReview& review) {
    const catalog::DraftInfo& info = review.info;
    std::printf("%s: %s version %llu, until %s, signed by %zu keys\n",
                path.c_str(),
                info.role.c_str(),
                static_cast<unsigned long long>(info.version),
                render_time(info.expires).c_str(),
                info.signed_by.size());
    std::printf("  %s\n", describe_since(review).c_str());
    for (const auto& role : review.roles) {
        print_role(role);
    }
    if (info.role != "root") {
        std::printf("  lists %zu files\n", info.targets);
    }
    print_targets(review.targets);
    for (const auto& [change, entry] : review.takedown) {
        std::string versions;
        for (const auto& version : entry.versions.value_or(std::vector<std::string>())) {
            versions += " " + plain(version);
        }
        std::printf("  %c %s  %s  %s %s%s: %s\n",
                    catalog::mark(change),
                    plain(entry.date).c_str(),
                    std::string(catalog::render(entry.action)).c_str(),
                    plain(entry.kind).c_str(),
                    plain(entry.id).c_str(),
                    versions.c_str(),
                    plain(entry.reason).c_str());
    }
}

/// What to do where private keys are missing.
Status with_hint(Status published) {
    if (!published && published.error().code() == ErrorCode::Refused) {
        return std::move(published).context(
            "to have it signed elsewhere, give the same command --to FOLDER");
    }
    return published;
}

void CatalogAccess::add_data(CLI::App* verb) {
    verb->add_option("--data", data, "folder of this hub; it may be serving")->required();
}

void CatalogAccess::add_passphrase(CLI::App* verb) {
    verb->add_option("--passphrase-fd",
                     passphrase_fd,
                     "descriptor to read the keys' passphrase from; else LOCARA_HUB_PASSPHRASE, "
                     "else the terminal");
}

void CatalogAccess::add_to(CLI::App* verb) {
    verb->add_option(
        "--to", to, "publish nothing; write what has to be signed elsewhere into this folder");
}

Result<std::optional<Secret>> CatalogAccess::existing_passphrase(const fs::path& keys) const {
    if (passphrase_fd < 0 && !has_encrypted_keys(keys)) {
        return std::optional<Secret>();
    }
    return read_passphrase(passphrase_fd, AskFor::Existing);
}

Result<catalog::Repository> CatalogAccess::load() const {
    const fs::path folder = data;
    catalog::RepositoryOptions options;
    LOCARA_TRY(options.passphrase, existing_passphrase(folder / "keys"));
    return catalog::Repository::load(folder / "catalog", folder / "keys", options);
}

Status CatalogAccess::finish(catalog::Repository& repository,
                             const std::vector<std::string>& roles,
                             Tell tell) const {
    if (to.empty()) {
        return with_hint(repository.publish(system_clock()));
    }
    for (const auto& role : roles) {
        LOCARA_TRY(const auto draft, repository.draft(role, system_clock()));
        LOCARA_TRY(const auto path, write_draft(to, draft));
        LOCARA_TRY(const auto review,
                   catalog::review_draft(draft, nullptr, repository.own_keys_of(role)));
        if (tell == Tell::Yes) {
            print_review(path, review);
        }
    }
    if (tell == Tell::No) {
        return {};
    }
    std::printf("to be signed with `locara-hub keys sign FILE... --keys DIR`, then published with "
                "`locara-hub keys import FILE... --data %s`\n",
                data.c_str());
    return {};
}
