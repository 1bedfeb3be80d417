#include "sessions.hpp"

#include "database.hpp"
#include "names_rows.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::size_t kCookieBytes = 24;

std::string digest_of(const std::string& cookie) {
    return crypto::sha256(as_bytes(cookie)).render();
}

} // namespace

Result<Secret> Sessions::begin(const std::string& token_id, TimePoint now) {
    Secret cookie(random_hex(kCookieBytes));
    LOCARA_CHECK(database_->transact([&](soci::session& sql) -> Status {
        const long long over = seconds(now);
        sql << "DELETE FROM sessions WHERE expires <= :n", use(over);
        const std::string digest = digest_of(cookie.reveal());
        const long long expires = seconds(now + kSessionLife);
        sql << "INSERT INTO sessions (digest, token, expires) VALUES (:d, :t, :e)", use(digest),
            use(token_id), use(expires);
        return {};
    }));
    return cookie;
}

Result<std::optional<crypto::Sha256Digest>> Sessions::find(const std::string& cookie,
                                                           TimePoint now) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<crypto::Sha256Digest>> {
        const std::string digest = digest_of(cookie);
        const long long over = seconds(now);
        std::string token;
        sql << "SELECT t.digest FROM sessions s JOIN tokens t ON t.id = s.token"
               " WHERE s.digest = :d AND s.expires > :n",
            use(digest), use(over), into(token);
        if (!sql.got_data()) {
            return std::optional<crypto::Sha256Digest>();
        }
        LOCARA_TRY(const auto parsed, crypto::Sha256Digest::parse(token));
        return std::optional(parsed);
    });
}

Status Sessions::end(const std::string& cookie) {
    return database_->with([&](soci::session& sql) -> Status {
        const std::string digest = digest_of(cookie);
        sql << "DELETE FROM sessions WHERE digest = :d", use(digest);
        return {};
    });
}

} // namespace locara::hub
