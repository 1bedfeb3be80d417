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
        "hub.toml: antivirus, which hub to mirror, by which rules; else the one in the "
        "data folder");
}

Result<hub::HubConfig> Configuration::start(const std::string& data) const {
    fs::path file = path;
    std::error_code error;
    if (file.empty() && fs::exists(fs::path(data) / "hub.toml", error)) {
        file = fs::path(data) / "hub.toml";
    }
    hub::HubConfig config;
    if (!file.empty()) {
        LOCARA_TRY(config, hub::HubConfig::load(file).context("the configuration"));
    }
    if (!clamd.empty()) {
        config.clamd = clamd;
    }
    if (!config.clamd.empty()) {
        gate::Options options;
        options.clamd = config.clamd;
        gate::configure(std::move(options));
        LOCARA_TRY(const auto version,
                   gate::shared_gate().antivirus_version().context(
                       clamd.empty() ? file.string() + ": scanners.clamd" : "--clamd"));
        std::fprintf(stderr, "locara-hub: files pass %s\n", version.value_or("").c_str());
    }
    return config;
}
