#include "configuration.hpp"

#include <locara/gate/gate.hpp>

#include <cstdio>
#include <filesystem>

using namespace locara;

namespace fs = std::filesystem;

void Configuration::add_to(CLI::App* verb) {
    verb->add_option("--clamd", clamd, "Unix socket of the clamd that must pass each file")
        ->type_name("SOCKET");
    verb->add_option(
        "--config",
        path,
        "hub.toml: where and how to serve, antivirus, which hub to mirror; else the one in the "
        "data folder");
}

Result<hub::ServeConfig> Configuration::start(const std::string& data) const {
    fs::path file = path;
    std::error_code error;
    if (file.empty() && fs::exists(fs::path(data) / "hub.toml", error)) {
        file = fs::path(data) / "hub.toml";
    }
    hub::ServeConfig config;
    if (!file.empty()) {
        LOCARA_TRY(config, hub::ServeConfig::load(file).context("the configuration"));
    }
    if (!clamd.empty()) {
        config.hub.clamd = clamd;
    }
    if (!config.hub.clamd.empty()) {
        gate::Options options;
        options.clamd = config.hub.clamd;
        gate::configure(std::move(options));
        LOCARA_TRY(const auto version,
                   gate::shared_gate().antivirus_version().context(
                       clamd.empty() ? file.string() + ": scanners.clamd" : "--clamd"));
        std::fprintf(stderr, "locara-hub: files pass %s\n", version.value_or("").c_str());
    }
    return config;
}
