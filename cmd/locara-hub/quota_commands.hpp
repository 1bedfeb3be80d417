// The verbs `locara-hub quota`: what users and organizations may store.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Registers the verbs with the program's parser, which must outlive this.
class QuotaCommands {
  public:
    explicit QuotaCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return quota_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status show() const;
    locara::Status set() const;
    /// Notes and shows what was set.
    locara::Status tell(const locara::Json& bytes) const;

    std::string data_;
    std::string config_;
    std::string name_;
    std::string size_;
    bool json_ = false;
    CLI::App* quota_;
    CLI::App* show_;
    CLI::App* set_;
};
