// Rate limits: how many requests one token, or one address without a token, may make in a window.
//
// Headers are those of the Hugging Face Hub (docs/hub/rate-limits.md there), which follow draft 9
// of draft-ietf-httpapi-ratelimit-headers: `RateLimit: "api";r=REMAINING;t=SECONDS` and
// `RateLimit-Policy: "fixed window";"api";q=QUOTA;w=SECONDS`; 429 when nothing remains. Windows are
// fixed and the same for everybody.
//
// A request counts for its token only once that token has been found good, so that nobody gets a
// fresh quota with each token made up; else it counts for its address, and a token is looked up
// when that has no more quota. Memory is bounded: when kClients have been seen in a window, others
// share kShared counters by chance, so that a flood of addresses makes nobody free. Threads: may be
// used from any.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/http/message.hpp>
#include <locara/hub/addresses.hpp>
#include <locara/hub/config.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace locara::hub {

/// What a request is counted as: content is asked for far more often than anything else.
enum class RequestClass { Api, Resolvers };

/// By its path. Nothing for what tells how the hub is, which is not limited.
std::optional<RequestClass> classify(const http::Request& request);

class RateLimiter {
  public:
    static constexpr std::size_t kClients = 65'536;
    static constexpr std::size_t kShared = 4096;
    static constexpr std::uint64_t kLookups = 1000;

    using Now = std::chrono::steady_clock::time_point;
    using Token = crypto::Sha256Digest; ///< Of a token's text.

    explicit RateLimiter(LimitConfig config);

    struct Verdict {
        bool allowed = true;
        RequestClass kind = RequestClass::Api;
        std::uint64_t quota = 0;
        std::uint64_t remaining = 0;
        std::chrono::seconds window{0};
        std::chrono::seconds reset{0}; ///< Until the next window, at least 1.
    };

    /// Counts one request. Nothing when it is not limited.
    std::optional<Verdict>
    take(const IpAddress& address, const std::optional<Token>& token, RequestClass kind, Now now);

    /// Whether a token that nothing is known of may be looked up although requests from its address
    /// are refused: as often in a window as kLookups, for one of many that share an address and a
    /// hub that has just started; who makes tokens up gets no further.
    bool begin_lookup(const IpAddress& address, const Token& token);

    /// What became known of a token.
    void note_token(const Token& token, bool good);

    /// Requests refused so far.
    std::uint64_t refused() const;

    /// Counters in memory.
    std::size_t size() const;

  private:
    using Counts = std::array<std::uint64_t, 3>; ///< By RequestClass, and look-ups.
    using Key = std::variant<IpAddress, Token>;

    Counts& counts_of(const Key& key);

    const LimitConfig config_;
    const std::uint64_t salt_;
    mutable std::mutex mutex_; ///< Guards what follows.
    std::optional<Now> begin_; ///< Of the window.
    std::map<Key, Counts> clients_;
    std::vector<Counts> shared_;
    std::set<Token> known_; ///< Good tokens, at most kClients.
    std::uint64_t refused_ = 0;
};

/// The headers of a limited answer.
void add_headers(const RateLimiter::Verdict& verdict, http::Headers& headers);

/// 429, in the form that whoever made the request reads.
http::Response render_limited(const RateLimiter::Verdict& verdict, const http::Request& request);

} // namespace locara::hub
