// The verbs `locara-hub user` and `locara-hub token`.
#pragma once

#include "confirmation.hpp"

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

/// Registers the verbs with the program's parser, which must outlive this.
class AccountCommands {
  public:
    explicit AccountCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return user_->parsed() || token_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status add_user() const;
    locara::Status list_users() const;
    locara::Status remove_user() const;
    locara::Status set_user() const;
    locara::Status create_token() const;
    locara::Status list_tokens() const;
    locara::Status revoke_token() const;

    std::string data_;
    bool json_ = false;
    std::string user_name_;
    std::string full_name_;
    std::optional<std::string> email_;
    std::optional<std::string> website_;
    std::string token_name_ = "default";
    std::string role_ = "read";
    std::string expires_;
    std::vector<std::string> scopes_;
    std::string id_;
    Confirmation confirmation_;
    CLI::App* user_;
    CLI::App* list_users_;
    CLI::App* rm_;
    CLI::App* set_;
    CLI::App* token_;
    CLI::App* create_;
    CLI::App* list_;
    CLI::App* revoke_;
};
