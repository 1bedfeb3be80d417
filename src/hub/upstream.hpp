// Upstream: the hub that this one mirrors, asked over HTTP.
//
// Tokens go to the configured address and nowhere else: an answer that leads to another host is
// followed without them (http/client.hpp), a link to another host is not followed at all. What goes
// wrong becomes a refusal that a client of the Hub understands: upstream's own words for 4xx, else
// 502 UpstreamUnavailable, 424 MirrorOffline.
// Threads: may be used from any number of threads at once; calls block.
#pragma once

#include "answers.hpp"
#include "mirror_counts.hpp"

#include <locara/base/log.hpp>
#include <locara/base/secret.hpp>
#include <locara/hf/retry.hpp>
#include <locara/http/client.hpp>
#include <locara/hub/config.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace locara::hub {

/// What is asked of the API.
struct UpstreamCall {
    std::string path;                ///< "/api/..." with its query, encoded.
    Secret token;                    ///< Instead of the hub's own; empty for that one.
    std::optional<std::string> body; ///< JSON: makes it a POST.
    std::uint64_t limit_bytes = 8U << 20U;
};

struct UpstreamAnswer {
    std::string body;
    std::string next;                 ///< Path and query of the next page; empty on the last.
    std::optional<std::size_t> total; ///< Of all pages (X-Total-Count), where upstream tells.
};

/// A file of a pinned commit.
struct UpstreamFile {
    std::string path;   ///< "/org/name/resolve/<commit>/...", encoded.
    std::string commit; ///< 40 hex digits.
    std::uint64_t size = 0;
    Secret token; ///< As in UpstreamCall.
};

/// Why a request did not do what it should.
struct Trouble {
    Refusal refusal;     ///< For the client.
    hf::Failure failure; ///< Whether to ask again.
};

class Upstream {
  public:
    /// Borrows everything. `stop` ends every call.
    Upstream(http::Client& http,
             const MirrorConfig& config,
             Log& log,
             MirrorCounts& counts,
             std::stop_token stop)
        : http_(http), config_(config), log_(log), counts_(counts), stop_(std::move(stop)) {}

    bool is_offline() const { return config_.offline == MirrorConfig::Offline::Yes; }

    /// Asks, a few times if it has to.
    Answer<UpstreamAnswer> ask(const UpstreamCall& call) const;

    /// Fetches bytes [from, size) of a file, once, and gives them to `take` in order. An answer
    /// whose length or commit is not the one that is known gives nothing. An error of `take` ends
    /// it and is no fault of upstream's.
    std::optional<Trouble> fetch(const UpstreamFile& file,
                                 std::uint64_t from,
                                 const std::function<Status(ByteView)>& take) const;

    /// Counts failures in a row for one file.
    hf::Retry make_retry() const;

    const std::stop_token& stop() const { return stop_; }

  private:
    http::ClientRequest request(const std::string& path, const Secret& token) const;
    std::string next_of(const http::ResponseHead& head) const;
    void count(const Trouble& trouble) const;

    http::Client& http_;
    const MirrorConfig& config_;
    Log& log_;
    MirrorCounts& counts_;
    std::stop_token stop_;
};

inline constexpr int kNotHereOffline = 424;

/// The refusal of everything that is not here when upstream is not to be asked: kNotHereOffline.
/// Asking again changes nothing, so nothing that clients ask again for (408, 429, 5xx); and not
/// 404, which they remember, or take for a file that the repository lacks.
Refusal not_here_offline(std::string message);

} // namespace locara::hub
