// The verbs `locara-hub org`: organizations and who belongs to them.
#pragma once

#include "confirmation.hpp"

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class OrgCommands {
  public:
    explicit OrgCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return org_->parsed(); }

    locara::Status run() const;

  private:
    CLI::App* add_verb(const char* name, const char* words);

    std::string data_;
    std::string name_;
    std::string full_name_;
    std::string user_;
    std::string role_ = "read";
    std::string visibility_;
    bool json_ = false;
    Confirmation confirmation_;
    CLI::App* org_;
    CLI::App* create_;
    CLI::App* list_;
    CLI::App* set_;
    CLI::App* rm_;
    CLI::App* add_member_;
    CLI::App* set_role_;
    CLI::App* remove_member_;
};
