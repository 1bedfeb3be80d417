// Sessions: who is signed in at the hub's pages. Somebody signs in with an access token and gets a
// cookie instead, which may do no more than that token and ends when it does.
//
// Only the SHA-256 of a cookie is kept. Threads, processes, and errors besides those named: as
// Database. Each call is one transaction.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/crypto/sha256.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace locara::hub {

class Database;

inline constexpr std::chrono::seconds kSessionLife = std::chrono::hours(14 * 24);

class Sessions {
  public:
    explicit Sessions(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// A new cookie for whoever has the token of this id. Sessions that are over are forgotten.
    Result<Secret> begin(const std::string& token_id, TimePoint now);

    /// The digest of the token that the cookie stands for; nothing if there is no such session, or
    /// it is over. The token may have ended since.
    Result<std::optional<crypto::Sha256Digest>> find(const std::string& cookie,
                                                     TimePoint now) const;

    /// Forgets the session, if there is one.
    Status end(const std::string& cookie);

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
