#include <locara/hf/timer.hpp>

#include <condition_variable>

namespace locara::hf {

namespace {

class SystemTimer : public Timer {
  public:
    TimePoint now() const override { return std::chrono::steady_clock::now(); }

    Status sleep(std::chrono::milliseconds time, std::stop_token stop) override {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::unique_lock lock(mutex);
        changed.wait_for(lock, stop, time, [] { return false; });
        return stop.stop_requested() ? Error(ErrorCode::Cancelled, "stopped while waiting")
                                     : Status{};
    }
};

} // namespace

Timer& system_timer() {
    static SystemTimer timer;
    return timer;
}

Timer::TimePoint FakeTimer::now() const {
    const std::lock_guard guard(mutex_);
    return now_;
}

Status FakeTimer::sleep(std::chrono::milliseconds time, std::stop_token stop) {
    const std::lock_guard guard(mutex_);
    waits_.push_back(time);
    now_ += time;
    return stop.stop_requested() ? Error(ErrorCode::Cancelled, "stopped while waiting") : Status{};
}

std::vector<std::chrono::milliseconds> FakeTimer::waits() const {
    const std::lock_guard guard(mutex_);
    return waits_;
}

} // namespace locara::hf
