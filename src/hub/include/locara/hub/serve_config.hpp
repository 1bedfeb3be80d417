// ServeConfig: all of hub.toml, for who serves: what the hub itself needs (config.hpp), and what
// `serve` takes as options ([server]).
//
// Read as strictly as config.hpp says. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/hub/config.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace locara::hub {

/// An option of the command line wins over its key here.
struct ServerConfig {
    std::filesystem::path data; ///< Empty if it says none. load() makes it relative to the file's
                                ///< folder; so of `seed`.
    std::string listen;         ///< "ADDRESS:PORT"; empty for the default.
    std::string database;       ///< As `--database`; empty for what the data folder says.
    std::filesystem::path seed; ///< Empty for none.
    bool join = false;
    bool verbose = false;

    enum class LogFormat { Text, Json } log = LogFormat::Text;
};

struct ServeConfig {
    HubConfig hub;
    ServerConfig server;

    /// As HubConfig::parse and HubConfig::load.
    static Result<ServeConfig> parse(std::string_view text, const std::string& path);
    static Result<ServeConfig> load(const std::filesystem::path& path);
};

} // namespace locara::hub
