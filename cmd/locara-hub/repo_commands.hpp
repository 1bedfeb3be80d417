// The verbs `locara-hub repo`: what an operator does to a hub's own repositories.
#pragma once

#include "configuration.hpp"
#include "confirmation.hpp"

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class RepoCommands {
  public:
    explicit RepoCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return group_->parsed(); }

    locara::Status run() const;

  private:
    CLI::App* add_verb(const char* name, const char* words);

    std::string data_;
    std::string id_;
    std::string to_;
    std::string visibility_;
    std::string gate_;
    Configuration configuration_;
    Confirmation confirmation_;
    bool public_ = false;
    bool private_ = false;
    bool json_ = false;
    CLI::App* group_;
    CLI::App* list_;
    CLI::App* create_;
    CLI::App* remove_;
    CLI::App* move_;
    CLI::App* set_;
};
