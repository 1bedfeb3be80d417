// hub.toml and the antivirus that it names: what every verb of the hub that lets files in shares.
#pragma once

#include <locara/base/result.hpp>
#include <locara/hub/serve_config.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// The configuration at `path`, else that of the data folder, else the defaults. An empty text for
/// what is not given.
locara::Result<locara::hub::ServeConfig> read_configuration(const std::string& path,
                                                            const std::string& data);

struct Configuration {
    std::string path;  ///< --config; empty: hub.toml in the data folder, if there is one.
    std::string clamd; ///< --clamd; empty: what the configuration says.

    void add_to(CLI::App* verb);

    /// Reads the configuration and hands the antivirus to the gate. Before the gate's first use.
    /// An antivirus that is down from the start is an error (Unavailable); later, files are
    /// refused.
    locara::Result<locara::hub::ServeConfig> start(const std::string& data) const;
};
