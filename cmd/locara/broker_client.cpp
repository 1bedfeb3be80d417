#include "broker_client.hpp"

#include "own_program.hpp"

#include <locara/base/file.hpp>
#include <locara/http/local_client.hpp>

#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/wait.h>

namespace locara::cli {

namespace fs = std::filesystem;

namespace {

constexpr auto kStartTimeout = std::chrono::seconds(20);
constexpr auto kEndTimeout = std::chrono::seconds(10);

/// The last "locara: ..." line that the broker wrote since `from`.
std::string last_words(const fs::path& log, std::uint64_t from) {
    const auto text = read_file(log, 64U << 20U);
    if (!text || text->size() <= from) {
        return "";
    }
    const auto at = text->rfind("locara: ");
    if (at == std::string::npos || at < from) {
        return "";
    }
    const auto begin = at + std::strlen("locara: ");
    return text->substr(begin, text->find('\n', begin) - begin);
}

} // namespace

ErrorCode parse_error_code(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        if (render(static_cast<ErrorCode>(i)) == name) {
            return static_cast<ErrorCode>(i);
        }
    }
    return ErrorCode::Internal;
}

Result<Json> BrokerClient::send(const std::string& method,
                                const std::string& path,
                                const std::string& body) const {
    http::LocalRequest request;
    request.method = method;
    request.target = path;
    request.body = body;
    if (!body.empty() || method == "POST") {
        request.headers.add("Content-Type", "application/json");
    }
    request.headers.add("Accept", "application/json");
    http::LocalOptions options;
    options.head_timeout = std::chrono::minutes(10); // a large model loads and thinks for long
    LOCARA_TRY(const auto response,
               http::local_request_blocking(home_.broker_socket(), std::move(request), options));
    auto json = parse_json(response.body.empty() ? "{}" : response.body);
    if (response.status >= 400) {
        const bool problem = json && json->is_object();
        const auto text = [&](const char* key) {
            return problem && json->value(key, Json()).is_string()
                       ? json->at(key).get<std::string>()
                       : std::string();
        };
        auto detail = text("detail");
        if (detail.empty()) {
            detail = "the broker answered " + std::to_string(response.status);
        }
        return Error(parse_error_code(text("code")), std::move(detail));
    }
    if (!json) {
        return Error(ErrorCode::Internal,
                     "the broker's answer is no JSON: " + json.error().message());
    }
    return std::move(*json);
}

bool BrokerClient::is_running() const {
    return static_cast<bool>(send("GET", "/locara/v1/status", ""));
}

Status BrokerClient::wait_until(Until until) const {
    // A broker that ends lets its audit log go last, after its engines.
    const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
    while (until == Until::Gone || !is_running()) {
        const auto lock = FileLock::try_acquire(home_.audit_log().string() + ".lock");
        if (lock || lock.error().code() != ErrorCode::Busy) {
            return {};
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return Error(ErrorCode::Busy,
                         "an earlier broker does not end; look for `locara serve` in the list of "
                         "processes");
        }
        if (interrupt_token().stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return {};
}

Status BrokerClient::ensure_running(Context& context) const {
    if (is_running()) {
        return {};
    }
    LOCARA_CHECK(home_.create_folders());
    // Two commands at once start one broker.
    LOCARA_TRY(const auto turn, FileLock::acquire(home_.run / "start.lock", [] {
                   return interrupt_token().stop_requested();
               }));
    LOCARA_CHECK(wait_until(Until::GoneOrAnswering));
    return is_running() ? Status() : start(context);
}

Status BrokerClient::start(Context& context) const {
    std::error_code absent;
    const auto size = fs::file_size(home_.broker_log(), absent);
    const std::uint64_t from = absent ? 0 : size;
    std::vector<std::string> arguments = {"serve"};
    if (context.flags.offline) {
        arguments.emplace_back("--offline");
    }
    LOCARA_TRY(const auto pid, start_own_program(std::move(arguments), home_.broker_log()));
    context.log().info("cli", "broker started", {{"pid", std::to_string(pid)}});
    const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    while (std::chrono::steady_clock::now() < deadline) {
        if (is_running()) {
            return {};
        }
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) == pid) {
            auto words = last_words(home_.broker_log(), from);
            const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
            return Error(code == kBusy      ? ErrorCode::Busy
                         : code == kUsage   ? ErrorCode::InvalidArgument
                         : code == kRefused ? ErrorCode::Refused
                                            : ErrorCode::Unavailable,
                         words.empty()
                             ? "the broker did not start; its log is " + home_.broker_log().string()
                             : words);
        }
        if (interrupt_token().stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return Error(ErrorCode::Timeout,
                 "the broker did not answer within 20 s; its log is " +
                     home_.broker_log().string());
}

} // namespace locara::cli
