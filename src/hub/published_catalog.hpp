// The catalog in a data folder as it is published at the moment.
#pragma once

#include "catalog_files.hpp"
#include "catalog_summary.hpp"

#include <memory>
#include <mutex>

namespace locara::hub {

/// It is read again only when its timestamp has changed. Threads: safe.
class PublishedCatalog {
  public:
    struct Snapshot {
        CatalogContents contents;
        CalledBack called_back;
        Json summary;            ///< render_contents.
        std::string fingerprint; ///< Of its root, 64 hex digits.
    };

    explicit PublishedCatalog(std::filesystem::path data) : data_(std::move(data)) {}

    /// Never null. What was read before stands in where the newest cannot be read just now. Errors:
    /// those of catalog::Repository::load and read_contents, Io.
    Result<std::shared_ptr<const Snapshot>> get();

  private:
    Result<std::shared_ptr<const Snapshot>> read();

    const std::filesystem::path data_;
    std::mutex mutex_;
    std::string timestamp_; ///< That the snapshot was true for.
    std::shared_ptr<const Snapshot> snapshot_;
    BundleFiles bundle_files_;
};

} // namespace locara::hub
