// Changed: lets coroutines wait, without a thread, for something that threads bring about.
//
// Who waits looks at the thing, remembers count(), and waits for a later one; so no change is
// missed. Threads: any. A waiting coroutine must end before its executor's context does, and no
// notify() may run after that.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace locara::hub {

class Changed {
  public:
    std::uint64_t count() const;

    /// Counts one more change and wakes all that wait.
    void notify();

    /// Returns as soon as count() is not `seen`, or when the coroutine is cancelled.
    boost::asio::awaitable<void> wait_after(std::uint64_t seen);

  private:
    mutable std::mutex mutex_;
    std::uint64_t count_ = 0; // under mutex_
    /// Of those who wait; each is owned by its coroutine. Under mutex_.
    std::vector<std::weak_ptr<boost::asio::steady_timer>> waiting_;
};

} // namespace locara::hub
