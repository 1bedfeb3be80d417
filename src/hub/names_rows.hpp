// How times stand in the hub's database: seconds since 1970 UTC.
#pragma once

#include <locara/base/clock.hpp>

#include <chrono>

namespace locara::hub {

inline long long seconds(TimePoint time) {
    return time.time_since_epoch().count();
}

inline TimePoint time_of(long long value) {
    return TimePoint(std::chrono::seconds(value));
}

} // namespace locara::hub
