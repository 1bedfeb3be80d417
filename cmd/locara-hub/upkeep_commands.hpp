// The verbs `locara-hub gc` and `locara-hub fsck`.
#pragma once

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <stop_token>
#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class UpkeepCommands {
  public:
    explicit UpkeepCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return gc_->parsed() || fsck_->parsed(); }

    /// Cancelled when `stop` is asked to; what was done by then stays done.
    locara::Status run(const std::stop_token& stop) const;

  private:
    locara::Status collect(const std::stop_token& stop) const;
    locara::Status check(const std::stop_token& stop) const;

    std::string data_;
    std::string grace_ = "24h";
    bool dry_run_ = false;
    bool set_aside_ = false;
    bool json_ = false;
    CLI::App* gc_;
    CLI::App* fsck_;
};
