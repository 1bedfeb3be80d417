#include "audit_queue.hpp"

namespace locara::runtime {

AuditQueue::AuditQueue(crypto::ChainedLog log, Log& errors)
    : log_(std::move(log)), errors_(errors), thread_([this] { run(); }) {}

AuditQueue::~AuditQueue() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void AuditQueue::note(std::string event, Json fields) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= kMaxWaiting) {
            ++dropped_;
            return;
        }
        if (dropped_ > 0) {
            fields["not_recorded_before"] = dropped_;
            dropped_ = 0;
        }
        waiting_.emplace_back(std::move(event), std::move(fields));
    }
    wake_.notify_one();
}

void AuditQueue::run() {
    while (true) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        const auto [event, fields] = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        if (const auto written = log_.append(event, fields); !written) {
            errors_.error("runtime", "audit_failed", {{"error", written.error().describe()}});
        }
    }
}

} // namespace locara::runtime
