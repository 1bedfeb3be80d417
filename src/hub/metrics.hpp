// Metrics: what a hub did, counted for Prometheus.
//
// Follows the text exposition format 0.0.4 of Prometheus and its rules for names: base units,
// `_total` for counters, `_info` for facts. Labels have few values, all of our own making: patterns
// of routes, methods, classes of status. No name of a repository, no address, no account.
// Threads: may be used from any.
#pragma once

#include <locara/http/server.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::hub {

class Metrics {
  public:
    /// Upper bounds of the duration histogram, in seconds; one more bucket holds the rest.
    static constexpr std::array<double, 12> kBuckets = {
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600};

    /// A request that was answered. A route of no router is "none", and so is its method unless it
    /// is one of HTTP's own.
    void count(const http::Exchange& exchange);

    /// A value that is asked for elsewhere, to be rendered beside the requests.
    struct Sample {
        enum class Type { Counter, Gauge } type = Type::Gauge;
        std::string name; ///< Without `_total`.
        std::string help;
        double value = 0;
        std::string labels; ///< `name="value"`, escaped; empty for none.
    };

    /// Samples of one name must stand together.
    std::string render(const std::vector<Sample>& samples) const;

  private:
    struct Timing {
        std::array<std::uint64_t, kBuckets.size() + 1> buckets{};
        double seconds = 0;
        std::map<std::string, std::uint64_t> by_class; ///< "2xx" -> how many.
    };

    mutable std::mutex mutex_;                                       ///< Guards what follows.
    std::map<std::pair<std::string, std::string>, Timing> requests_; ///< By route and method.
    std::uint64_t bytes_in_ = 0;
    std::uint64_t bytes_out_ = 0;
};

/// The value of a label between its quotes.
std::string escape_label(std::string_view text);

} // namespace locara::hub
