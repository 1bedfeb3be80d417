// The OpenAI routes as text: what an app may say to an engine, and what comes back.
//
// Nothing here talks to anybody; broker.cpp carries. Source of the shapes: the OpenAI API reference
// (chat, completions, embeddings, errors) as llama-server of llama.cpp v0.5.0 speaks it.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/http/message.hpp>
#include <locara/runtime/app_registry.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::runtime {

enum class Route { Chat, Completions, Embeddings };

std::string_view path_of(Route route);

/// An error in OpenAI's shape, with a stable `code` and a `hint`:
/// {"error":{"message","type","param":null,"code","hint"}}.
struct ApiError {
    int status = 400;
    std::string code;
    std::string message;
    std::string hint;

    http::Response response() const;
    std::string json() const;
};

/// The answer for an error of ours.
ApiError api_error(const Error& error);

/// A request that may go to an engine.
struct EngineRequest {
    Json body;
    bool stream = false;
};

/// Checks what an app sent (its "model" was looked at before) and makes the request for the engine:
/// known members only, the model manifest's recommended parameters where the app names none. Text
/// only: parts that name an address are refused, nothing is fetched for an app.
/// The error is an ApiError in `refusal`.
std::optional<EngineRequest>
prepare(Route route, const Json& body, const AppModel& model, ApiError& refusal);

/// What an engine's refusal (status 400 or above) means to the app: an overlong prompt with its
/// counts, else the engine's own message.
ApiError explain_engine_answer(int status, const std::string& body);

/// Tokens in and out, as far as an answer (or the end of a stream) tells.
struct TokenCounts {
    std::uint64_t prompt = 0;
    std::uint64_t answer = 0;
};

TokenCounts count_tokens(std::string_view answer);

} // namespace locara::runtime
