#include "changed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace locara::hub {

namespace asio = boost::asio;

std::uint64_t Changed::count() const {
    const std::lock_guard guard(mutex_);
    return count_;
}

void Changed::notify() {
    std::vector<std::weak_ptr<asio::steady_timer>> woken;
    {
        const std::lock_guard guard(mutex_);
        ++count_;
        woken.swap(waiting_);
    }
    for (const auto& weak : woken) {
        if (const auto timer = weak.lock()) {
            // On the coroutine's own executor, where it has begun to wait by then.
            asio::post(timer->get_executor(), [timer] { timer->cancel(); });
        }
    }
}

asio::awaitable<void> Changed::wait_after(std::uint64_t seen) {
    const auto executor = co_await asio::this_coro::executor;
    const auto timer =
        std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    bool late = false;
    {
        const std::lock_guard guard(mutex_);
        late = count_ != seen;
        if (!late) {
            waiting_.push_back(timer);
        }
    }
    if (!late) {
        co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

} // namespace locara::hub
