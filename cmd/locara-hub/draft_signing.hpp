// Signing what a hub exported, on the signer's own machine: `locara-hub keys sign`, and the same
// for curators as `locara-hub review sign`.
#pragma once

#include "catalog_access.hpp"

#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

/// Reads `<version>.<role>.json`, as it is called in the catalog.
locara::Result<locara::catalog::Draft> read_draft(const std::filesystem::path& path);

class DraftSigning {
  public:
    /// Gives the verb its options; this must outlive the parser's run.
    void add_to(CLI::App* verb);

    /// Signs each file in place with the keys that its role has in the folder, and says what it
    /// lists and changes. All files are read and reviewed before the first is changed.
    locara::Status run() const;

  private:
    locara::Result<locara::catalog::DraftReview>
    review(const locara::catalog::Draft& draft,
           const std::vector<locara::catalog::Draft>& since,
           const std::optional<locara::Secret>& passphrase) const;

    CatalogAccess access_;
    std::vector<std::string> files_;
    std::vector<std::string> since_;
    std::string keys_dir_;
    bool dry_run_ = false;
    bool json_ = false;
};
