// What a hub says of itself to who runs it: whether it is well, and what it does.
#pragma once

#include "metrics.hpp"
#include "mirror.hpp"
#include "rate_limit.hpp"
#include "routes.hpp"

#include <locara/hub/config.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

namespace locara::hub {

/// All borrowed by the handlers.
struct Operation {
    const std::filesystem::path& data;
    const Clock& clock;
    const Metrics& metrics;
    Database& database;
    const HubConfig& config;
    const std::unique_ptr<Mirror>& mirror; ///< Null in a hub that mirrors nothing.
    const RateLimiter& limiter;
    std::function<std::size_t()> connections;
};

/// GET /healthz, for everybody: 200, or 503 if the database does not answer or the store takes no
/// file. GET /metrics, for HubConfig::metrics: 403 for others.
void add_operation_routes(Routes& routes, Operation operation);

/// What the last gc did, kept in the data folder for /metrics: gc runs in another process.
struct LastCollection {
    TimePoint ended;
    std::uint64_t freed_bytes = 0;
    std::uint64_t kept_bytes = 0;
};

Status write_last_collection(const std::filesystem::path& data, const LastCollection& last);

/// Nothing if there was none, or its note cannot be read.
std::optional<LastCollection> find_last_collection(const std::filesystem::path& data);

} // namespace locara::hub
