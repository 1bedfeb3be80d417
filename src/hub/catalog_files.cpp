#include "catalog_files.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/model_signature.hpp>

#include <algorithm>
#include <array>

namespace locara::hub {

namespace {

/// Manifests, their signatures and entries; bundles are not read this way.
constexpr std::uint64_t kTargetLimit = manifest::kModelSignatureLimitBytes;

} // namespace

Result<std::string> read_target(const std::filesystem::path& tree, const catalog::Target& target) {
    const auto hash = target.hashes.find("sha256");
    if (hash == target.hashes.end()) {
        return Error(ErrorCode::Corrupt, target.name + " has no sha256");
    }
    const std::filesystem::path name = target.name;
    const std::string file = hash->second + "." + name.filename().string();
    return read_file(tree / "targets" / name.parent_path() / file, kTargetLimit);
}

Result<std::vector<PublishedBundle>> list_bundles(const std::filesystem::path& tree,
                                                  const catalog::Repository& repository) {
    std::vector<PublishedBundle> bundles;
    for (const catalog::Target& target : repository.targets()) {
        if (target.role != "apps" || !target.name.ends_with(".json")) {
            continue;
        }
        LOCARA_TRY(const std::string text, read_target(tree, target));
        LOCARA_TRY(const auto entry, manifest::AppEntry::parse(text));
        const std::filesystem::path name = entry.bundle_target;
        bundles.push_back({entry.manifest.id,
                           entry.manifest.version,
                           entry.bundle_target,
                           entry.bundle_sha256,
                           entry.files_sha256,
                           tree / "targets" / name.parent_path() /
                               (entry.bundle_sha256.render() + "." + name.filename().string())});
    }
    std::sort(bundles.begin(), bundles.end(), [](const auto& a, const auto& b) {
        return a.sha256.render() < b.sha256.render();
    });
    return bundles;
}

Result<std::vector<PublishedBundle>> list_bundles(const std::filesystem::path& data) {
    const std::filesystem::path tree = data / "catalog";
    const auto repository = catalog::Repository::load(tree, data / "keys");
    if (!repository) {
        return repository.error().code() == ErrorCode::NotFound
                   ? Result<std::vector<PublishedBundle>>(std::vector<PublishedBundle>())
                   : Result<std::vector<PublishedBundle>>(repository.error());
    }
    return list_bundles(tree, *repository);
}

std::span<const manifest::BundleFile> BundleFiles::of(const PublishedBundle& bundle) {
    const auto known = known_.find(bundle.sha256);
    if (known != known_.end()) {
        return known->second.files;
    }
    const auto archive = read_file(bundle.path, manifest::BundleLimits().archive_bytes);
    auto list = archive ? manifest::read_bundle_list(as_bytes(*archive))
                        : Result<manifest::BundleFileList>(archive.error());
    if (!list) {
        return {};
    }
    return known_.emplace(bundle.sha256, *std::move(list)).first->second.files;
}

std::optional<catalog::TakedownEntry> find_takedown(const catalog::TakedownList& list,
                                                    const PublishedBundle& bundle,
                                                    BundleFiles& files) {
    const std::array digests = {bundle.sha256, bundle.files_sha256};
    const bool by_file = std::any_of(list.entries().begin(),
                                     list.entries().end(),
                                     [](const auto& entry) { return entry.kind == "file"; });
    return list.find(catalog::takedown_names(bundle.app,
                                             bundle.version,
                                             digests,
                                             by_file ? files.of(bundle)
                                                     : std::span<const manifest::BundleFile>()));
}

} // namespace locara::hub
