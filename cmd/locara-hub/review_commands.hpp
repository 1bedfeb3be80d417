// The verbs of `locara-hub review`: what curators do with apps that were submitted.
#pragma once

#include "catalog_access.hpp"
#include "configuration.hpp"
#include "draft_signing.hpp"

#include <locara/hub/reviews.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// Registers the verbs with the program's parser, which must outlive this.
class ReviewCommands {
  public:
    explicit ReviewCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return review_->parsed(); }

    locara::Status run() const;

  private:
    CLI::App*
    verb(const char* name, const char* help, locara::Status (ReviewCommands::*action)() const);
    CLI::App* verb_on_one(const char* name,
                          const char* help,
                          locara::Status (ReviewCommands::*action)() const);
    void add_curator(CLI::App* verb);
    void add_signing(CLI::App* verb);

    locara::Result<locara::hub::ReviewDesk> open() const;
    locara::Status decide(locara::hub::ReviewState to) const;
    /// Makes a change of the catalog public, or writes it for others to sign; the step is noted
    /// once the catalog has it.
    locara::Status
    change_catalog(locara::hub::ReviewState to,
                   const std::function<locara::Result<locara::hub::ReviewDesk::Staged>(
                       locara::hub::ReviewDesk&,
                       const locara::hub::Submission&,
                       locara::catalog::Repository&)>& stage) const;
    void print(const locara::hub::Submission& submission) const;

    locara::Status list() const;
    locara::Status show() const;
    locara::Status check() const;
    locara::Status approve() const;
    locara::Status reject() const;
    locara::Status publish() const;
    locara::Status sign() const;
    locara::Status yank() const;
    locara::Status verify() const;

    CatalogAccess access_;
    DraftSigning signing_;
    Configuration configuration_;
    std::uint64_t number_ = 0;
    std::string state_;
    std::string who_;
    std::string rule_;
    std::string why_;
    std::vector<std::string> accepted_;
    bool json_ = false;
    CLI::App* review_;
    std::vector<std::pair<CLI::App*, locara::Status (ReviewCommands::*)() const>> verbs_;
};
