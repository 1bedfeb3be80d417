// Talks to the broker over its unix socket, and starts one when none runs.
#pragma once

#include "context.hpp"

#include <locara/runtime/home.hpp>

#include <string>

namespace locara::cli {

class BrokerClient {
  public:
    explicit BrokerClient(runtime::Home home) : home_(std::move(home)) {}

    /// Whether a broker answers.
    bool is_running() const;

    /// Starts `locara serve` in the background unless one runs, and waits until it answers. The
    /// error of a broker that could not start is its own last line.
    Status ensure_running(Context& context) const;

    /// Returns when no broker holds the state folder any more (one that was asked to stop still
    /// has engines to end), or when one answers. Busy after ten seconds, Cancelled.
    enum class Until { Gone, GoneOrAnswering };
    Status wait_until(Until until) const;

    /// Sends JSON ("" for none) and reads JSON. A problem document becomes the Error it stands for.
    /// Unavailable if no broker runs.
    Result<Json>
    send(const std::string& method, const std::string& path, const std::string& body) const;

  private:
    Status start(Context& context) const;

    runtime::Home home_;
};

/// The kind of error that a stable name ("not_found") stands for; Internal for unknown names.
ErrorCode parse_error_code(std::string_view name);

} // namespace locara::cli
