#include "catalog_access.hpp"

#include "passphrase.hpp"

#include <locara/base/file.hpp>

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
    LOCARA_CHECK(write_file_atomically(path, as_bytes(draft.bytes)));
    return path;
}

} // namespace

std::string who_decides(const std::string& given) {
    const char* const name = std::getenv("USER");
    return given.empty() && name != nullptr ? name : given;
}

void print_draft(const fs::path& path, const catalog::DraftInfo& info) {
    std::printf("%s: %s version %llu, until %s, signed by %zu keys\n",
                path.c_str(),
                info.role.c_str(),
                static_cast<unsigned long long>(info.version),
                render_time(info.expires).c_str(),
                info.signed_by.size());
    if (info.role != "root") {
        std::printf("  lists %zu files\n", info.targets);
    }
    for (const auto& line : info.roles) {
        std::printf("  %s\n", line.c_str());
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

Status CatalogAccess::finish(catalog::Repository repository,
                             const std::vector<std::string>& roles,
                             Tell tell) const {
    if (to.empty()) {
        return with_hint(repository.publish(system_clock()));
    }
    for (const auto& role : roles) {
        LOCARA_TRY(const auto draft, repository.draft(role, system_clock()));
        LOCARA_TRY(const auto path, write_draft(to, draft));
        LOCARA_TRY(const auto info, catalog::inspect_draft(draft));
        if (tell == Tell::Yes) {
            print_draft(path, info);
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
