// The wall clock as a seam, and its text form (RFC 3339, UTC, whole seconds).
//
// Code that decides by time takes a Clock&, so that tests move time instead of sleeping. The system
// clock goes through the C library, so that libfaketime and friends can move it too.
#pragma once

#include <locara/base/result.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

namespace locara {

using TimePoint = std::chrono::sys_seconds;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual TimePoint now() const = 0;
};

/// The machine's clock. Thread-safe; lives as long as the program.
const Clock& system_clock();

/// A clock that stands where it is put, by any thread. For tests.
class FakeClock : public Clock {
  public:
    explicit FakeClock(TimePoint now) : now_(now) {}

    TimePoint now() const override { return now_.load(); }

    void set(TimePoint now) { now_.store(now); }

    /// One thread at a time.
    void advance(std::chrono::seconds by) { now_.store(now_.load() + by); }

  private:
    std::atomic<TimePoint> now_;
};

/// "2026-11-22T19:06:28Z", and back. parse takes exactly this form (InvalidArgument otherwise).
std::string render_time(TimePoint time);
Result<TimePoint> parse_time(std::string_view text);

} // namespace locara
