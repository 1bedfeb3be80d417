#include "published_catalog.hpp"

#include <locara/base/file.hpp>

namespace locara::hub {

namespace {

constexpr std::uint64_t kTimestampLimit = 16'384;

} // namespace

Result<std::shared_ptr<const PublishedCatalog::Snapshot>> PublishedCatalog::read() {
    const std::filesystem::path tree = data_ / "catalog";
    LOCARA_TRY(const auto repository, catalog::Repository::load(tree, data_ / "keys"));
    LOCARA_TRY(auto contents, read_contents(tree, repository));
    LOCARA_TRY(auto called_back, find_called_back(tree, repository, contents, bundle_files_));
    Json summary = render_contents(contents, called_back);
    return std::make_shared<const Snapshot>(Snapshot{
        std::move(contents), std::move(called_back), std::move(summary), repository.fingerprint()});
}

Result<std::shared_ptr<const PublishedCatalog::Snapshot>> PublishedCatalog::get() {
    const std::lock_guard lock(mutex_);
    auto timestamp = read_file(data_ / "catalog/metadata/timestamp.json", kTimestampLimit);
    if (timestamp && *timestamp == timestamp_) {
        return snapshot_;
    }
    auto fresh = timestamp ? read() : Result<std::shared_ptr<const Snapshot>>(timestamp.error());
    if (!fresh) {
        return snapshot_ ? Result<std::shared_ptr<const Snapshot>>(snapshot_) : fresh;
    }
    snapshot_ = *std::move(fresh);
    timestamp_ = *std::move(timestamp);
    return snapshot_;
}

} // namespace locara::hub
