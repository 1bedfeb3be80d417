// Who runs apps and installs none would never hear of a takedown: a catalog that nobody asked for
// within a day is asked for, when an app is started and while one may run.
#pragma once

#include "context.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace locara::cli {

/// Asks every hub for what is old, all at once and for five seconds at most. What cannot be had now
/// is asked for at the next run, or by the watch of the broker.
void refresh_if_old(Context& context);

/// Has each hub asked for what is old as long as it lives, by a process of its own: a broker itself
/// connects to nothing (docs/adr/0001). Nothing is asked for offline (--offline, LOCARA_OFFLINE,
/// HF_HUB_OFFLINE). It looks once an hour. `context` is borrowed, and used by the thread.
class CatalogWatch {
  public:
    explicit CatalogWatch(Context& context);
    ~CatalogWatch();
    CatalogWatch(const CatalogWatch&) = delete;
    CatalogWatch& operator=(const CatalogWatch&) = delete;

  private:
    void run(const std::stop_token& stop);
    void ask(const std::string& hub, const std::stop_token& stop);
    /// False once it is to stop.
    bool sleep(const std::stop_token& stop, std::chrono::milliseconds time);

    Context* context_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_; ///< Last: it uses what is above.
};

} // namespace locara::cli
