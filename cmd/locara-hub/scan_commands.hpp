// The verb `locara-hub scan show`.
#pragma once

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Registers the verb with the program's parser, which must outlive this.
class ScanCommands {
  public:
    explicit ScanCommands(CLI::App& app);

    bool parsed() const { return group_->parsed(); }

    locara::Status run() const;

  private:
    CLI::App* group_;
    CLI::App* show_;
    std::string repo_;
    std::string data_;
    bool issues_ = false;
    bool json_ = false;
};
