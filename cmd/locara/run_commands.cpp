// locara run, serve, stop, status
#include "broker_client.hpp"
#include "catalog_age.hpp"
#include "context.hpp"

#include <locara/engine/engine.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/broker.hpp>
#include <locara/runtime/registry.hpp>

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include <spawn.h>
#include <sys/wait.h>

extern char** environ; // NOLINT(readability-redundant-declaration): POSIX wants it declared here

namespace locara::cli {

namespace {

std::string app_path(const manifest::AppId& id, const char* action) {
    return "/locara/v1/apps/" + id.publisher + "/" + id.name + "/" + action;
}

Result<std::string> get_text(const Json& json, const char* key) {
    if (!json.is_object() || !json.value(key, Json()).is_string()) {
        return Error(ErrorCode::Internal, std::string("the broker's answer lacks \"") + key + "\"");
    }
    return json.at(key).get<std::string>();
}

Status open_browser(const std::string& url) {
    std::string name = "xdg-open";
    std::string address = url;
    char* const arguments[] = {name.data(), address.data(), nullptr};
    pid_t pid = -1;
    if (const int failed = posix_spawnp(&pid, "xdg-open", nullptr, nullptr, arguments, environ);
        failed != 0) {
        return Error(ErrorCode::Unavailable,
                     "no browser could be opened (xdg-open: " +
                         std::generic_category().message(failed) + "); open the address yourself");
    }
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return Error(ErrorCode::Unavailable, "xdg-open failed; open the address yourself");
    }
    return {};
}

/// What who starts an app should know and is no reason not to start it: a catalog that nobody heard
/// of for too long, and what its curators warn of.
Status tell_what_is_known(Context& context, const runtime::InstalledEntry& app) {
    LOCARA_TRY(auto installer, context.installer());
    for (const auto& state : installer.catalog_states()) {
        if (state.hub.url == app.lock.hub && !state.fresh) {
            context.say("warning " + clean(state.fresh.error().describe()) + "; last checked " +
                        (state.last_checked ? render_time(*state.last_checked) : "never"));
        }
    }
    LOCARA_TRY(const auto taken, installer.find_takedown(app));
    // What may not run, the broker refuses to start.
    if (policy::answer(policy::Door::Load, taken) == policy::Answer::Warn) {
        context.say("warning " + app.lock.app.render() + " was called back on " + taken->date +
                    " (" + std::string(catalog::render(taken->action)) +
                    "): " + clean(taken->reason));
    }
    return {};
}

/// Installs the app if it is not here. False: the user said no.
Result<bool> ensure_installed(Context& context, const manifest::AppRef& ref) {
    LOCARA_TRY(auto installer, context.installer());
    const auto installed = installer.get(ref.id);
    if (installed && (ref.version.empty() || installed->lock.version.render() == ref.version)) {
        refresh_if_old(context);
        LOCARA_CHECK(tell_what_is_known(context, *installed));
        return true;
    }
    // The plan is for people to see, also when the answer is JSON.
    const bool json = std::exchange(context.flags.json, false);
    const auto outcome = install_with_plan(context, installer, ref);
    context.flags.json = json;
    if (!outcome) {
        return outcome.error();
    }
    return outcome->lock.has_value();
}

std::string text_of(const Json& object, const char* key) {
    return object.is_object() && object.value(key, Json()).is_string()
               ? object.at(key).get<std::string>()
               : std::string();
}

/// What the broker says of itself (docs/local-api.md), one row for each thing that runs.
std::string render_status(const Json& status) {
    std::vector<std::vector<std::string>> rows = {{"broker", text_of(status, "origin"), ""}};
    for (const auto& app : status.value("apps", Json::array())) {
        rows.push_back({"app", text_of(app, "id"), text_of(app, "version")});
    }
    for (const auto& engine : status.value("engines", Json::array())) {
        const bool running = engine.is_object() && engine.value("running", Json()) == true;
        rows.push_back({"engine", text_of(engine, "model"), running ? "running" : "stopped"});
    }
    return render_table(rows);
}

Result<std::uint16_t> port_of(const ServeOptions& options) {
    if (options.port != 0) {
        return options.port;
    }
    const char* text = std::getenv("LOCARA_PORT");
    if (text == nullptr || *text == '\0') {
        return runtime::kBrokerPort;
    }
    const std::string_view digits(text);
    std::uint16_t port = 0;
    const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (code != std::errc() || stop != digits.data() + digits.size() || port == 0) {
        return Error(ErrorCode::InvalidArgument,
                     "LOCARA_PORT is \"" + std::string(digits.substr(0, 40)) +
                         "\"; a port from 1 to 65535 is wanted");
    }
    return port;
}

} // namespace

Result<int> run_app(Context& context, const RunOptions& options) {
    LOCARA_TRY(const auto ref, manifest::AppRef::parse(options.app));
    LOCARA_TRY(const bool installed, ensure_installed(context, ref));
    if (!installed) {
        return kDone;
    }
    LOCARA_TRY(auto home, context.home());
    // One that cannot be read refuses everything; here it is said whose fault that is.
    LOCARA_CHECK(policy::Policy::load(home.policy_files()));
    const BrokerClient broker(std::move(home));
    LOCARA_CHECK(broker.ensure_running(context));
    const EndAtOnce nothing_is_lost; // the broker goes on; the answer is not waited for
    if (options.once) {
        const Json body = {{"text", *options.once}};
        LOCARA_TRY(const auto reply,
                   broker.send("POST", app_path(ref.id, "once"), render_json(body)));
        LOCARA_TRY(const auto answer, get_text(reply, "answer"));
        if (context.flags.json) {
            context.print_json(
                {{"schema", "locara.run/1"}, {"app", ref.id.render()}, {"answer", answer}});
        } else {
            context.print(answer);
        }
        return kDone;
    }
    LOCARA_TRY(const auto reply, broker.send("POST", app_path(ref.id, "launch"), "{}"));
    LOCARA_TRY(const auto url, get_text(reply, "url"));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.run/1"}, {"app", ref.id.render()}, {"url", url}});
    } else {
        context.print(url);
        context.say("Open it in a browser on this machine within ten minutes; it works once.");
    }
    if (options.open) {
        LOCARA_CHECK(open_browser(url));
    }
    return kDone;
}

Result<int> run_serve(Context& context, const ServeOptions& options) {
    LOCARA_TRY(const auto home, context.home());
    LOCARA_CHECK(home.create_folders());
    // Always a log here: in the foreground for the person, in the background for the file.
    auto& log = stderr_log(context.flags.verbose > 0 ? LogLevel::Debug : LogLevel::Info);
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(auto store, store::Store::open(home.store));
    runtime::Registry registry(home, store, system_clock());

    engine::SupervisorOptions engines;
    LOCARA_TRY(engines.llama_server, engine::find_llama_server());
    LOCARA_TRY(engines.tools, sandbox::Tools::find());
    engines.runtime_folder = home.run / "engines";
    engines.log = &log;
    LOCARA_TRY(const auto supervisor, engine::Supervisor::create(std::move(engines)));

    runtime::BrokerOptions broker_options;
    LOCARA_TRY(broker_options.port, port_of(options));
    LOCARA_TRY(broker_options.share, runtime::find_share_folder());
    broker_options.unix_socket = home.broker_socket();
    broker_options.audit_log = home.audit_log();
    broker_options.registry = &registry;
    broker_options.engines = supervisor.get();
    broker_options.log = &log;
    if (options.idle_seconds > 0) {
        broker_options.idle_timeout = std::chrono::seconds(options.idle_seconds);
    }
    if (options.context_limit > 0) {
        broker_options.context_limit = options.context_limit;
    }
    LOCARA_TRY(const auto broker, runtime::Broker::start(std::move(broker_options)));
    {
        const CatalogWatch catalogs(context);
        const std::stop_callback on_signal(interrupt_token(), [&] { broker->request_stop(); });
        broker->wait();
    }
    return interrupt_signal() == 0 ? kDone : 128 + interrupt_signal();
}

Result<int> run_stop(Context& context) {
    LOCARA_TRY(auto home, context.home());
    const BrokerClient broker(std::move(home));
    const bool ran = broker.is_running();
    if (ran) {
        LOCARA_CHECK(broker.send("POST", "/locara/v1/stop", "{}"));
        LOCARA_CHECK(broker.wait_until(BrokerClient::Until::Gone));
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.stop/1"}, {"was_running", ran}});
    }
    context.say(ran ? "Stopped." : "No broker is running.");
    return kDone;
}

Result<int> run_status(Context& context) {
    LOCARA_TRY(auto home, context.home());
    const BrokerClient broker(std::move(home));
    auto status = broker.send("GET", "/locara/v1/status", "");
    if (!status) {
        if (context.flags.json) {
            context.print_json({{"schema", "locara.status/1"}, {"running", false}});
        }
        return Error(ErrorCode::NotFound, "no broker is running; `locara run APP` starts one");
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.status/1"}, {"running", true}, {"broker", *status}});
    } else {
        context.print(render_status(*status));
    }
    return kDone;
}

} // namespace locara::cli
