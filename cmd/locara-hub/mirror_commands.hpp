// The verbs `locara-hub mirror list` and `locara-hub mirror rm`.
#pragma once

#include "confirmation.hpp"

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class MirrorCommands {
  public:
    explicit MirrorCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return group_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status list() const;

    std::string data_;
    std::string id_;
    bool json_ = false;
    Confirmation confirmation_;
    CLI::App* group_;
    CLI::App* list_;
    CLI::App* remove_;
};
