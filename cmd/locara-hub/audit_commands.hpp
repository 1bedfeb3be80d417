// `locara-hub audit`: the record of who did what, read and verified; and what commands add to it.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

class AuditCommands {
  public:
    explicit AuditCommands(CLI::App& app);

    bool parsed() const { return group_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status list() const;
    locara::Status verify() const;

    CLI::App* group_;
    CLI::App* list_;
    CLI::App* verify_;
    std::string data_;
    std::string event_;
    std::string by_;
    bool json_ = false;
};

/// Notes what a command has just done, by who runs it.
locara::Status record(const std::string& data, std::string_view event, locara::Json fields);
