#include "audit_queue.hpp"
#include "inference.hpp"
#include "pages.hpp"

#include <locara/crypto/chained_log.hpp>
#include <locara/http/local_client.hpp>
#include <locara/http/server.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/runtime/broker.hpp>
#include <locara/runtime/launch.hpp>
#include <locara/runtime/origin.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace locara::runtime {

namespace {

namespace asio = boost::asio;
using http::Request;
using http::Response;
using SteadyClock = std::chrono::steady_clock;
using App =
    std::shared_ptr<const InstalledApp>; // Shared by the table of running apps and requests.

constexpr std::uint64_t kBodyLimit = 4U << 20U;
constexpr std::size_t kTailBytes = 4096;
constexpr std::chrono::minutes kAnswerTimeout{10};
/// What a chat template may make of the messages, as JSON.
constexpr std::uint64_t kTemplateBytes = 1U << 20U;
constexpr std::chrono::seconds kTakedownStep{1};

Response
problem(int status, std::string_view code, std::string_view detail, std::string_view hint) {
    Json document = {{"type", "about:blank"},
                     {"title", http::reason_phrase(status)},
                     {"status", status},
                     {"detail", detail},
                     {"code", code}};
    if (!hint.empty()) {
        document["hint"] = hint;
    }
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/problem+json");
    response.body = render_json(document);
    return response;
}

Response problem(const Error& error) {
    const ApiError shape = api_error(error);
    return problem(shape.status, shape.code, shape.message, shape.hint);
}

// Errors in the shape that clients of that path know.
Response refuse(std::string_view path, int status, std::string_view code, std::string_view detail) {
    if (path.rfind("/v1", 0) == 0) {
        return ApiError{status, std::string(code), std::string(detail), ""}.response();
    }
    return problem(status, code, detail, "");
}

std::string shorten(std::string_view text) {
    return std::string(text.substr(0, 200));
}

Json app_json(const manifest::AppManifest& app) {
    return {{"id", app.id.render()},
            {"name", app.name},
            {"version", app.version.render()},
            {"publisher", app.id.publisher},
            {"description", app.description},
            {"kind", manifest::render(app.entry.kind)}};
}

std::string digest_text(const AppModel& model) {
    return "sha256:" + model.manifest.digest().render();
}

// The whole of a text in a prompt's first field. A form shows the first of its choices; so do we.
Result<std::string> fill_first_field(const manifest::Prompt& prompt, const std::string& text) {
    std::map<std::string, std::string> values;
    for (const auto& field : prompt.fields) {
        if (field.required && field.kind == manifest::PromptField::Kind::Choice) {
            values[field.name] = field.choices.front();
        }
    }
    if (!prompt.fields.empty()) {
        values[prompt.fields.front().name] = text;
    }
    return manifest::fill_prompt(prompt, values);
}

Json once_body(const manifest::Prompt& prompt, const std::string& filled) {
    Json body = {{"messages", {{{"role", "user"}, {"content", filled}}}}};
    if (prompt.output_schema) {
        if (auto schema = parse_json(*prompt.output_schema)) {
            body["response_format"] = {
                {"type", "json_schema"},
                {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", *schema}}}};
        }
    }
    return body;
}

/// {"app": label, <member>: a secret}, as the shell sends it; no id if it is anything else.
struct ShellRequest {
    std::string label;
    std::optional<manifest::AppId> id;
    std::string secret;
};

ShellRequest read_shell_request(const Request& request, const char* member) {
    const auto json = parse_json(request.body);
    const auto text = [&](const char* name) {
        return json && json->is_object() && json->contains(name) && (*json)[name].is_string()
                   ? (*json)[name].get<std::string>()
                   : std::string();
    };
    ShellRequest asked{text("app"), std::nullopt, text(member)};
    if (auto id = manifest::AppId::parse_label(asked.label)) {
        asked.id = std::move(*id);
    }
    return asked;
}

// {"choices":[{"message":{"content":"..."}}]} -> the content.
Result<std::string> read_content(const std::string& answer) {
    const auto json = parse_json(answer);
    if (json && json->is_object() && json->contains("choices") && (*json)["choices"].is_array() &&
        !(*json)["choices"].empty()) {
        const Json& first = (*json)["choices"][0];
        if (first.is_object() && first.contains("message") && first["message"].is_object() &&
            first["message"].contains("content") && first["message"]["content"].is_string()) {
            return first["message"]["content"].get<std::string>();
        }
    }
    return Error(ErrorCode::Corrupt, "the engine's answer has no message");
}

} // namespace

struct Broker::State {
    State(BrokerOptions chosen, crypto::ChainedLog audit_log, Log& where)
        : options(std::move(chosen)), log(where), audit(std::move(audit_log), where) {}

    // Constant once start() has returned.
    BrokerOptions options;
    Log& log;
    Origins origins{0};

    AuditQueue audit;
    LaunchCodes codes;
    Tokens tokens;
    http::BlockingPool pool{6};
    std::stop_source stopping;
    std::atomic<int> active{0};
    std::atomic<SteadyClock::time_point> last_used{SteadyClock::now()};

    mutable std::mutex mutex;
    std::condition_variable_any changed;
    std::map<std::string, App, std::less<>> running; // GUARDED_BY(mutex); by label
    /// Why an app was stopped, until it is started again. By label.
    std::map<std::string, std::string, std::less<>> stopped; // GUARDED_BY(mutex)
    struct Flow;
    std::set<Flow*> flows; // GUARDED_BY(mutex); each takes itself out
    bool ended = false;    // GUARDED_BY(mutex)

    std::unique_ptr<http::Server> server;
    std::jthread keeper;

    // Counts as use for as long as it lives.
    class Use {
      public:
        explicit Use(State& state) : state_(&state) { ++state.active; }

        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

        ~Use() {
            state_->last_used = SteadyClock::now();
            --state_->active;
        }

      private:
        State* state_;
    };

    // One request to an engine, from its start to its end, however it ends; noted when it goes.
    struct Flow {
        Flow(State& of, App asker, const AppModel& wanted, Route asked)
            : state(of), use(of), app(std::move(asker)), model(wanted), route(asked) {
            const std::lock_guard lock(state.mutex);
            state.flows.insert(this);
        }

        Flow(const Flow&) = delete;
        Flow& operator=(const Flow&) = delete;

        ~Flow() {
            {
                const std::lock_guard lock(state.mutex);
                state.flows.erase(this);
            }
            const TokenCounts counts = count_tokens(tail);
            const auto took =
                std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began);
            state.audit.note("asked",
                             {{"app", app->manifest.id.render()},
                              {"version", app->manifest.version.render()},
                              {"route", path_of(route)},
                              {"role", model.role},
                              {"model", digest_text(model)},
                              {"prompt_tokens", counts.prompt},
                              {"answer_tokens", counts.answer},
                              {"ms", took.count()},
                              {"outcome", outcome}});
        }

        State& state;
        Use use;
        App app;
        const AppModel& model; ///< In `app`.
        Route route;
        SteadyClock::time_point began = SteadyClock::now();
        std::string outcome = "left"; ///< "answered", "refused", "failed"; or the client went away.
        std::string tail;             ///< The end of the answer, for its token counts.
        std::optional<engine::Lease> lease;
        std::optional<http::LocalExchange> exchange;
        std::stop_source stop;                 ///< Ends its wait for an engine.
        std::optional<std::string> taken_down; // GUARDED_BY(state.mutex); why it was ended
        /// With the broker it ends, too.
        std::stop_callback<std::function<void()>> with_broker{state.stopping.get_token(),
                                                              [this] { stop.request_stop(); }};
    };

    asio::awaitable<Response> handle(Request request);
    asio::awaitable<Response> handle_tools(const Request& request);
    asio::awaitable<Response> handle_page(Request request);
    asio::awaitable<Response> handle_shell(const Request& request);
    asio::awaitable<Response> handle_app(Request request, manifest::AppId id);

    Response status() const;
    asio::awaitable<Response> launch(std::string label);
    asio::awaitable<Response> once(std::string label, std::string body);
    Response exchange_code(const Request& request);
    Response close_session(const Request& request);
    Response tell_session(const Request& request);

    Response serve_file(const Request& request, const InstalledApp& app) const;
    std::optional<Response> refuse_without_token(const Request& request, const std::string& label);
    Response describe_app(const InstalledApp& app) const;
    Response list_models(const InstalledApp& app) const;
    asio::awaitable<Response> infer(Request request, App app, Route route);
    asio::awaitable<Response> answer(std::shared_ptr<Flow> flow, EngineRequest asked);

    asio::awaitable<Status> open_engine(Flow& flow, std::string body);
    asio::awaitable<Status> try_template(Flow& flow, std::string body);
    asio::awaitable<Result<std::string>> read_answer(Flow& flow);
    asio::awaitable<Error> explain(Flow& flow, Error error);
    std::optional<Error> refusal_of(const Flow& flow) const;
    engine::EngineSpec make_spec(const AppModel& model) const;

    asio::awaitable<Result<App>> find_startable(std::string label);
    App find_running(std::string_view label) const;
    std::optional<std::string> find_stopped(std::string_view label) const;
    void deny(const Request& request, std::string_view app, std::string_view code, Json more);
    void end();
    void keep(const std::stop_token& stop);
    void enforce_takedowns();
    std::vector<App> apps_at_work() const;
    void end_work(const InstalledApp& app, const std::string& reason);
    void stop_engines(const InstalledApp& app);
};

// ---- Doors

asio::awaitable<Response> Broker::State::handle(Request request) {
    const Use use(*this);
    const bool from_tool = request.peer.is_unix();
    Response response;
    if (from_tool) {
        response = co_await handle_tools(request);
    } else {
        response = co_await handle_page(std::move(request));
    }
    if (!response.headers.find("Content-Security-Policy")) {
        add_plain_headers(response);
    }
    co_return response;
}

asio::awaitable<Response> Broker::State::handle_tools(const Request& request) {
    if (request.peer.uid != geteuid() || request.headers.find("Origin")) {
        deny(request, "", "foreign_user", Json::object());
        co_return problem(403, "foreign_user", "this socket is for its owner's own programs", "");
    }
    const auto& parts = request.segments;
    const bool ours = parts.size() >= 3 && parts[0] == "locara" && parts[1] == "v1";
    const bool get = request.method == "GET" || request.method == "HEAD";
    if (ours && parts.size() == 3 && parts[2] == "status" && get) {
        co_return status();
    }
    if (ours && parts.size() == 3 && parts[2] == "stop" && request.method == "POST") {
        end();
        co_return http::json_response(200, R"({"stopping":true})");
    }
    if (ours && parts.size() == 6 && parts[2] == "apps" && request.method == "POST") {
        const auto id = manifest::AppId::parse(parts[3] + "/" + parts[4]);
        if (!id) {
            co_return problem(id.error());
        }
        if (parts[5] == "launch") {
            co_return co_await launch(id->label());
        }
        if (parts[5] == "once") {
            co_return co_await once(id->label(), request.body);
        }
    }
    co_return problem(404, "not_found", "the broker has no such address", "See docs/local-api.md.");
}

asio::awaitable<Response> Broker::State::handle_page(Request request) {
    Site site;
    if (const auto denial = origins.check(request, site)) {
        deny(request, site.app ? site.app->render() : "", denial->code, Json::object());
        co_return refuse(request.path, denial->status, denial->code, denial->detail);
    }
    if (site.is_shell()) {
        co_return co_await handle_shell(request);
    }
    co_return co_await handle_app(std::move(request), *site.app);
}

asio::awaitable<Response> Broker::State::handle_shell(const Request& request) {
    if (request.method == "POST") {
        if (request.path == "/locara/v1/launch") {
            co_return exchange_code(request);
        }
        if (request.path == "/locara/v1/session") {
            co_return tell_session(request);
        }
        co_return request.path == "/locara/v1/close"
            ? close_session(request)
            : problem(404, "not_found", "the shell has no such address", "");
    }
    std::optional<manifest::AppId> app;
    std::vector<std::string> file = request.segments;
    const bool page = !file.empty() && file[0] == "app" && file.size() <= 3;
    if (page) {
        const auto id = file.size() >= 2 ? manifest::AppId::parse_label(file[1])
                                         : Result<manifest::AppId>(Error(ErrorCode::NotFound, ""));
        if (id) {
            app = *id;
        }
        file.clear();
    }
    auto content = open_page_file(options.share / "shell", file, "index.html");
    if (!content) {
        co_return problem(404, "not_found", "the shell has no such page", "");
    }
    Response response = http::content_response(request, std::move(*content));
    add_shell_headers(response, origins, app);
    co_return response;
}

asio::awaitable<Response> Broker::State::handle_app(Request request, manifest::AppId id) {
    const std::string label = id.label();
    if (is_api_path(request.path)) {
        if (auto refusal = refuse_without_token(request, label)) {
            co_return std::move(*refusal);
        }
    }
    const App app = find_running(label);
    if (!app) {
        co_return problem(404,
                          "not_running",
                          id.render() + " is not running",
                          "Run locara run " + id.render() + " and open the address it prints.");
    }
    const bool get = request.method == "GET" || request.method == "HEAD";
    if (!is_api_path(request.path)) {
        co_return get ? serve_file(request, *app)
                      : problem(405, "method_not_allowed", "files can only be read", "");
    }
    if (get && request.path == "/locara/v1/app") {
        co_return describe_app(*app);
    }
    if (get && request.path == "/v1/models") {
        co_return list_models(*app);
    }
    for (const Route route : {Route::Chat, Route::Completions, Route::Embeddings}) {
        if (request.method == "POST" && request.path == path_of(route)) {
            co_return co_await infer(std::move(request), app, route);
        }
    }
    deny(request, id.render(), "unknown_route", Json::object());
    co_return refuse(request.path, 404, "unknown_route", "apps have no such address");
}

// ---- Our own tools

Response Broker::State::status() const {
    Json apps = Json::array();
    {
        const std::lock_guard lock(mutex);
        for (const auto& [label, app] : running) {
            apps.push_back({{"id", app->manifest.id.render()},
                            {"version", app->manifest.version.render()},
                            {"origin", origins.app_origin(app->manifest.id)}});
        }
    }
    Json engines = Json::array();
    for (const auto& each : options.engines->status()) {
        engines.push_back(
            {{"model", each.model_id},
             {"digest", "sha256:" + each.model.render()},
             {"purpose", each.purpose == engine::Purpose::Text ? "text" : "embeddings"},
             {"running", each.running},
             {"pid", each.running ? Json(each.pid) : Json(nullptr)},
             {"in_use", each.in_use},
             {"starts", each.starts},
             {"walls_in_force", each.walls.in_force},
             {"walls_not_in_force", each.walls.not_in_force}});
    }
    const auto idle = active.load() > 1 ? std::chrono::seconds(0)
                                        : std::chrono::duration_cast<std::chrono::seconds>(
                                              SteadyClock::now() - last_used.load());
    return http::json_response(
        200,
        render_json(Json{{"schema", "locara.status/1"},
                         {"pid", getpid()},
                         {"origin", origins.shell_origin()},
                         {"apps", std::move(apps)},
                         {"engines", std::move(engines)},
                         {"idle_seconds", idle.count()},
                         {"idle_timeout_seconds", options.idle_timeout.count() / 1000}}));
}

asio::awaitable<Result<App>> Broker::State::find_startable(std::string label) {
    AppRegistry* const registry = options.registry;
    std::function<Result<App>()> look = [registry, label]() -> Result<App> {
        LOCARA_TRY(auto app, registry->get(label));
        if (const auto reason = registry->blocked(app)) {
            return Error(ErrorCode::Refused, app.manifest.id.render() + " may not run: " + *reason);
        }
        return App(std::make_shared<const InstalledApp>(std::move(app)));
    };
    auto found = co_await http::run_blocking(pool, std::move(look));
    if (!found) {
        audit.note("start_refused", {{"label", label}, {"why", render(found.error().code())}});
    }
    co_return found;
}

asio::awaitable<Response> Broker::State::launch(std::string label) {
    auto found = co_await find_startable(label);
    if (!found) {
        co_return problem(found.error());
    }
    const App app = *found;
    if (app->manifest.entry.kind == manifest::Entry::Kind::Process) {
        co_return problem(Error(ErrorCode::Unsupported,
                                app->manifest.id.render() +
                                    " is of kind process, which this version cannot run"));
    }
    {
        const std::lock_guard lock(mutex);
        auto& slot = running[label];
        if (slot && slot->manifest.version != app->manifest.version) {
            tokens.revoke(
                label); // Pages of the old version must not ask with the new one's grants.
        }
        slot = app;
        stopped.erase(label);
    }
    const std::string code = codes.issue(label);
    audit.note("launched",
               {{"app", app->manifest.id.render()}, {"version", app->manifest.version.render()}});
    co_return http::json_response(
        200, render_json(Json{{"url", origins.shell_origin() + "/app/" + label + "#" + code}}));
}

asio::awaitable<Response> Broker::State::once(std::string label, std::string body) {
    const auto json = parse_json(body);
    if (!json || !json->is_object() || !json->contains("text") || !(*json)["text"].is_string()) {
        co_return problem(400, "invalid_argument", "the body must be {\"text\": \"...\"}", "");
    }
    const std::string text = (*json)["text"].get<std::string>();
    auto found = co_await find_startable(std::move(label));
    if (!found) {
        co_return problem(found.error());
    }
    const App app = *found;
    const auto& prompt = app->manifest.entry.prompt;
    if (!prompt) {
        co_return problem(
            Error(ErrorCode::Unsupported,
                  app->manifest.id.render() + " has no main function that runs without its page"));
    }
    auto filled = fill_first_field(*prompt, text);
    if (!filled) {
        co_return problem(filled.error());
    }
    const AppModel* const model = app->find_model(prompt->role);
    if (model == nullptr) {
        co_return problem(
            Error(ErrorCode::Corrupt,
                  app->manifest.id.render() + " has no model for its role " + prompt->role));
    }
    const Json wanted = once_body(*prompt, *filled);
    ApiError refusal;
    const auto asked = prepare(Route::Chat, wanted, *model, refusal);
    if (!asked) {
        co_return problem(refusal.status, refusal.code, refusal.message, refusal.hint);
    }
    auto flow = std::make_shared<Flow>(*this, app, *model, Route::Chat);
    const Status opened = co_await open_engine(*flow, render_json(asked->body));
    if (!opened) {
        flow->outcome = "failed";
        co_return problem(opened.error());
    }
    auto whole = co_await read_answer(*flow);
    if (!whole) {
        flow->outcome = "failed";
        co_return problem(whole.error());
    }
    if (flow->exchange->status() >= 400) {
        flow->outcome = "refused";
        const ApiError why = explain_engine_answer(flow->exchange->status(), *whole);
        co_return problem(why.status, why.code, why.message, why.hint);
    }
    auto content = read_content(*whole);
    if (!content || (prompt->output_schema && !parse_json(*content))) {
        flow->outcome = "failed";
        co_return problem(
            502,
            "bad_answer",
            "the model's answer is not what the app asked for (it may have been cut at "
            "its longest length)",
            "Try a shorter text.");
    }
    flow->outcome = "answered";
    co_return http::json_response(200, render_json(Json{{"answer", *content}}));
}

// ---- What the shell asks: a session, whether it stands, and its end

Response Broker::State::exchange_code(const Request& request) {
    const auto asked = read_shell_request(request, "code");
    const std::string& label = asked.label;
    const auto& id = asked.id;
    if (!id) {
        return problem(400, "invalid_argument", "the body must name an app and its code", "");
    }
    if (!codes.redeem(label, asked.secret)) {
        deny(request, id->render(), "launch_code", Json::object());
        return problem(401,
                       "launch_code",
                       "this launch code was used before, is older than ten minutes or was never "
                       "given out",
                       "Run locara run " + id->render() + " for a fresh address.");
    }
    const App app = find_running(label);
    if (!app) {
        return problem(404, "not_running", id->render() + " is not running", "");
    }
    audit.note("opened", {{"app", id->render()}, {"version", app->manifest.version.render()}});
    return http::json_response(
        200,
        render_json(Json{{"token", tokens.issue(label)},
                         {"origin", origins.app_origin(*id)},
                         {"app", app_json(app->manifest)},
                         {"facts", manifest::render_facts(manifest::facts(app->manifest))},
                         {"save", app->manifest.capabilities.save}}));
}

Response Broker::State::close_session(const Request& request) {
    const auto asked = read_shell_request(request, "token");
    if (!asked.id) {
        return problem(400, "invalid_argument", "the body must name an app and its token", "");
    }
    if (!tokens.revoke(asked.label, asked.secret)) {
        deny(request, asked.id->render(), "wrong_token", Json::object());
        return problem(401, "wrong_token", "this token has ended or was never given out", "");
    }
    audit.note("closed", {{"app", asked.id->render()}});
    return http::json_response(200, R"({"closed":true})");
}

// A page outlives what is taken from its app: nobody but the shell around it can take it away.
Response Broker::State::tell_session(const Request& request) {
    const auto asked = read_shell_request(request, "token");
    if (!asked.id) {
        return problem(400, "invalid_argument", "the body must name an app and its token", "");
    }
    if (tokens.accepts(asked.label, asked.secret)) {
        return http::json_response(200, R"({"stands":true})");
    }
    if (const auto reason = find_stopped(asked.label)) {
        return problem(403, "refused", *reason, "");
    }
    deny(request, asked.id->render(), "wrong_token", Json::object());
    return problem(401, "wrong_token", "this token has ended or was never given out", "");
}

// ---- Apps

Response Broker::State::serve_file(const Request& request, const InstalledApp& app) const {
    const auto& entry = app.manifest.entry;
    const bool web = entry.kind == manifest::Entry::Kind::Web;
    const auto root = web ? app.bundle / entry.root : options.share / "prompt";
    auto content = open_page_file(root, request.segments, web ? entry.index : "index.html");
    if (!content) {
        Response missing = problem(404, "not_found", "this app has no such file", "");
        add_app_headers(missing, origins, app.manifest, "application/problem+json");
        return missing;
    }
    const std::string type = content->content_type;
    Response response = http::content_response(request, std::move(*content));
    add_app_headers(response, origins, app.manifest, type);
    return response;
}

std::optional<Response> Broker::State::refuse_without_token(const Request& request,
                                                            const std::string& label) {
    const std::string app = manifest::AppId::parse_label(label)->render();
    for (const auto& [name, value] : request.query.fields()) {
        if (tokens.accepts(label, value)) {
            deny(request, app, "token_in_url", Json::object());
            return refuse(request.path,
                          400,
                          "token_in_url",
                          "the token must stand in the Authorization header, never in the address");
        }
    }
    const auto header = request.headers.find("Authorization").value_or("");
    constexpr std::string_view kBearer = "Bearer ";
    if (header.substr(0, kBearer.size()) == kBearer &&
        request.headers.count("Authorization") == 1 &&
        tokens.accepts(label, header.substr(kBearer.size()))) {
        return std::nullopt;
    }
    deny(request, app, header.empty() ? "no_token" : "wrong_token", Json::object());
    Response refusal = refuse(request.path,
                              401,
                              header.empty() ? "no_token" : "wrong_token",
                              "this address needs the token that the app got when it was opened");
    refusal.headers.add("WWW-Authenticate", "Bearer");
    return refusal;
}

Response Broker::State::describe_app(const InstalledApp& app) const {
    Json description = app_json(app.manifest);
    Json models = Json::array();
    for (const auto& model : app.models) {
        models.push_back({{"role", model.role}, {"task", model.task}});
    }
    description["models"] = std::move(models);
    description["prompt"] = nullptr;
    if (const auto& prompt = app.manifest.entry.prompt) {
        if (auto json = parse_json(manifest::render(*prompt))) {
            description["prompt"] = std::move(*json);
        }
    }
    return http::json_response(200, render_json(description));
}

Response Broker::State::list_models(const InstalledApp& app) const {
    Json list = Json::array();
    for (const auto& model : app.models) {
        list.push_back(
            {{"id", model.role},
             {"object", "model"},
             {"created", 0},
             {"owned_by", model.manifest->id.publisher},
             {"task", model.task},
             {"model", model.manifest->id.render()},
             {"digest", digest_text(model)},
             {"context_length", std::min(model.manifest->context_length, options.context_limit)}});
    }
    return http::json_response(200,
                               render_json(Json{{"object", "list"}, {"data", std::move(list)}}));
}

asio::awaitable<Response> Broker::State::infer(Request request, App app, Route route) {
    const std::string id = app->manifest.id.render();
    const auto body = parse_json(request.body);
    if (!body || !body->is_object()) {
        const std::string why = body ? "the body is not a JSON object" : body.error().message();
        co_return ApiError{400, "invalid_json", why, ""}.response();
    }
    if (!body->contains("model") || !(*body)["model"].is_string()) {
        co_return ApiError{400, "invalid_request", "\"model\" must be the name of a role", ""}
            .response();
    }
    const std::string role = (*body)["model"].get<std::string>();
    const AppModel* const model = app->find_model(role);
    if (model == nullptr) {
        std::string known;
        for (const auto& each : app->models) {
            known += (known.empty() ? "" : ", ") + each.role;
        }
        deny(request, id, "model_not_granted", Json{{"role", shorten(role)}});
        co_return ApiError{403,
                           "model_not_granted",
                           "this app's manifest names no model role \"" + shorten(role) + "\"",
                           "Its roles: " + (known.empty() ? "none" : known) + "."}
            .response();
    }
    ApiError refusal;
    auto asked = prepare(route, *body, *model, refusal);
    if (!asked) {
        co_return refusal.response();
    }
    auto flow = std::make_shared<Flow>(*this, app, *model, route);
    co_return co_await answer(std::move(flow), std::move(*asked));
}

// ---- Engines

namespace {

template <class Flow> asio::awaitable<Error> explain_failure(Flow& flow, Error error) {
    co_return co_await flow.state.explain(flow, std::move(error));
}

// Carries a stream of events to the client. What goes wrong on the way is told as a last event, in
// the shape that OpenAI's clients know.
template <class Flow>
asio::awaitable<Status> relay(std::shared_ptr<Flow> flow, http::BodyWriter& out) {
    while (true) {
        auto piece = co_await flow->exchange->read();
        if (!piece) {
            flow->outcome = "failed";
            const Error why = co_await explain_failure(*flow, piece.error());
            const std::string event = "data: " + api_error(why).json() + "\n\n";
            co_return co_await out.write(event);
        }
        if (piece->empty()) {
            break;
        }
        flow->tail += *piece;
        if (flow->tail.size() > kTailBytes) {
            flow->tail.erase(0, flow->tail.size() - kTailBytes);
        }
        const Status sent = co_await out.write(*piece);
        if (!sent) {
            co_return sent;
        }
    }
    flow->outcome = "answered";
    co_return Status();
}

} // namespace

engine::EngineSpec Broker::State::make_spec(const AppModel& model) const {
    engine::EngineSpec spec;
    spec.model_id = model.manifest->id.render();
    spec.model = model.manifest.digest();
    spec.purpose = model.task == "embeddings" ? engine::Purpose::Embeddings : engine::Purpose::Text;
    spec.weights = model.weights;
    spec.context_tokens = std::min(model.manifest->context_length, options.context_limit);
    if (const auto* const variant = model.manifest->find_variant(model.variant)) {
        spec.kv_bytes_per_token = variant->kv_bytes_per_token;
    }
    return spec;
}

asio::awaitable<Status> Broker::State::open_engine(Flow& flow, std::string body) {
    // An engine may take long to come up: what was not called back before may be by then.
    std::function<Result<engine::Lease>()> bring_up = [this, &flow]() -> Result<engine::Lease> {
        auto lease = options.engines->ensure_running(make_spec(flow.model), flow.stop.get_token());
        const auto reason = options.registry->blocked(*flow.app);
        if (reason && !refusal_of(flow)) {
            end_work(*flow.app, *reason);
            stop_engines(*flow.app);
        }
        if (auto refusal = refusal_of(flow)) {
            return std::move(*refusal);
        }
        return lease;
    };
    auto lease = co_await http::run_blocking(pool, std::move(bring_up));
    if (!lease) {
        co_return std::move(lease).error();
    }
    flow.lease.emplace(std::move(*lease));
    if (flow.route == Route::Chat) {
        LOCARA_CO_CHECK(co_await try_template(flow, body));
    }

    http::LocalRequest request;
    request.method = "POST";
    request.target = std::string(path_of(flow.route));
    request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    http::LocalOptions limits;
    limits.head_timeout = kAnswerTimeout;
    limits.read_timeout = kAnswerTimeout;
    auto opened =
        co_await http::LocalExchange::open(flow.lease->socket(), std::move(request), limits);
    if (!opened) {
        co_return co_await explain(flow, std::move(opened).error());
    }
    flow.exchange.emplace(std::move(*opened));
    co_return Status();
}

/// A chat template is a stranger's program, whose loops go over what the app sends: it is run by
/// itself first, and ends with the engine if it does not end.
asio::awaitable<Status> Broker::State::try_template(Flow& flow, std::string body) {
    http::LocalRequest request;
    request.method = "POST";
    request.target = "/apply-template";
    request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    http::LocalOptions limits;
    limits.head_timeout = limits.read_timeout = options.template_timeout;
    limits.body_limit = kTemplateBytes;
    const auto rendered =
        co_await http::local_request(flow.lease->socket(), std::move(request), limits);
    if (rendered) {
        co_return Status(); // What it refuses, the request itself is refused for too.
    }
    if (rendered.error().code() == ErrorCode::TooLarge) {
        co_return Error(ErrorCode::TooLarge,
                        "the model's chat template makes more than " +
                            std::to_string(kTemplateBytes) + " bytes of these messages");
    }
    if (rendered.error().code() != ErrorCode::Timeout) {
        co_return co_await explain(flow, rendered.error());
    }
    engine::Supervisor* const engines = options.engines;
    std::function<bool()> stop = [engines, model = flow.model.manifest.digest()] {
        engines->stop_model(model);
        return true;
    };
    co_await http::run_blocking(pool, std::move(stop));
    co_return Error(ErrorCode::Timeout,
                    "the chat template of " + flow.model.manifest->id.render() +
                        " did not come to an end with these messages; the engine was stopped");
}

asio::awaitable<Result<std::string>> Broker::State::read_answer(Flow& flow) {
    auto whole = co_await flow.exchange->read_all();
    if (!whole) {
        co_return co_await explain(flow, std::move(whole).error());
    }
    flow.tail = whole->substr(whole->size() - std::min(whole->size(), kTailBytes));
    co_return whole;
}

asio::awaitable<Error> Broker::State::explain(Flow& flow, Error error) {
    std::function<Error()> look = [this, &flow, error] {
        const Error told = flow.lease->explain(error);
        return refusal_of(flow).value_or(told);
    };
    co_return co_await http::run_blocking(pool, std::move(look));
}

// Why it was ended, if its app was taken down meanwhile.
std::optional<Error> Broker::State::refusal_of(const Flow& flow) const {
    const std::lock_guard lock(mutex);
    if (!flow.taken_down) {
        return std::nullopt;
    }
    return Error(ErrorCode::Refused,
                 flow.app->manifest.id.render() + " may not run: " + *flow.taken_down);
}

asio::awaitable<Response> Broker::State::answer(std::shared_ptr<Flow> flow, EngineRequest asked) {
    const Status opened = co_await open_engine(*flow, render_json(asked.body));
    if (!opened) {
        flow->outcome = "failed";
        co_return api_error(opened.error()).response();
    }
    Response response;
    const int status = flow->exchange->status();
    if (status < 400 && asked.stream) {
        response.headers.add("Content-Type", "text/event-stream");
        response.body =
            http::StreamBody([flow](http::BodyWriter& out) { return relay<Flow>(flow, out); });
    } else {
        auto whole = co_await read_answer(*flow);
        if (!whole) {
            flow->outcome = "failed";
            co_return api_error(whole.error()).response();
        }
        if (status >= 400) {
            flow->outcome = "refused";
            co_return explain_engine_answer(status, *whole).response();
        }
        flow->outcome = "answered";
        response = http::json_response(200, std::move(*whole));
    }
    response.headers.add("Locara-Ran-On", "local");
    response.headers.add("Locara-Model-Digest", digest_text(flow->model));
    co_return response;
}

// ---- Keeping house

App Broker::State::find_running(std::string_view label) const {
    const std::lock_guard lock(mutex);
    const auto found = running.find(label);
    return found == running.end() ? nullptr : found->second;
}

std::optional<std::string> Broker::State::find_stopped(std::string_view label) const {
    const std::lock_guard lock(mutex);
    const auto found = stopped.find(label);
    return found == stopped.end() ? std::nullopt : std::optional(found->second);
}

void Broker::State::deny(const Request& request,
                         std::string_view app,
                         std::string_view code,
                         Json more) {
    Json fields = {
        {"why", code}, {"method", shorten(request.method)}, {"path", shorten(request.path)}};
    if (!app.empty()) {
        fields["app"] = app;
    }
    for (const char* name : {"Host", "Origin"}) {
        if (const auto value = request.headers.find(name)) {
            std::string shown = shorten(*value);
            std::replace_if(
                shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
            fields[name] = shown;
        }
    }
    for (auto& [name, value] : more.items()) {
        fields[name] = value;
    }
    audit.note("denied", std::move(fields));
}

void Broker::State::end() {
    {
        const std::lock_guard lock(mutex);
        ended = true;
    }
    changed.notify_all();
}

void Broker::State::keep(const std::stop_token& stop) {
    const auto step = std::clamp(
        options.idle_timeout / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(500));
    auto next_check = SteadyClock::now() + kTakedownStep;
    while (true) {
        {
            std::unique_lock lock(mutex);
            changed.wait_for(lock, stop, step, [] { return false; });
        }
        if (stop.stop_requested()) {
            return;
        }
        if (SteadyClock::now() >= next_check) {
            next_check = SteadyClock::now() + kTakedownStep;
            enforce_takedowns();
        }
        if (active.load() == 0 && SteadyClock::now() - last_used.load() > options.idle_timeout) {
            log.info("runtime", "idle", {});
            end();
            return;
        }
    }
}

// "block-run" stops an app within five seconds and deletes nothing.
void Broker::State::enforce_takedowns() {
    std::vector<App> blocked;
    for (const auto& app : apps_at_work()) {
        if (const auto reason = options.registry->blocked(*app)) {
            end_work(*app, *reason);
            blocked.push_back(app);
        }
    }
    for (const auto& app : blocked) { // last: an engine may take seconds
        stop_engines(*app);
    }
}

// Those that run, and those that a request is answered for without their page.
std::vector<App> Broker::State::apps_at_work() const {
    const std::lock_guard lock(mutex);
    std::vector<App> apps;
    for (const auto& [label, app] : running) {
        apps.push_back(app);
    }
    for (const Flow* flow : flows) {
        if (!flow->stop.stop_requested() &&
            std::find(apps.begin(), apps.end(), flow->app) == apps.end()) {
            apps.push_back(flow->app);
        }
    }
    return apps;
}

// Ends the app's session and what is asked for it.
void Broker::State::end_work(const InstalledApp& app, const std::string& reason) {
    const std::string label = app.manifest.id.label();
    {
        const std::lock_guard lock(mutex);
        running.erase(label);
        stopped[label] = reason;
        for (Flow* flow : flows) {
            if (flow->app->manifest.id == app.manifest.id) {
                flow->taken_down = reason;
                flow->stop.request_stop();
            }
        }
    }
    tokens.revoke(label);
    audit.note("taken_down", {{"app", app.manifest.id.render()}, {"reason", reason}});
    log.warning("runtime", "taken_down", {{"app", app.manifest.id.render()}, {"reason", reason}});
}

void Broker::State::stop_engines(const InstalledApp& app) {
    for (const auto& model : app.models) {
        options.engines->stop_model(model.manifest.digest());
    }
}

Result<std::filesystem::path> find_share_folder() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    auto folder = program.parent_path().parent_path() / "share/locara";
    if (!std::filesystem::exists(folder / "shell/index.html", error)) {
        return Error(ErrorCode::NotFound,
                     "there are no pages in " + folder.string() +
                         ": run ./dev build, or install Locara again");
    }
    return folder;
}

Broker::Broker(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Broker>> Broker::start(BrokerOptions options) {
    LOCARA_ASSERT(options.registry != nullptr && options.engines != nullptr);
    Log& log = options.log != nullptr ? *options.log : null_log();
    LOCARA_TRY(auto audit, crypto::ChainedLog::open(options.audit_log, *options.clock));
    auto state = std::make_unique<State>(std::move(options), std::move(audit), log);

    http::ServerOptions server;
    server.port = state->options.port;
    server.unix_socket = state->options.unix_socket;
    server.limits.body_bytes = kBodyLimit;
    server.log = &log;
    server.port_hint = "another port with --port, or stop what holds this one";
    state->origins = Origins(state->options.port);
    State* const borrowed = state.get();
    LOCARA_TRY(state->server, http::Server::start(std::move(server), [borrowed](Request request) {
                   return borrowed->handle(std::move(request));
               }));
    if (state->options.port == 0) {
        state->origins = Origins(state->server->port()); // Tests; nobody knows the port before.
    }
    state->keeper = std::jthread([borrowed](const std::stop_token& stop) { borrowed->keep(stop); });
    log.info("runtime", "serving", {{"origin", state->origins.shell_origin()}});
    return std::unique_ptr<Broker>(new Broker(std::move(state)));
}

Broker::~Broker() {
    state_->stopping.request_stop();
    state_->keeper.request_stop();
    state_->keeper.join();
    state_->server->stop();
}

std::uint16_t Broker::port() const {
    return state_->server->port();
}

void Broker::wait() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->ended; });
}

void Broker::request_stop() {
    state_->end();
}

} // namespace locara::runtime
