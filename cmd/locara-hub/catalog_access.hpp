// Opening a hub's catalog and making a change to it public, here or by way of other signers: what
// the verbs keys, takedown and review share.
#pragma once

#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/catalog/draft_review.hpp>
#include <locara/catalog/repository.hpp>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct CatalogAccess {
    std::string data; ///< --data
    std::string to;   ///< --to; empty: publish here.
    int passphrase_fd = -1;

    void add_data(CLI::App* verb);
    void add_to(CLI::App* verb);
    void add_passphrase(CLI::App* verb);

    /// The passphrase for the keys in a folder, if any of them needs one.
    locara::Result<std::optional<locara::Secret>>
    existing_passphrase(const std::filesystem::path& keys) const;

    locara::Result<locara::catalog::Repository> load() const;

    enum class Tell { No, Yes };

    /// Publishes what was staged, or writes the drafts of `roles` to --to for others to sign and
    /// tells how.
    locara::Status finish(locara::catalog::Repository& repository,
                          const std::vector<std::string>& roles,
                          Tell tell = Tell::Yes) const;
};

/// Who decides, for a record: the name given, else USER; may be empty.
std::string who_decides(const std::string& given);

/// What a draft says and changes, for whoever is to sign it.
void print_review(const std::filesystem::path& path, const locara::catalog::DraftReview& review);

/// A Refused with what to do where private keys are missing.
locara::Status with_hint(locara::Status published);
