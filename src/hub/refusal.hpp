// Refusals, and answers that may be one: what is read of a request needs no more to say no. It
// knows no server and no coroutine, so that parsers can be fuzzed by themselves.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/http/message.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace locara::hub {

/// Why a request is not answered as asked.
struct Refusal {
    Refusal(int s, std::string c, std::string m)
        : status(s), code(std::move(c)), message(std::move(m)) {}

    /// The status is http::http_status of its code; Refused, which is what the gate says, gets the
    /// code RefusedByGate. What is our own fault keeps its details for the
    /// log.
    Refusal(
        Error error); // NOLINT(google-explicit-constructor): LOCARA_TRY returns errors as they are

    int status;
    std::string code;           ///< "RepoNotFound"; empty for none.
    std::string message;        ///< For the client.
    std::optional<Error> cause; ///< For the log.
    http::Headers headers;      ///< Besides the two above.
};

/// A value or a refusal; LOCARA_TRY takes it as it takes a Result, and errors turn into refusals.
template <class T> class [[nodiscard]] Answer {
  public:
    Answer(T value) // NOLINT(google-explicit-constructor): `return value;` must read plainly
        : state_(std::in_place_index<0>, std::move(value)) {}

    Answer(Refusal refusal) // NOLINT(google-explicit-constructor): likewise
        : state_(std::in_place_index<1>, std::move(refusal)) {}

    Answer(Error error) // NOLINT(google-explicit-constructor): likewise
        : state_(std::in_place_index<1>, Refusal(std::move(error))) {}

    explicit operator bool() const { return state_.index() == 0; }

    T& operator*() & { return std::get<0>(state_); }

    T* operator->() { return &std::get<0>(state_); }

    T&& value() && { return std::get<0>(std::move(state_)); }

    const Refusal& error() const& { return std::get<1>(state_); }

    Refusal&& error() && { return std::get<1>(std::move(state_)); }

  private:
    std::variant<T, Refusal> state_;
};

/// 400 with these words.
Refusal bad_request(std::string message);

/// A text or a truth of a JSON object; nothing if absent, null or of another type.
std::optional<std::string> text_at(const Json& object, const char* key);
bool flag_at(const Json& object, const char* key);

} // namespace locara::hub
