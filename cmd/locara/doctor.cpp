// locara doctor, and what `locara` alone says.
#include "broker_client.hpp"
#include "context.hpp"

#include <locara/base/bytes.hpp>
#include <locara/engine/engine.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/policy.hpp>
#include <locara/runtime/broker.hpp>
#include <locara/sandbox/profile.hpp>

namespace locara::cli {

namespace {

enum class Level { Ok, Note, Problem };

struct Finding {
    Level level;
    std::string subject;
    std::string text;
    std::string command; ///< What to type; empty for Ok.
};

constexpr std::string_view kLevels[] = {"ok", "note", "problem"};

void check_parts(std::vector<Finding>& out) {
    if (const auto engine = engine::find_llama_server(); engine) {
        out.push_back({Level::Ok, "engine", engine->string(), ""});
    } else {
        out.push_back({Level::Problem,
                       "engine",
                       engine.error().describe(),
                       "export LOCARA_ENGINE=/path/to/llama-server"});
    }
    if (const auto tools = sandbox::Tools::find(); tools) {
        const int abi = sandbox::landlock_abi();
        out.push_back({Level::Ok,
                       "sandbox",
                       "bubblewrap " + tools->bubblewrap.string() +
                           (abi > 0 ? ", Landlock version " + std::to_string(abi)
                                    : ", this kernel has no Landlock"),
                       ""});
    } else {
        out.push_back(
            {Level::Problem, "sandbox", tools.error().describe(), "sudo apt install bubblewrap"});
    }
    if (const auto share = runtime::find_share_folder(); !share) {
        out.push_back({Level::Problem, "pages", share.error().describe(), "./dev build"});
    }
}

/// While it is down, or says of what it did not look at that it is clean, no weights are installed.
void check_antivirus(std::vector<Finding>& out, const std::string& socket) {
    gate::Options options;
    options.clamd = socket;
    const auto version = gate::Gate(std::move(options)).check_antivirus();
    if (version) {
        out.push_back({Level::Ok,
                       "antivirus",
                       version->value_or("none") + ", tells of what exceeds its limits",
                       ""});
        return;
    }
    const bool answers = version.error().code() == ErrorCode::Unsupported;
    out.push_back(
        {Level::Problem,
         "antivirus",
         version.error().describe() + (answers ? " and restart it" : ""),
         answers ? "sudoedit /etc/clamav/clamd.conf" : "sudo systemctl restart clamav-daemon"});
}

void check_policy(std::vector<Finding>& out, const runtime::Home& home) {
    const auto policy = policy::Policy::load(home.policy_files());
    if (!policy) {
        // While it cannot be read nothing is installed and nothing starts.
        out.push_back({Level::Problem,
                       "policy",
                       policy.error().describe(),
                       "$EDITOR " + (home.config / "policy.toml").string()});
    } else if (!policy->rules().empty()) {
        out.push_back({Level::Ok, "policy", count(policy->rules().size(), "rule"), ""});
    }
    if (policy && !policy->clamd().empty()) {
        check_antivirus(out, policy->clamd());
    }
}

void check_device(std::vector<Finding>& out, const runtime::Home& home) {
    constexpr std::uint64_t kLittleDisk = 2'000'000'000;
    if (const auto device = runtime::probe_device(home.store); device) {
        out.push_back({device->disk_free_bytes < kLittleDisk ? Level::Note : Level::Ok,
                       "machine",
                       std::to_string(device->processors) + " cores, " +
                           render_memory(device->memory_total_bytes) + " memory (" +
                           render_memory(device->memory_available_bytes) + " free), " +
                           render_size(device->disk_free_bytes) + " free disk",
                       device->disk_free_bytes < kLittleDisk ? "locara df" : ""});
    } else {
        out.push_back({Level::Problem, "machine", device.error().describe(), "locara df"});
    }
}

void check_catalogs(std::vector<Finding>& out, const runtime::Installer& installer) {
    const auto states = installer.catalog_states();
    if (states.empty()) {
        out.push_back({Level::Note,
                       "hubs",
                       "no hub is known, so there is nothing to install from",
                       "locara hub add URL"});
    }
    const auto now = system_clock().now();
    for (const auto& state : states) {
        if (!state.fresh) {
            out.push_back({Level::Note,
                           "hub " + state.hub.url,
                           state.fresh.error().describe(),
                           "locara search --refresh"});
            continue;
        }
        out.push_back(
            {Level::Ok,
             "hub " + state.hub.url,
             "last checked " + (state.last_checked ? render_time(*state.last_checked) : "never"),
             ""});
        for (const auto& role : state.roles) {
            const auto left = role.expires - now;
            // Timestamp and snapshot are renewed all the time; the others by people.
            if (role.name != "timestamp" && role.name != "snapshot" &&
                left < std::chrono::days(7)) {
                out.push_back({Level::Note,
                               "hub " + state.hub.url,
                               "its role \"" + role.name + "\" lapses on " +
                                   render_time(role.expires) + "; its curators must sign anew",
                               "locara search --refresh"});
            }
        }
    }
}

void check_apps(std::vector<Finding>& out,
                runtime::Installer& installer,
                const runtime::Home& home) {
    const auto apps = installer.list();
    if (!apps) {
        out.push_back({Level::Problem, "apps", apps.error().describe(), "locara verify"});
        return;
    }
    auto store = store::Store::open(home.store);
    for (const auto& app : *apps) {
        std::size_t missing = 0;
        std::size_t resized = 0;
        for (const auto& model : app.lock.models) {
            for (const auto& file : model.files) {
                const auto here = store ? store->find(file.sha256) : std::nullopt;
                missing += here ? 0U : 1U;
                resized += here && here->size != file.size ? 1U : 0U;
            }
        }
        const auto said = installer.judge(app);
        const auto opened = runtime::open_installed(home, app.lock.app); // as before a start
        const auto taken = installer.find_takedown(app);
        if (!taken) { // without knowing, it does not start
            out.push_back({Level::Problem,
                           app.lock.app.render(),
                           taken.error().describe(),
                           "locara search --refresh"});
        } else if (*taken) {
            const bool warns = (*taken)->action == catalog::TakedownAction::Warn;
            out.push_back({warns ? Level::Note : Level::Problem,
                           app.lock.app.render(),
                           "was called back on " + (*taken)->date + " (" +
                               std::string(catalog::render((*taken)->action)) +
                               "): " + (*taken)->reason,
                           "locara show " + app.lock.app.render()});
        } else if (said && said->refuses()) { // a policy that cannot be read is a finding already
            out.push_back({Level::Problem,
                           app.lock.app.render(),
                           said->status().error().message(),
                           "locara policy test " + app.lock.app.render()});
        } else if (!opened) {
            out.push_back({Level::Problem,
                           app.lock.app.render(),
                           opened.error().describe(),
                           "locara install " + app.lock.app.render()});
        } else if (missing > 0) {
            out.push_back({Level::Problem,
                           app.lock.app.render(),
                           std::to_string(missing) + " of its files are not in the store",
                           "locara install " + app.lock.app.render()});
        } else if (resized > 0) {
            out.push_back({Level::Problem,
                           app.lock.app.render(),
                           count(resized, "file") + " of its weights " +
                               (resized == 1 ? "has" : "have") + " another size than was installed",
                           "locara verify " + app.lock.app.render()});
        } else {
            out.push_back(
                {Level::Ok, app.lock.app.render(), app.lock.version.render() + " is whole", ""});
        }
    }
    if (const auto broken = installer.storage().broken_pins(); !broken) {
        out.push_back({Level::Problem, "pins", broken.error().describe(), "locara df"});
    } else {
        for (const auto& pin : *broken) {
            out.push_back({Level::Problem,
                           "pin " + pin.name,
                           pin.is_file
                               ? "is not in the store, and nothing says where to fetch it; "
                                 "adopt it again or let it go"
                               : count(pin.missing.size(), "file") + " of it " +
                                     (pin.missing.size() == 1 ? "is" : "are") + " not in the store",
                           pin.command()});
        }
    }
    if (const auto use = installer.disk_use(); use) {
        if (use->store.quarantined > 0) {
            out.push_back(
                {Level::Problem,
                 "store",
                 std::to_string(use->store.quarantined) +
                     " files failed verification and are in quarantine; the disk may be failing",
                 "locara verify"});
        }
        if (use->unreferenced_files > 0) {
            out.push_back({Level::Note,
                           "store",
                           render_size(use->unreferenced_bytes) + " in files that no app names",
                           "locara df"});
        }
    }
}

} // namespace

Result<int> run_doctor(Context& context) {
    LOCARA_TRY(const auto home, context.home());
    std::vector<Finding> findings;
    check_device(findings, home);
    check_parts(findings);
    check_policy(findings, home);
    auto installer = context.installer();
    if (!installer) {
        findings.push_back(
            {Level::Problem, "state", installer.error().describe(), "locara hub list"});
    } else {
        check_catalogs(findings, *installer);
        check_apps(findings, *installer, home);
    }
    const bool running = BrokerClient(home).is_running();
    findings.push_back(
        {Level::Ok, "broker", running ? "running" : "not running; `locara run` starts it", ""});

    bool problem = false;
    Json list = Json::array();
    std::vector<std::vector<std::string>> rows;
    for (const auto& finding : findings) {
        problem = problem || finding.level == Level::Problem;
        const auto level = std::string(kLevels[static_cast<std::size_t>(finding.level)]);
        list.push_back({{"level", level},
                        {"subject", finding.subject},
                        {"text", finding.text},
                        {"command", finding.command.empty() ? Json() : Json(finding.command)}});
        rows.push_back(
            {level,
             finding.subject,
             finding.text + (finding.command.empty() ? "" : "  ->  " + finding.command)});
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.doctor/1"}, {"findings", std::move(list)}});
    } else {
        const auto style = context.out_style();
        context.print(render_table(rows, [&style](const std::string& level) {
            return style.paint(level == kLevels[0]   ? Tone::Good
                               : level == kLevels[1] ? Tone::Notice
                                                     : Tone::Bad,
                               level);
        }));
    }
    return problem ? kFailed : kDone;
}

Result<int> run_welcome(Context& context) {
    LOCARA_TRY(const auto home, context.home());
    LOCARA_TRY(const auto device, runtime::probe_device(home.store));
    std::string here = "nothing yet";
    std::string attempt = "locara hub add URL      to know a catalog of apps";
    // A first look must not fail for what `doctor` is there to explain.
    if (auto installer = context.installer(); installer) {
        const auto apps = installer->list();
        const auto use = installer->disk_use();
        if (apps && use && !apps->empty()) {
            here = count(apps->size(), "app") + ", " + render_size(use->store.file_bytes) +
                   " of weights";
            attempt = "locara run " + apps->front().lock.app.render() + "      " +
                      clean(apps->front().manifest.description);
        } else if (!installer->hubs().empty()) {
            attempt = "locara search      what there is";
            if (const auto found = installer->search(""); found && !found->empty()) {
                attempt = "locara run " + found->front().entry.manifest.id.render() + "      " +
                          clean(found->front().entry.manifest.description);
            }
        }
    }
    context.print("This machine   " + std::to_string(device.processors) + " cores, " +
                  render_memory(device.memory_total_bytes) + " memory (" +
                  render_memory(device.memory_available_bytes) + " free), " +
                  render_size(device.disk_free_bytes) + " free disk");
    context.print("Already here   " + here);
    context.print("Try            " + attempt);
    context.print("Help           locara --help, locara doctor");
    return kDone;
}

} // namespace locara::cli
