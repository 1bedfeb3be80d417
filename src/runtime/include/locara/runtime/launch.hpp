// Launch codes and app tokens: how a page that anybody may load becomes the one that may ask.
//
// The printed URL ends in a launch code (single use, ten minutes). The shell exchanges it for a
// token, which opens the grants of one app and nothing else until the broker ends.
// Threads: all functions may be called from any thread.
#pragma once

#include <locara/base/secret.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace locara::runtime {

class LaunchCodes {
  public:
    using Time = std::chrono::steady_clock::time_point;
    using Now = std::function<Time()>;

    static constexpr std::chrono::minutes kLifetime{10};
    static constexpr std::size_t kMaxOpen = 64; ///< Older ones give way.

    explicit LaunchCodes(Now now = [] { return std::chrono::steady_clock::now(); })
        : now_(std::move(now)) {}

    /// A new code for the app of this label: 256 random bits as hex.
    std::string issue(std::string_view label);

    /// Takes the code out. False if it was never issued for this label, was used, or is too old.
    bool redeem(std::string_view label, std::string_view code);

  private:
    struct Open {
        std::string label;
        Secret code;
        Time until;
    };

    Now now_;
    std::mutex mutex_;
    std::deque<Open> open_; // GUARDED_BY(mutex_); oldest first
};

class Tokens {
  public:
    static constexpr std::size_t kMaxPerApp = 16; ///< Tabs of one app at once; older ones give way.

    /// A new token for the app of this label: 256 random bits as hex.
    std::string issue(std::string_view label);

    /// Whether this token was issued for this label. Time depends on the number of tokens alone.
    bool accepts(std::string_view label, std::string_view token) const;

    /// Ends every token of a label.
    void revoke(std::string_view label);

    /// Ends one token. False if accepts() would not take it.
    bool revoke(std::string_view label, std::string_view token);

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<Secret>, std::less<>> tokens_; // GUARDED_BY(mutex_)
};

} // namespace locara::runtime
