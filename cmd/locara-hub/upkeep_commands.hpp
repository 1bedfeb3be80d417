// The verbs `locara-hub gc`, `fsck`, `rescan`, `stats`, `backup` and `restore`.
#pragma once

#include "configuration.hpp"

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <stop_token>
#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class UpkeepCommands {
  public:
    explicit UpkeepCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const;

    /// Cancelled when `stop` is asked to; what was done by then stays done.
    locara::Status run(const std::stop_token& stop) const;

  private:
    locara::Status collect(const std::stop_token& stop) const;
    locara::Status check(const std::stop_token& stop) const;
    locara::Status rescan(const std::stop_token& stop) const;
    locara::Status tell_of_takedowns() const;
    locara::Status count() const;
    locara::Status copy(const std::stop_token& stop) const;

    Configuration configuration_;
    std::string data_;
    std::string grace_ = "24h";
    bool dry_run_ = false;
    bool set_aside_ = false;
    bool json_ = false;
    bool all_ = false;
    CLI::App* gc_;
    CLI::App* fsck_;
    CLI::App* rescan_;
    CLI::App* stats_;
    CLI::App* backup_;
    CLI::App* restore_;
    std::string copy_;
    std::string database_;
    bool link_ = false;
};
