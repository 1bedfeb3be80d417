// Time to wait, as a seam: backoff and rate limits sleep through it, so that tests need not.
#pragma once

#include <locara/base/result.hpp>

#include <chrono>
#include <mutex>
#include <stop_token>
#include <vector>

namespace locara::hf {

/// Thread-safe.
class Timer {
  public:
    using TimePoint = std::chrono::steady_clock::time_point;

    virtual ~Timer() = default;
    virtual TimePoint now() const = 0;

    /// Waits this long. Cancelled as soon as `stop` is asked for.
    virtual Status sleep(std::chrono::milliseconds time, std::stop_token stop) = 0;
};

/// The machine's steady clock. Lives as long as the program.
Timer& system_timer();

/// Never waits: sleeping moves its time forward and is written down. For tests.
class FakeTimer : public Timer {
  public:
    TimePoint now() const override;
    Status sleep(std::chrono::milliseconds time, std::stop_token stop) override;

    /// All waits so far.
    std::vector<std::chrono::milliseconds> waits() const;

  private:
    mutable std::mutex mutex_;
    TimePoint now_{};                              ///< Guarded by mutex_.
    std::vector<std::chrono::milliseconds> waits_; ///< Guarded by mutex_.
};

} // namespace locara::hf
