#include <locara/hf/retry.hpp>

#include <algorithm>
#include <charconv>

namespace locara::hf {

namespace {

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data() || value < 0) {
        return std::nullopt;
    }
    return std::chrono::seconds(value);
}

} // namespace

std::optional<std::chrono::seconds> asked_wait(const http::ClientHeaders& headers) {
    if (const auto after = headers.find("Retry-After")) {
        return parse_seconds(*after);
    }
    if (const auto limit = headers.find("RateLimit")) {
        const std::size_t left = limit->find(";r=0;");
        const std::size_t reset = limit->find(";t=");
        if (left != std::string_view::npos && reset != std::string_view::npos) {
            return parse_seconds(limit->substr(reset + 3));
        }
    }
    return std::nullopt;
}

Failure failure_of(Error error) {
    const bool again = error.code() == ErrorCode::Unavailable || error.code() == ErrorCode::Timeout;
    return {std::move(error), again ? Failure::Again::Later : Failure::Again::Never, {}};
}

Retry::Retry(const RetryPolicy& policy, Timer& timer, Log& log)
    : policy_(policy), timer_(timer), log_(log) {}

std::chrono::milliseconds Retry::wait_before(int n) {
    constexpr int kMostDoublings = 20;
    const auto full =
        std::min(policy_.longest_wait, policy_.first_wait * (1 << std::min(n - 1, kMostDoublings)));
    const auto half = full / 2;
    std::uniform_int_distribution<long> jitter(0, static_cast<long>((full - half).count()));
    return half + std::chrono::milliseconds(jitter(random_));
}

Status Retry::after(Failure failure, const std::stop_token& stop) {
    if (failure.again == Failure::Again::Never || stop.stop_requested()) {
        return std::move(failure.error);
    }
    ++failures_;
    if (failures_ >= policy_.attempts) {
        return Error(failure.error.code(),
                     failure.error.message() + "; gave up after " + std::to_string(failures_) +
                         " tries in a row");
    }
    if (failure.asked_wait && *failure.asked_wait > policy_.longest_asked_wait) {
        return Error(failure.error.code(),
                     failure.error.message() + "; the server asks to wait " +
                         std::to_string(failure.asked_wait->count()) + " s: try again after that");
    }
    auto wait = failure.again == Failure::Again::Now ? std::chrono::milliseconds(0)
                                                     : wait_before(failures_);
    if (failure.asked_wait) {
        wait += *failure.asked_wait; // jitter on top, so that not all clients come back at once
    }
    log_.info("hf",
              "retry",
              {{"error", failure.error.describe()},
               {"failures", std::to_string(failures_)},
               {"wait_ms", std::to_string(wait.count())}});
    return wait.count() > 0 ? timer_.sleep(wait, stop) : Status{};
}

} // namespace locara::hf
