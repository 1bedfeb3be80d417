// The verbs `locara-hub keys` and `locara-hub takedown`: who may sign what, and what is called
// back.
#pragma once

#include "catalog_access.hpp"
#include "draft_signing.hpp"

#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/hub/model_desk.hpp>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

/// Registers the verbs with the program's parser, which must outlive this.
class KeysCommands {
  public:
    explicit KeysCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return keys_->parsed() || takedown_->parsed(); }

    locara::Status run() const;

  private:
    /// What of a catalog the audit log follows.
    struct Before {
        explicit Before(const locara::catalog::Repository& repository)
            : targets(repository.targets()), roles(repository.roles()),
              takedown(repository.takedown()) {}

        std::vector<locara::catalog::Target> targets;
        std::vector<locara::catalog::RoleState> roles;
        locara::catalog::TakedownList takedown;
    };

    void add_key_verbs();
    void add_takedown_verbs();
    CLI::App* verb(CLI::App* group,
                   const char* name,
                   const char* help,
                   std::function<locara::Status()> action);

    locara::Result<std::optional<locara::Secret>> new_passphrase() const;
    locara::Status
    change_keys(const std::function<locara::Status(locara::catalog::Repository&)>& stage) const;
    /// Of the role models: signatures that a key which goes made, with what is staged.
    locara::Result<locara::hub::Resigned> resign(locara::catalog::Repository& repository) const;

    locara::Status init() const;
    locara::Status list() const;
    locara::Status make_key() const;
    locara::Status encrypt() const;
    locara::Status rotate() const;
    /// What stands behind the role in `keys rotate`: files, and ids of keys that stay.
    locara::Result<std::vector<locara::crypto::PublicKey>>
    named_keys(const locara::catalog::Repository& repository) const;
    locara::Status add_key() const;
    locara::Status remove_key() const;
    locara::Status set_threshold() const;
    locara::Status export_drafts() const;
    locara::Status import_drafts() const;
    locara::Status call_back() const;
    locara::Status list_takedowns() const;
    locara::Status list_pending() const;
    locara::Status publish_pending() const;
    /// Makes them public, here or by --to.
    locara::Status publish(locara::catalog::Repository repository,
                           const std::vector<locara::catalog::TakedownEntry>& entries) const;
    /// Puts on record what became public since `before`: keys, models, what is called back.
    locara::Status note(const Before& before, const locara::catalog::Repository& repository) const;
    /// What was submitted and is listed since `before`, or no longer, called back, or no longer: a
    /// step in the reviews' log.
    locara::Status note_in_reviews(const Before& before,
                                   const locara::catalog::Repository& repository) const;
    locara::Status warn_of_disagreements(const locara::catalog::Repository& repository) const;

    CatalogAccess access_;
    DraftSigning signing_;
    std::string database_;
    std::string role_;
    std::string file_;
    std::string key_id_;
    std::string kind_ = "app";
    std::string id_;
    std::string action_ = "block-run";
    std::string reason_;
    std::string who_;
    std::string why_;
    std::vector<std::string> versions_;
    std::vector<std::string> roles_;
    std::vector<std::string> files_;
    unsigned threshold_ = 0;
    bool encrypt_ = false;
    bool json_ = false;
    CLI::App* keys_;
    CLI::App* takedown_;
    std::vector<std::pair<CLI::App*, std::function<locara::Status()>>> verbs_;
};
