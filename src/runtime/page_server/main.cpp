// locara-page-server: the broker with one app that is not installed, for a check of its page.
//
//   locara-page-server BUNDLE SHARE FOLDER
//
// BUNDLE is an unpacked bundle, SHARE has the shell's pages, FOLDER gets the socket for tools
// (broker.sock) and the audit log. What it serves is what people get: pages, headers, codes and
// tokens are the broker's. The app has no models, so what it asks of one is refused.
// It is started by src/runtime/page_check.cpp, in a network namespace of its own, and killed there.
#include <locara/base/file.hpp>
#include <locara/engine/engine.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/runtime/broker.hpp>

#include <cstdio>
#include <filesystem>
#include <string>

using namespace locara;

namespace fs = std::filesystem;

namespace {

class OneApp final : public runtime::AppRegistry {
  public:
    explicit OneApp(runtime::InstalledApp app) : app_(std::move(app)) {}

    Result<runtime::InstalledApp> get(std::string_view label) override {
        if (label != app_.manifest.id.label()) {
            return Error(ErrorCode::NotFound, "there is only " + app_.manifest.id.render());
        }
        return app_;
    }

    std::optional<std::string> blocked(const runtime::InstalledApp& /*app*/) override {
        return std::nullopt;
    }

  private:
    runtime::InstalledApp app_;
};

Status serve(const fs::path& bundle, const fs::path& share, const fs::path& folder) {
    LOCARA_TRY(const std::string json,
               read_file(bundle / "locara.json", manifest::kManifestLimitBytes));
    LOCARA_TRY(auto manifest, manifest::AppManifest::parse(json));
    OneApp registry({std::move(manifest), bundle, {}});
    engine::SupervisorOptions engines; // none will be asked for
    engines.runtime_folder = folder / "engines";
    LOCARA_TRY(const auto supervisor, engine::Supervisor::create(std::move(engines)));
    runtime::BrokerOptions options;
    options.unix_socket = folder / "broker.sock";
    options.audit_log = folder / "audit.jsonl";
    options.share = share;
    options.registry = &registry;
    options.engines = supervisor.get();
    LOCARA_TRY(const auto broker, runtime::Broker::start(options));
    broker->wait();
    return {};
}

} // namespace

int main(int count, char** words) {
    if (count != 4) {
        std::fprintf(stderr, "locara-page-server is started by Locara only\n");
        return 2;
    }
    const Status served = serve(words[1], words[2], words[3]);
    if (!served) {
        std::fprintf(stderr, "locara-page-server: %s\n", served.error().describe().c_str());
        return 1;
    }
    return 0;
}
