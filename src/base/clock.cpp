#include <locara/base/clock.hpp>

#include <array>
#include <cstdio>
#include <ctime>

namespace locara {

namespace {

class SystemClock : public Clock {
  public:
    TimePoint now() const override { return TimePoint(std::chrono::seconds(std::time(nullptr))); }
};

/// The digits of `text` at [at, at + count) as a number, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

} // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

std::string render_time(TimePoint time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 64> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%04d-%02u-%02uT%02ld:%02ld:%02ldZ",
                  static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()),
                  static_cast<long>(clock.hours().count()),
                  static_cast<long>(clock.minutes().count()),
                  static_cast<long>(clock.seconds().count()));
    return text.data();
}

Result<TimePoint> parse_time(std::string_view text) {
    const auto malformed = [&] {
        return Error(ErrorCode::InvalidArgument,
                     "'" + std::string(text.substr(0, 40)) +
                         "' is not a time of the form 2026-11-22T19:06:28Z");
    };
    constexpr std::string_view kShape = "....-..-..T..:..:..Z";
    if (text.size() != kShape.size()) {
        return malformed();
    }
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        if (kShape[i] != '.' && kShape[i] != text[i]) {
            return malformed();
        }
    }
    const int year = digits(text, 0, 4);
    const int month = digits(text, 5, 2);
    const int day = digits(text, 8, 2);
    const int hour = digits(text, 11, 2);
    const int minute = digits(text, 14, 2);
    const int second = digits(text, 17, 2);
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (year < 0 || month < 0 || day < 0 || !date.ok() || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59) {
        return malformed();
    }
    return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute) + std::chrono::seconds(second);
}

} // namespace locara
