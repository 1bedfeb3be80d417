// Writes the audit log on a thread of its own, so that no request waits for the disk.
#pragma once

#include <locara/base/log.hpp>
#include <locara/crypto/chained_log.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace locara::runtime {

class AuditQueue {
  public:
    /// Lines that may wait. Beyond it a line is counted and not kept; the next one says how many.
    static constexpr std::size_t kMaxWaiting = 1024;

    AuditQueue(crypto::ChainedLog log, Log& errors);

    /// Writes what waits, then ends.
    ~AuditQueue();
    AuditQueue(const AuditQueue&) = delete;
    AuditQueue& operator=(const AuditQueue&) = delete;

    /// Never blocks on the disk. From any thread.
    void note(std::string event, Json fields);

  private:
    void run();

    crypto::ChainedLog log_;
    Log& errors_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::pair<std::string, Json>> waiting_; // GUARDED_BY(mutex_)
    std::uint64_t dropped_ = 0;                        // GUARDED_BY(mutex_)
    bool ending_ = false;                              // GUARDED_BY(mutex_)
    std::thread thread_;
};

} // namespace locara::runtime
