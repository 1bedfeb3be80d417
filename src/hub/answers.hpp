// What handlers answer: a response, or a refusal that becomes an error in one place.
//
// Errors are told as clients of the Hugging Face Hub read them: a JSON object with "error", and the
// headers X-Error-Code and X-Error-Message.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/log.hpp>
#include <locara/http/server.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace locara::hub {

/// Why a request is not answered as asked.
struct Refusal {
    Refusal(int s, std::string c, std::string m)
        : status(s), code(std::move(c)), message(std::move(m)) {}

    /// The status is http::http_status of its code. What is our own fault keeps its details for the
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

/// A handler that may block; it runs on the pool.
using SyncHandler = std::function<Answer<http::Response>(const http::Request&)>;

/// One that reads a streamed body; it runs on the connection's strand.
using StreamHandler =
    std::function<boost::asio::awaitable<Answer<http::Response>>(const http::Request&)>;

/// The refusal as a response; what is our own fault is logged under the request's id.
http::Response render_refusal(const Refusal& refusal, const http::Request& request, Log& log);

/// The refusals that several routes share.
Refusal no_such_repo();
Refusal no_such_revision(std::string_view revision);
Refusal no_such_entry(const std::string& commit, const std::string& message = "Entry not found");
Refusal bad_request(std::string message);

/// 200 with this JSON; bytes that are no UTF-8 are replaced.
http::Response json_answer(const Json& json);

/// Parses a body that must be a JSON object.
Answer<Json> parse_object(const http::Request& request);

/// A text or a truth of a JSON object; nothing if absent, null or of another type.
std::optional<std::string> text_at(const Json& object, const char* key);
bool flag_at(const Json& object, const char* key);

/// "2026-01-01T00:00:00.000Z"
std::string render_date(TimePoint time);

/// Our own address as the client knows it, for links that must be absolute: "http://host:port".
/// https when a proxy in front says so (X-Forwarded-Proto).
std::string endpoint(const http::Request& request);

/// A number in the query; nothing if absent or malformed.
std::optional<std::size_t> number(const http::Request& request, std::string_view key);

} // namespace locara::hub
