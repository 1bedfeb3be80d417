#include "inference.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/http/local_client.hpp>
#include <locara/runtime/model_pin.hpp>
#include <locara/runtime/model_validate.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <sstream>

#include <sys/utsname.h>

namespace locara::runtime {

namespace {

constexpr std::chrono::minutes kAnswerTimeout{10};
constexpr std::uint64_t kAnswerTokens = 256; ///< Where the manifest recommends no limit.
constexpr std::uint64_t kSpeedPrompt = 256;  ///< Tokens read,
constexpr std::uint64_t kSpeedAnswer = 64;   ///< and written.
constexpr int kSpeedDigits = 4;
constexpr int kPerplexityDigits = 7;
constexpr int kCosineDigits = 6;
constexpr std::size_t kMostDimensions = 65'536;
constexpr std::uint64_t kContext = 4096; ///< Most that is asked for.
constexpr std::uint64_t kEngineAnswerBytes = 16U << 20U;
/// Beyond any logit: with it a token is chosen, whatever else is likely.
constexpr double kForced = 100'000;

std::string in_digits(double value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    return text;
}

/// With so many digits as say something.
double rounded(double value, int digits) {
    return std::strtod(in_digits(value, digits).c_str(), nullptr);
}

Error malformed(const char* what) {
    return Error(ErrorCode::Corrupt, std::string("the engine's answer has no ") + what);
}

/// "AMD EPYC 7B13, 2 processors, Linux x86_64".
std::string machine_name() {
    std::string name = "processor of unknown make";
    if (const auto info = read_file("/proc/cpuinfo", 4U << 20U)) {
        constexpr std::string_view kKey = "model name";
        if (const auto at = info->find(kKey); at != std::string::npos) {
            const auto colon = info->find(':', at);
            const auto end = info->find('\n', at);
            if (colon < end && end != std::string::npos) {
                name = info->substr(colon + 1, end - colon - 1);
                name.erase(0, name.find_first_not_of(' '));
            }
        }
    }
    utsname system{};
    ::uname(&system);
    name += ", " + std::to_string(std::max(1U, std::thread::hardware_concurrency())) +
            " processors, " + system.sysname + " " + system.machine;
    return name.substr(0, 200); // as the schema has it
}

/// VmHWM of /proc/<pid>/status: most memory the process had at once.
Result<std::uint64_t> peak_memory(pid_t pid) {
    LOCARA_TRY(const auto status, read_file("/proc/" + std::to_string(pid) + "/status", 1U << 20U));
    const auto at = status.find("VmHWM:");
    if (at == std::string::npos) {
        return Error(ErrorCode::Io, "the system does not tell the engine's memory");
    }
    return std::strtoull(status.c_str() + at + 6, nullptr, 10) * 1024;
}

} // namespace

struct Validator::State {
    const manifest::VerifiedModelManifest& model;
    const manifest::Variant& variant;
    AppModel app; ///< For `prepare`, which knows what may be asked.
    engine::Lease lease;
    std::uint64_t context;
    std::stop_token stop;
    std::size_t dimensions = 0; ///< Of the vectors so far; 0 before the first.

    Result<Json> post(const std::string& target, const Json& body);
    Result<Json> get(const std::string& target);
    Result<Json> send(http::LocalRequest request);
    Result<std::vector<std::int64_t>> tokenize(const std::string& text, bool first, bool special);
    Result<std::optional<double>> score(const std::vector<std::int64_t>& tokens, std::size_t at);
    Result<Vector> embed(const std::string& text, std::uint64_t& tokens);
    Status measure_speed(const std::vector<std::int64_t>& tokens,
                         manifest::VariantValidation& record);
};

Validator::Validator(std::unique_ptr<State> state) : state_(std::move(state)) {}

Validator::Validator(Validator&&) noexcept = default;
Validator::~Validator() = default;

Result<Validator> Validator::start(engine::Supervisor& supervisor,
                                   const manifest::VerifiedModelManifest& model,
                                   const manifest::Variant& variant,
                                   std::vector<engine::ModelFile> weights,
                                   const std::stop_token& stop) {
    engine::EngineSpec spec;
    spec.model_id = model->id.render() + ":" + variant.name;
    spec.model = variant.files_sha256(); // variants of one manifest are different engines here
    spec.purpose = model->is_for_embeddings() ? engine::Purpose::Embeddings : engine::Purpose::Text;
    spec.weights = weights;
    spec.context_tokens = std::min(model->context_length, kContext);
    spec.kv_bytes_per_token = variant.kv_bytes_per_token;
    LOCARA_TRY(auto lease, supervisor.ensure_running(spec, stop));
    return Validator(std::make_unique<State>(
        State{model,
              variant,
              AppModel{"text", model->task, model, variant.name, std::move(weights)},
              std::move(lease),
              spec.context_tokens,
              stop}));
}

Result<Json> Validator::State::send(http::LocalRequest request) {
    if (stop.stop_requested()) {
        return Error(ErrorCode::Cancelled, "stopped while validating");
    }
    http::LocalOptions limits;
    limits.head_timeout = limits.read_timeout = kAnswerTimeout;
    limits.body_limit = kEngineAnswerBytes;
    const auto answer = http::local_request_blocking(lease.socket(), std::move(request), limits);
    if (!answer) {
        return lease.explain(answer.error());
    }
    if (answer->status != 200) {
        return Error(ErrorCode::InvalidArgument,
                     "the engine refuses: " +
                         explain_engine_answer(answer->status, answer->body).message);
    }
    JsonLimits json;
    json.bytes = kEngineAnswerBytes;
    auto parsed = parse_json(answer->body, json);
    if (!parsed || !parsed->is_object()) {
        return malformed("JSON object");
    }
    return parsed;
}

Result<Json> Validator::State::post(const std::string& target, const Json& body) {
    http::LocalRequest request;
    request.method = "POST";
    request.target = target;
    request.headers.add("Content-Type", "application/json");
    request.body = render_json(body);
    return send(std::move(request));
}

Result<Json> Validator::State::get(const std::string& target) {
    http::LocalRequest request;
    request.target = target;
    return send(std::move(request));
}

Result<std::vector<std::int64_t>>
Validator::State::tokenize(const std::string& text, bool first, bool special) {
    LOCARA_TRY(
        const Json answer,
        post("/tokenize", {{"content", text}, {"add_special", first}, {"parse_special", special}}));
    std::vector<std::int64_t> out;
    if (!answer.contains("tokens") || !answer.at("tokens").is_array()) {
        return malformed("tokens");
    }
    for (const auto& token : answer.at("tokens")) {
        if (!token.is_number_integer()) {
            return malformed("tokens");
        }
        out.push_back(token.get<std::int64_t>());
    }
    return out;
}

/// The logarithm of the probability of the token at `at`, after those before it. Nothing for one
/// that ends inside a character: of such the engine tells none.
Result<std::optional<double>> Validator::State::score(const std::vector<std::int64_t>& tokens,
                                                      std::size_t at) {
    const auto end = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    const Json body = {{"prompt", std::vector<std::int64_t>(tokens.begin(), end)},
                       {"n_predict", 1},
                       {"n_probs", 1},
                       {"temperature", 0},
                       {"samplers", Json::array()},
                       {"logit_bias", Json::array({Json::array({tokens[at], kForced})})},
                       {"cache_prompt", true}};
    LOCARA_TRY(const Json answer, post("/completion", body));
    const auto list = answer.find("completion_probabilities");
    if (list == answer.end()) {
        return std::optional<double>();
    }
    if (!list->is_array() || list->size() != 1) {
        return malformed("completion_probabilities");
    }
    const auto& one = list->front();
    if (!one.is_object() || !one.contains("id") || one.at("id") != Json(tokens[at]) ||
        !one.contains("logprob") || !one.at("logprob").is_number()) {
        return malformed("probability of the token that was asked for");
    }
    return std::optional(one.at("logprob").get<double>());
}

/// The vector of a text, which is not zero, of the dimensions of those before; `tokens` counts on.
Result<Vector> Validator::State::embed(const std::string& text, std::uint64_t& tokens) {
    ApiError refusal;
    const auto request = prepare(Route::Embeddings, {{"input", text}}, app, refusal);
    if (!request) {
        return Error(ErrorCode::InvalidArgument, refusal.message);
    }
    LOCARA_TRY(const Json answer, post(std::string(path_of(Route::Embeddings)), request->body));
    const auto data = answer.find("data");
    if (data == answer.end() || !data->is_array() || data->size() != 1 ||
        !data->front().is_object() || !data->front().contains("embedding") ||
        !data->front().at("embedding").is_array()) {
        return malformed("embedding");
    }
    Vector vector;
    double length = 0;
    for (const auto& one : data->front().at("embedding")) {
        if (!one.is_number() || vector.size() == kMostDimensions) {
            return malformed("embedding of numbers");
        }
        vector.push_back(one.get<double>());
        length += vector.back() * vector.back();
    }
    if (!(length > 0)) {
        return malformed("embedding that leads anywhere: all of it is zero");
    }
    if (dimensions != 0 && dimensions != vector.size()) {
        return malformed("embedding of the dimensions that the last one had");
    }
    dimensions = vector.size();
    const Json::json_pointer read("/usage/prompt_tokens");
    if (!answer.contains(read) || !answer.at(read).is_number_unsigned()) {
        return malformed("count of tokens");
    }
    tokens += answer.at(read).get<std::uint64_t>();
    return vector;
}

Status Validator::State::measure_speed(const std::vector<std::int64_t>& tokens,
                                       manifest::VariantValidation& record) {
    std::vector<std::int64_t> prompt;
    const std::uint64_t room =
        context > 2 * kSpeedAnswer ? context - kSpeedAnswer - 1 : context / 2;
    while (prompt.size() < std::min(kSpeedPrompt, room)) {
        prompt.push_back(tokens[prompt.size() % tokens.size()]);
    }
    LOCARA_TRY(const Json answer,
               post("/completion",
                    {{"prompt", prompt},
                     {"n_predict", std::min(kSpeedAnswer, room)},
                     {"ignore_eos", true},
                     {"temperature", 0},
                     {"cache_prompt", false}}));
    const auto timings = answer.find("timings");
    const auto number = [&](const char* key, double& to) -> Status {
        if (timings == answer.end() || !timings->is_object() || !timings->contains(key) ||
            !timings->at(key).is_number()) {
            return malformed("timings");
        }
        to = rounded(timings->at(key).get<double>(), kSpeedDigits);
        return {};
    };
    LOCARA_CHECK(number("prompt_per_second", record.prompt_tokens_per_second));
    return number("predicted_per_second", record.tokens_per_second);
}

Result<std::string> Validator::ask(const std::vector<manifest::ChatMessage>& messages) {
    auto& state = *state_;
    Json list = Json::array();
    for (const auto& message : messages) { // of embeddings `prepare` refuses
        list.push_back({{"role", message.role}, {"content", message.content}});
    }
    Json body = {{"messages", std::move(list)}, {"temperature", 0}, {"seed", 0}};
    if (!state.model->recommended.max_tokens) {
        body["max_tokens"] = std::min(kAnswerTokens, state.context / 2);
    }
    ApiError refusal;
    const auto request = prepare(Route::Chat, body, state.app, refusal);
    if (!request) {
        return Error(ErrorCode::InvalidArgument, refusal.message);
    }
    LOCARA_TRY(const Json answer, state.post(std::string(path_of(Route::Chat)), request->body));
    const auto choices = answer.find("choices");
    if (choices == answer.end() || !choices->is_array() || choices->empty() ||
        !choices->front().is_object() || !choices->front().contains("message") ||
        !choices->front().at("message").is_object() ||
        !choices->front().at("message").contains("content") ||
        !choices->front().at("message").at("content").is_string()) {
        return malformed("message");
    }
    return choices->front().at("message").at("content").get<std::string>();
}

Result<Measurement> Validator::measure(const std::vector<manifest::Probe>& probes,
                                       const std::optional<std::string>& text,
                                       const Clock& clock,
                                       ProgressSink& progress) {
    auto& state = *state_;
    Measurement out;
    auto& record = out.record;
    record.variant = state.variant.name;
    record.files_sha256 = state.variant.files_sha256();
    record.probes_sha256 = manifest::probes_sha256(probes, state.model->recommended);
    record.date = render_time(clock.now());
    record.machine = machine_name();
    LOCARA_TRY(const Json props, state.get("/props"));
    const auto build = props.find("build_info");
    const bool pinned = std::getenv("LOCARA_ENGINE") == nullptr;
    record.engine_version =
        (pinned ? std::string(kPinnedEngine) + " " : "") +
        (build != props.end() && build->is_string() ? build->get<std::string>().substr(0, 40)
                                                    : "unknown build");
    LOCARA_CHECK(state.model->is_for_embeddings() ? measure_vectors(probes, text, out, progress)
                                                  : measure_answers(probes, text, out, progress));
    LOCARA_TRY(record.peak_memory_bytes, peak_memory(state.lease.pid()));
    return out;
}

Status Validator::measure_answers(const std::vector<manifest::Probe>& probes,
                                  const std::optional<std::string>& text,
                                  Measurement& out,
                                  ProgressSink& progress) {
    auto& state = *state_;
    auto& record = out.record;

    // What is scored: places in lists of tokens.
    struct Document {
        std::vector<std::int64_t> tokens;
        std::size_t first = 1; ///< The first that counts.
    };

    std::vector<Document> documents;
    std::string stated;
    const std::size_t window = std::min(state.context, kScoreWindow);
    if (text) {
        stated = *text;
        LOCARA_TRY(const auto tokens, state.tokenize(*text, true, false));
        const auto kept = std::min<std::size_t>(tokens.size(), kMaxScoredTokens);
        for (std::size_t at = 0; at < kept; at += window - 1) {
            const auto size = std::min(window - 1, kept - at);
            const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(at);
            documents.push_back({{begin, begin + static_cast<std::ptrdiff_t>(size)}, 1});
        }
    } else {
        std::size_t left = kMaxScoredTokens;
        for (const auto& probe : probes) {
            Json messages = Json::array();
            for (const auto& message : probe.messages) {
                messages.push_back({{"role", message.role}, {"content", message.content}});
            }
            LOCARA_TRY(const Json rendered,
                       state.post("/apply-template", {{"messages", std::move(messages)}}));
            if (!rendered.contains("prompt") || !rendered.at("prompt").is_string()) {
                return malformed("prompt");
            }
            const auto prompt = rendered.at("prompt").get<std::string>();
            stated += prompt + probe.expected + "\n";
            LOCARA_TRY(auto tokens, state.tokenize(prompt, true, true));
            LOCARA_TRY(auto answer, state.tokenize(probe.expected, false, false));
            Document document{std::move(tokens), 0};
            document.first = std::max<std::size_t>(document.tokens.size(), 1);
            answer.resize(std::min(answer.size(), left));
            left -= answer.size();
            document.tokens.insert(document.tokens.end(), answer.begin(), answer.end());
            document.tokens.resize(
                std::min<std::size_t>(document.tokens.size(), state.context - 1));
            documents.push_back(std::move(document));
        }
    }

    Progress told;
    told.task = "validate";
    told.item = state.variant.name;
    told.total_bytes = probes.size();
    for (const auto& document : documents) {
        told.total_bytes +=
            document.tokens.size() - std::min(document.first, document.tokens.size());
    }
    for (const auto& probe : probes) {
        LOCARA_TRY(auto answer, ask(probe.messages));
        const bool passed = answer == probe.expected;
        (passed ? record.passed : record.failed) += 1;
        out.answers.push_back({std::move(answer), passed});
        ++told.done_bytes;
        progress.report(told);
    }
    std::vector<std::int64_t> all;
    double sum = 0;
    std::uint64_t scored = 0;
    for (const auto& document : documents) {
        for (std::size_t at = document.first; at < document.tokens.size(); ++at) {
            LOCARA_TRY(const auto probability, state.score(document.tokens, at));
            sum += probability.value_or(0);
            scored += probability ? 1 : 0;
            ++told.done_bytes;
            progress.report(told);
        }
        all.insert(all.end(), document.tokens.begin(), document.tokens.end());
    }
    if (scored > 0) {
        manifest::Perplexity perplexity;
        perplexity.value = rounded(std::exp(-sum / static_cast<double>(scored)), kPerplexityDigits);
        perplexity.text_sha256 = crypto::sha256(as_bytes(stated));
        perplexity.tokens = scored;
        record.perplexity = perplexity;
    }
    if (all.empty()) {
        return Error(ErrorCode::InvalidArgument, "there is neither a probe nor a text to run");
    }
    return state.measure_speed(all, record);
}

Status Validator::measure_vectors(const std::vector<manifest::Probe>& probes,
                                  const std::optional<std::string>& text,
                                  Measurement& out,
                                  ProgressSink& progress) {
    auto& state = *state_;
    std::vector<std::string> compared;
    if (text) {
        std::istringstream lines(*text);
        for (std::string line; compared.size() < kMaxComparedTexts && std::getline(lines, line);) {
            if (!line.empty()) {
                compared.push_back(std::move(line));
            }
        }
    } else {
        for (const auto& probe : probes) {
            for (const auto* one : {&probe.text, &probe.near, &probe.far}) {
                if (compared.size() < kMaxComparedTexts) {
                    compared.push_back(*one);
                }
            }
        }
    }
    if (compared.empty()) {
        return Error(ErrorCode::InvalidArgument, "there is neither a probe nor a text to run");
    }
    Progress told;
    told.task = "validate";
    told.item = state.variant.name;
    told.total_bytes = probes.size() + compared.size();
    std::uint64_t tokens = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& probe : probes) {
        LOCARA_TRY(const Vector vector, state.embed(probe.text, tokens));
        LOCARA_TRY(const Vector near, state.embed(probe.near, tokens));
        LOCARA_TRY(const Vector far, state.embed(probe.far, tokens));
        const double nearer = cosine(vector, near);
        const double farther = cosine(vector, far);
        const bool passed = nearer > farther;
        (passed ? out.record.passed : out.record.failed) += 1;
        out.answers.push_back({"near " + in_digits(nearer, kCosineDigits) + ", far " +
                                   in_digits(farther, kCosineDigits),
                               passed});
        ++told.done_bytes;
        progress.report(told);
    }
    std::string stated;
    for (const auto& one : compared) {
        LOCARA_TRY(Vector vector, state.embed(one, tokens));
        out.vectors.push_back(std::move(vector));
        stated += one + "\n";
        ++told.done_bytes;
        progress.report(told);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    out.record.prompt_tokens_per_second =
        rounded(static_cast<double>(tokens) / std::max(took.count(), 1e-6), kSpeedDigits);
    manifest::Similarity similarity;
    similarity.text_sha256 = crypto::sha256(as_bytes(stated));
    similarity.texts = compared.size();
    similarity.dimensions = out.vectors.front().size();
    out.record.similarity = similarity;
    return {};
}

double cosine(const Vector& a, const Vector& b) {
    LOCARA_ASSERT(a.size() == b.size());
    const double lengths = std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0)) *
                           std::sqrt(std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
    return std::clamp(std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / lengths, -1.0, 1.0);
}

Status compare_vectors(Measurement& variant, const Measurement& base) {
    auto& similarity = variant.record.similarity;
    LOCARA_ASSERT(similarity && base.record.similarity &&
                  similarity->text_sha256 == base.record.similarity->text_sha256 &&
                  variant.vectors.size() == base.vectors.size());
    if (similarity->dimensions != base.record.similarity->dimensions) {
        return Error(ErrorCode::Corrupt,
                     "variant " + variant.record.variant + " makes vectors of " +
                         std::to_string(similarity->dimensions) + " dimensions, " +
                         base.record.variant + " of " +
                         std::to_string(base.record.similarity->dimensions));
    }
    double minimum = 1;
    double sum = 0;
    for (std::size_t i = 0; i < base.vectors.size(); ++i) {
        const double one = cosine(variant.vectors[i], base.vectors[i]);
        minimum = std::min(minimum, one);
        sum += one;
    }
    similarity->minimum = rounded(minimum, kCosineDigits);
    similarity->mean = rounded(sum / static_cast<double>(base.vectors.size()), kCosineDigits);
    similarity->base_variant = base.record.variant;
    return {};
}

} // namespace locara::runtime
