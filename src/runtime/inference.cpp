#include "inference.hpp"

#include <array>
#include <cstdlib>

namespace locara::runtime {

namespace {

// Members that may pass, by route. Others (slots, files, adapters of llama-server) are dropped.
constexpr std::array<std::string_view, 22> kSampling{"temperature",
                                                     "top_p",
                                                     "top_k",
                                                     "min_p",
                                                     "repeat_penalty",
                                                     "max_tokens",
                                                     "seed",
                                                     "stop",
                                                     "stream",
                                                     "stream_options",
                                                     "n",
                                                     "frequency_penalty",
                                                     "presence_penalty",
                                                     "logit_bias",
                                                     "logprobs",
                                                     "top_logprobs",
                                                     "response_format",
                                                     "max_completion_tokens",
                                                     "tools",
                                                     "tool_choice",
                                                     "parallel_tool_calls",
                                                     "ignore_eos"};

ApiError invalid(std::string message, std::string hint = "") {
    return ApiError{400, "invalid_request", std::move(message), std::move(hint)};
}

bool is_text_content(const Json& content) {
    if (content.is_string() || content.is_null()) {
        return true;
    }
    if (!content.is_array()) {
        return false;
    }
    for (const auto& part : content) {
        if (!part.is_object() || part.value("type", "") != "text" || !part.contains("text") ||
            !part["text"].is_string()) {
            return false;
        }
    }
    return true;
}

bool check_messages(const Json& body, ApiError& refusal) {
    if (!body.contains("messages") || !body["messages"].is_array() || body["messages"].empty()) {
        refusal = invalid("\"messages\" must be a list of one message or more");
        return false;
    }
    for (const auto& message : body["messages"]) {
        if (!message.is_object() || !message.contains("role") || !message["role"].is_string()) {
            refusal = invalid("every message must be an object with a \"role\"");
            return false;
        }
        if (message.contains("content") && !is_text_content(message["content"])) {
            refusal = invalid("the content of a message must be text",
                              "Images, sound and addresses are not taken; send text.");
            return false;
        }
    }
    return true;
}

// Text, or a list of texts.
bool check_text(const Json& body, const char* member, ApiError& refusal) {
    const auto found = body.find(member);
    bool good = found != body.end() && (found->is_string() || found->is_array());
    if (good && found->is_array()) {
        for (const auto& each : *found) {
            good = good && each.is_string();
        }
        good = good && !found->empty();
    }
    if (!good) {
        refusal = invalid("\"" + std::string(member) + "\" must be text or a list of texts");
    }
    return good;
}

void set_default(Json& body, const char* name, const Json& value) {
    if (!body.contains(name)) {
        body[name] = value;
    }
}

void add_recommended(Json& body, const manifest::Recommended& recommended) {
    const auto set = [&](const char* name, const auto& value) {
        if (value) {
            set_default(body, name, *value);
        }
    };
    set("temperature", recommended.temperature);
    set("top_p", recommended.top_p);
    set("top_k", recommended.top_k);
    set("min_p", recommended.min_p);
    set("repeat_penalty", recommended.repeat_penalty);
    set("seed", recommended.seed);
    if (!body.contains("max_completion_tokens")) {
        set("max_tokens", recommended.max_tokens);
    }
    if (!recommended.stop.empty()) {
        set_default(body, "stop", recommended.stop);
    }
}

// The number after the last `"name":`, 0 if there is none.
std::uint64_t last_number(std::string_view text, std::string_view name) {
    const std::string key = "\"" + std::string(name) + "\":";
    const auto at = text.rfind(key);
    return at == std::string_view::npos
               ? 0
               : std::strtoull(std::string(text.substr(at + key.size(), 20)).c_str(), nullptr, 10);
}

} // namespace

std::string_view path_of(Route route) {
    switch (route) {
    case Route::Chat:
        return "/v1/chat/completions";
    case Route::Completions:
        return "/v1/completions";
    case Route::Embeddings:
        return "/v1/embeddings";
    }
    return "";
}

std::string ApiError::json() const {
    Json error = {{"message", message},
                  {"type", status >= 500 ? "server_error" : "invalid_request_error"},
                  {"param", nullptr},
                  {"code", code}};
    if (!hint.empty()) {
        error["hint"] = hint;
    }
    return render_json(Json{{"error", std::move(error)}});
}

http::Response ApiError::response() const {
    return http::json_response(status, json());
}

ApiError api_error(const Error& error) {
    ApiError answer;
    answer.status = http::http_status(error.code());
    answer.code = std::string(render(error.code()));
    answer.message = error.describe();
    if (error.code() == ErrorCode::Unavailable) {
        answer.status = 503;
        answer.code = "engine_unavailable";
        answer.hint = "Try again; if it stays, run locara doctor.";
    }
    return answer;
}

std::optional<EngineRequest>
prepare(Route route, const Json& body, const AppModel& model, ApiError& refusal) {
    const char* wanted = route == Route::Embeddings ? "embeddings" : "text-generation";
    if (model.task != wanted) {
        refusal = ApiError{400,
                           "wrong_task",
                           "the model of role \"" + model.role + "\" is for " + model.task +
                               ", not for " + wanted,
                           ""};
        return std::nullopt;
    }
    EngineRequest request;
    request.body = Json{{"model", model.role}};
    if (route == Route::Embeddings) {
        if (!check_text(body, "input", refusal)) {
            return std::nullopt;
        }
        request.body["input"] = body["input"];
        if (body.contains("encoding_format")) {
            request.body["encoding_format"] = body["encoding_format"];
        }
        return request;
    }
    if (route == Route::Chat) {
        if (!check_messages(body, refusal)) {
            return std::nullopt;
        }
        request.body["messages"] = body["messages"];
    } else {
        if (!check_text(body, "prompt", refusal)) {
            return std::nullopt;
        }
        request.body["prompt"] = body["prompt"];
    }
    for (const auto name : kSampling) {
        if (const auto found = body.find(std::string(name)); found != body.end()) {
            request.body[std::string(name)] = *found;
        }
    }
    add_recommended(request.body, model.manifest->recommended);
    const auto stream = body.find("stream");
    if (stream != body.end() && !stream->is_boolean()) {
        refusal = invalid("\"stream\" must be true or false");
        return std::nullopt;
    }
    request.stream = stream != body.end() && stream->get<bool>();
    return request;
}

ApiError explain_engine_answer(int status, const std::string& body) {
    const auto json = parse_json(body);
    const Json error =
        json && json->is_object() && json->contains("error") ? (*json)["error"] : Json::object();
    if (!error.is_object()) {
        return ApiError{502, "engine_failed", "the engine answered in an unknown way", ""};
    }
    if (error.value("type", "") == "exceed_context_size_error") {
        const auto found = error.value("n_prompt_tokens", std::uint64_t{0});
        const auto allowed = error.value("n_ctx", std::uint64_t{0});
        return ApiError{400,
                        "context_length_exceeded",
                        "the text has " + std::to_string(found) +
                            " tokens and this model takes at most " + std::to_string(allowed) +
                            "; nothing was cut",
                        "Shorten it by at least " +
                            std::to_string(found > allowed ? found - allowed : 1) + " tokens."};
    }
    const std::string message = error.value("message", "the engine refused the request");
    return status < 500 ? invalid(message) : ApiError{502, "engine_failed", message, ""};
}

TokenCounts count_tokens(std::string_view answer) {
    TokenCounts counts;
    counts.prompt = last_number(answer, "prompt_tokens");
    counts.answer = last_number(answer, "completion_tokens");
    if (counts.prompt == 0 && counts.answer == 0) {
        // The last event of a stream has llama-server's "timings" instead of "usage".
        counts.prompt = last_number(answer, "prompt_n") + last_number(answer, "cache_n");
        counts.answer = last_number(answer, "predicted_n");
    }
    return counts;
}

} // namespace locara::runtime
