// Spans of time as people type them.
#pragma once

#include <locara/base/result.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

/// "90d", "12h" or "30m", from one minute to 100,000 of a unit. InvalidArgument otherwise; `option`
/// is whose value it is.
inline locara::Result<std::chrono::seconds> parse_duration(const std::string& option,
                                                           const std::string& text) {
    std::int64_t count = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, count);
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    const std::int64_t seconds = unit == "d" ? 86'400 : unit == "h" ? 3600 : unit == "m" ? 60 : 0;
    constexpr std::int64_t kMost = 100'000;
    if (error != std::errc() || seconds == 0 || count < 1 || count > kMost) {
        return locara::Error(locara::ErrorCode::InvalidArgument,
                             option + ": found '" + text + "', wanted such as 90d, 12h or 30m");
    }
    return std::chrono::seconds(count * seconds);
}
