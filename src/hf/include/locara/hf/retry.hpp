// When and how long to wait before asking again, for this client and others of the same protocol.
//
// Threads: a Retry belongs to one thread.
#pragma once

#include <locara/hf/client.hpp>

#include <optional>
#include <random>

namespace locara::hf {

/// A failed request that brought this much counts as progress.
inline constexpr std::uint64_t kProgressBytes = 64U << 10U;

/// Why one request did not do what it should, and whether asking again may help.
struct Failure {
    Error error;
    enum class Again { Never, Now, Later } again = Again::Never;
    std::optional<std::chrono::seconds> asked_wait; ///< What the server asked for.
};

/// The failure that an error of the HTTP client means.
Failure failure_of(Error error);

/// How long a server asks to be left alone: `Retry-After` in seconds, or `RateLimit` with nothing
/// left (`"api";r=0;t=55`, the form of the Hub).
std::optional<std::chrono::seconds> asked_wait(const http::ClientHeaders& headers);

/// Counts the failures of one line of requests. One thread.
class Retry {
  public:
    Retry(const RetryPolicy& policy, Timer& timer, Log& log);

    /// Something arrived: the count starts anew.
    void progressed() { failures_ = 0; }

    /// Waits, then returns success when the request shall be made again; else the error to give up
    /// with. Cancelled when stopped while waiting.
    Status after(Failure failure, const std::stop_token& stop);

    /// The wait before the `n`-th retry in a row (from 1), with jitter; asked waits come on top.
    std::chrono::milliseconds wait_before(int n);

  private:
    RetryPolicy policy_;
    Timer& timer_;
    Log& log_;
    int failures_ = 0;
    std::minstd_rand random_{std::random_device{}()};
};

} // namespace locara::hf
