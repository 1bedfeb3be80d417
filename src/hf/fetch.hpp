// Fetching what a part misses by parallel ranged GETs. Private to the module.
#pragma once

#include "endpoint.hpp"

#include <locara/xet/hash.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace locara::hf {

/// Spreads bytes over time: each taker waits until its bytes are due. Thread-safe.
class RateLimit {
  public:
    RateLimit(std::uint64_t bytes_per_second, Timer& timer)
        : bytes_per_second_(bytes_per_second), timer_(timer) {}

    Status take(std::uint64_t bytes, const std::stop_token& stop);

  private:
    const std::uint64_t bytes_per_second_; ///< 0: no limit.
    Timer& timer_;
    std::mutex mutex_;
    Timer::TimePoint free_at_{}; ///< Guarded by mutex_.
};

/// Whether the first answer is looked at for the file's Xet hash.
enum class LookForXet { No, Yes };

/// One run over what a part misses. Workers fetch; the calling thread hashes behind them.
///
/// The first request is made alone: its answer says whether the server serves ranges (206) or sends
/// the whole file (200). In the second case one worker reads that stream and the others stay idle.
class Fetch {
  public:
    Fetch(const Endpoint& endpoint,
          const FileRef& file,
          std::string url,
          store::Part& part,
          const PullOptions& options,
          LookForXet look = LookForXet::No);

    /// Returns when nothing is missing any more, or with the first error. `progress` is called
    /// from the calling thread, often. When the server has other bytes than the manifest says, the
    /// error is Corrupt and wrong() says what it has.
    Status run(const std::stop_token& stop,
               const std::function<void(const std::string&)>& progress);

    const std::string& wrong() const { return wrong_; }

    /// The Xet hash that the server's first answer bore, if it was looked for. Nothing has been
    /// fetched then, and run succeeded.
    const std::optional<xet::FileHash>& offered() const { return offered_; }

    std::uint64_t fetched_bytes() const { return fetched_; }

    int retries() const { return retries_; }

    /// The host that bytes came from, "" while none has answered.
    std::string source() const;

  private:
    class Answer;
    enum class Mode { Unknown, Ranges, Stream };

    void work(int index);
    std::optional<store::Span> take(int index);
    void give_back(store::Span span);
    std::optional<Failure> fetch_span(int index, store::Span span, std::uint64_t& gained);
    void fail(Error error, std::string wrong = "");
    std::vector<store::Span> missing_of(store::Span span) const;

    // Constant after construction.
    const Endpoint& endpoint_;
    const FileRef& file_;
    const std::string url_;
    store::Part& part_;
    const PullOptions& options_;
    const Asked asked_;

    std::stop_source stop_; ///< Stops the workers, on failure too.
    RateLimit limit_;
    std::atomic<std::uint64_t> fetched_ = 0;
    std::atomic<int> retries_ = 0;

    mutable std::mutex mutex_; ///< Guards what follows.
    std::condition_variable_any changed_;
    std::deque<store::Span> queue_; ///< To be fetched, in order.
    int in_flight_ = 0;
    int running_ = 0; ///< Workers that have not returned.
    Mode mode_ = Mode::Unknown;
    LookForXet look_ = LookForXet::No; ///< Still to be looked for.
    std::optional<xet::FileHash> offered_;
    int owner_ = 0;          ///< The one worker that goes on unless mode is Ranges.
    std::string direct_url_; ///< Where a redirect led to, to ask there at once; may be empty.
    std::string source_;
    std::optional<Error> error_; ///< The first that ended it.
    std::string wrong_;
};

} // namespace locara::hf
