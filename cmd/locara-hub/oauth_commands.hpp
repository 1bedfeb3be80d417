// The verbs `locara-hub oauth`: which programs may ask people for tokens.
#pragma once

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

/// Registers the verbs with the program's parser, which must outlive this.
class OAuthCommands {
  public:
    explicit OAuthCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return oauth_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status add() const;
    locara::Status list() const;

    std::string data_;
    std::string id_;
    std::string name_;
    std::vector<std::string> redirects_;
    std::vector<std::string> scopes_ = {"openid", "profile", "email"};
    bool json_ = false;
    CLI::App* oauth_;
    CLI::App* add_;
    CLI::App* list_;
    CLI::App* rm_;
};
