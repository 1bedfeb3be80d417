#include "configuration.hpp"

#include <locara/gate/gate.hpp>

#include <cstdio>
#include <filesystem>

using namespace locara;

namespace fs = std::filesystem;

void Configuration::add_to(CLI::App* verb) {
    verb->add_option("--clamd", clamd, "Unix socket of the clamd that must pass each file")
        ->type_name("SOCKET");
    verb->add_option("--config",
                     path,
                     "hub.toml: where and how to serve, limits, quotas, antivirus, which hub to "
                     "mirror; else the one "
                     "in the data folder");
}

Result<hub::ServeConfig> read_configuration(const std::string& path, const std::string& data) {
    fs::path file = path;
    std::error_code error;
    if (file.empty() && !data.empty() && fs::exists(fs::path(data) / "hub.toml", error)) {
        file = fs::path(data) / "hub.toml";
    }
    if (file.empty()) {
        return hub::ServeConfig();
    }
    return hub::ServeConfig::load(file).context("the configuration");
}

Result<hub::ServeConfig> Configuration::start(const std::string& data) const {
    LOCARA_TRY(hub::ServeConfig config, read_configuration(path, data));
    if (!clamd.empty()) {
        config.hub.clamd = clamd;
    }
    if (!config.hub.clamd.empty()) {
        gate::Options options;
        options.clamd = config.hub.clamd;
        gate::configure(std::move(options));
        LOCARA_TRY(const auto version,
                   gate::shared_gate().check_antivirus().context(
                       clamd.empty() ? "hub.toml: scanners.clamd" : "--clamd"));
        std::fprintf(stderr, "locara-hub: files pass %s\n", version.value_or("").c_str());
    }
    return config;
}
