#include "database.hpp"
#include "names_rows.hpp"
#include "token_text.hpp"
#include "web_address.hpp"

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hub/oauth.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::string_view kRead = kOAuthScopes[3];
constexpr std::string_view kWrite = kOAuthScopes[4];

constexpr std::size_t kIdLimit = 96;
constexpr std::size_t kRedirects = 16;
constexpr std::size_t kCodeBytes = 24;
constexpr long long kMostDevices = 10'000;

/// Consonants, so that a code is no word; none that is taken for another. 20^8 codes.
constexpr std::string_view kUserDigits = "BCDFGHJKLMNPQRSTVWXZ";
constexpr std::size_t kUserLength = 8;

/// OAuthDevice's state in the database.
enum class DeviceState { Waiting, Granted, Denied };

/// The command-line client of the Hub's Python library, by the id that it has built in
/// (huggingface_hub 1.29, constants.py, DEVICE_CODE_OAUTH_CLIENT_ID).
OAuthClient hf_command() {
    return {"26be6b09-91c5-47da-9861-d2d2bb7a7e36",
            "hf, the command",
            {},
            "openid profile email write-repos"};
}

/// For messages.
std::string all_scopes() {
    std::string all;
    for (const std::string_view scope : kOAuthScopes) {
        all.append(all.empty() ? "" : " ").append(scope);
    }
    return all;
}

std::string digest_of(std::string_view text) {
    return crypto::sha256(as_bytes(text)).render();
}

std::string join_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += line + "\n";
    }
    return text;
}

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

Status check_client(const OAuthClient& client) {
    const bool plain = std::all_of(client.id.begin(), client.id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
    if (client.id.empty() || client.id.size() > kIdLimit || !plain) {
        return Error(ErrorCode::InvalidArgument,
                     "the id of a program has 1 to 96 letters, digits, '-', '_' and '.'");
    }
    if (client.name.empty() || client.name.size() > kIdLimit) {
        return Error(ErrorCode::InvalidArgument, "the name of a program has 1 to 96 bytes");
    }
    if (client.redirects.size() > kRedirects) {
        return Error(ErrorCode::InvalidArgument,
                     "a program has at most " + std::to_string(kRedirects) + " addresses");
    }
    for (const std::string& address : client.redirects) {
        LOCARA_CHECK(check_web_address(address));
    }
    for (std::size_t begin = 0; begin < client.scopes.size();) {
        const std::size_t end = std::min(client.scopes.find(' ', begin), client.scopes.size());
        const std::string scope = client.scopes.substr(begin, end - begin);
        if (std::find(kOAuthScopes.begin(), kOAuthScopes.end(), scope) == kOAuthScopes.end()) {
            return Error(ErrorCode::InvalidArgument,
                         "found scope '" + scope + "', there are " + all_scopes());
        }
        begin = end + 1;
    }
    return {};
}

/// A new token of the grant's account; those of the program that are over are forgotten. In the
/// transaction of the caller.
OAuthToken
insert_token(soci::session& sql, OAuthGrant grant, std::chrono::seconds life, TimePoint now) {
    OAuthToken made{make_token_text(), std::move(grant), now + life};
    const long long account = made.grant.account;
    const long long created = seconds(now);
    const long long expires = seconds(made.expires);
    sql << "DELETE FROM tokens WHERE account = :a AND client = :c AND expires <= :n", use(account),
        use(made.grant.client), use(created);
    const std::string id = random_hex(12);
    const std::string name = "oauth " + made.grant.client.substr(0, 48) + " " + id.substr(0, 8);
    const std::string digest = digest_of(made.text.reveal());
    const std::string role(render(role_of_scopes(made.grant.scopes)));
    sql << "INSERT INTO tokens (id, account, name, digest, role, created, expires, client)"
           " VALUES (:i, :a, :n, :d, :r, :c, :e, :p)",
        use(id), use(account), use(name), use(digest), use(role), use(created), use(expires),
        use(made.grant.client);
    return made;
}

/// The code without what people put between; empty if it can be none.
std::string plain_user_code(std::string_view written) {
    std::string code;
    for (const char c : written) {
        const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        if (kUserDigits.find(upper) != std::string_view::npos) {
            code += upper;
        } else if (upper != '-' && upper != ' ') {
            return "";
        }
    }
    return code.size() == kUserLength ? code : "";
}

std::string make_user_code() {
    std::string code;
    while (code.size() < kUserLength) {
        // Of 256 values the first 240 are as many of each digit.
        const auto byte = parse_hex(random_hex(1));
        LOCARA_ASSERT(byte);
        const auto value = std::to_integer<std::size_t>(byte->front());
        if (value < 256 / kUserDigits.size() * kUserDigits.size()) {
            code += kUserDigits[value % kUserDigits.size()];
        }
    }
    return code;
}

Error not_good(const char* what) {
    return {ErrorCode::Unauthorized, what};
}

} // namespace

bool has_scope(std::string_view list, std::string_view scope) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(' '), list.size());
        if (list.substr(0, end) == scope) {
            return true;
        }
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

std::string grantable_scopes(std::string_view asked, std::string_view allowed) {
    const bool writes = has_scope(asked, kWrite);
    std::string granted;
    for (const std::string_view scope : kOAuthScopes) {
        bool given = has_scope(asked, scope) && has_scope(allowed, scope);
        if (scope == kRead) { // Writing implies it, whoever names it.
            const bool readable = has_scope(allowed, kRead) || has_scope(allowed, kWrite);
            const bool wanted = has_scope(asked, kRead) || writes;
            given = wanted && readable && !(writes && has_scope(allowed, kWrite));
        }
        if (given) {
            granted += (granted.empty() ? "" : " ") + std::string(scope);
        }
    }
    return granted;
}

TokenRole role_of_scopes(std::string_view scopes) {
    // A fine-grained token for nothing: it says who it is.
    return has_scope(scopes, kWrite)  ? TokenRole::Write
           : has_scope(scopes, kRead) ? TokenRole::Read
                                      : TokenRole::FineGrained;
}

Result<OAuth> OAuth::open(const std::filesystem::path& data) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    return OAuth(std::move(database));
}

Status OAuth::add_client(const OAuthClient& client) {
    LOCARA_CHECK(check_client(client));
    LOCARA_TRY(const auto known, find_client(client.id));
    const Error taken(ErrorCode::Conflict, "there is a program '" + client.id + "' already");
    if (known) {
        return taken;
    }
    const auto added = database_->with([&](soci::session& sql) -> Status {
        const std::string redirects = join_lines(client.redirects);
        const std::string scopes = grantable_scopes(client.scopes, client.scopes);
        sql << "INSERT INTO oauth_clients (id, name, redirects, scopes) VALUES (:i, :n, :r, :s)",
            use(client.id), use(client.name), use(redirects), use(scopes);
        return {};
    });
    return !added && added.error().code() == ErrorCode::Conflict ? Status(taken) : added;
}

Result<std::vector<OAuthClient>> OAuth::clients() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<OAuthClient>> {
        std::vector<OAuthClient> all = {hf_command()};
        OAuthClient client;
        std::string redirects;
        soci::statement statement =
            (sql.prepare << "SELECT id, name, redirects, scopes FROM oauth_clients ORDER BY id",
             into(client.id),
             into(client.name),
             into(redirects),
             into(client.scopes));
        statement.execute();
        while (statement.fetch()) {
            client.redirects = split_lines(redirects);
            all.push_back(client);
        }
        return all;
    });
}

Result<std::optional<OAuthClient>> OAuth::find_client(const std::string& id) const {
    LOCARA_TRY(const auto all, clients());
    const auto found = std::find_if(
        all.begin(), all.end(), [&id](const OAuthClient& client) { return client.id == id; });
    return found == all.end() ? std::nullopt : std::optional(*found);
}

Status OAuth::remove_client(const std::string& id) {
    return database_->transact([&](soci::session& sql) -> Status {
        soci::statement statement =
            (sql.prepare << "DELETE FROM oauth_clients WHERE id = :i", use(id));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound,
                         "there is no program '" + id + "' that could be removed");
        }
        sql << "DELETE FROM tokens WHERE client = :i", use(id);
        sql << "DELETE FROM oauth_codes WHERE client = :i", use(id);
        sql << "DELETE FROM oauth_devices WHERE client = :i", use(id);
        return {};
    });
}

Result<Secret> OAuth::make_code(const OAuthGrant& grant, TimePoint now) {
    Secret code(random_hex(kCodeBytes));
    LOCARA_CHECK(database_->transact([&](soci::session& sql) -> Status {
        const long long over = seconds(now);
        sql << "DELETE FROM oauth_codes WHERE expires <= :n", use(over);
        const std::string digest = digest_of(code.reveal());
        const long long account = grant.account;
        const long long expires = seconds(now + kCodeLife);
        sql << "INSERT INTO oauth_codes"
               " (digest, client, account, scopes, redirect, challenge, nonce, expires)"
               " VALUES (:d, :c, :a, :s, :r, :h, :n, :e)",
            use(digest), use(grant.client), use(account), use(grant.scopes), use(grant.redirect),
            use(grant.challenge), use(grant.nonce), use(expires);
        return {};
    }));
    return code;
}

Result<OAuthToken> OAuth::take_code(const std::string& code,
                                    const std::string& redirect,
                                    const std::string& client,
                                    const std::string& verifier,
                                    TimePoint now) {
    std::optional<OAuthToken> made;
    LOCARA_CHECK(database_->transact([&](soci::session& sql) -> Status {
        made.reset();
        const std::string digest = digest_of(code);
        OAuthGrant grant;
        long long account = 0;
        long long expires = 0;
        sql << "SELECT client, account, scopes, redirect, challenge, nonce, expires"
               " FROM oauth_codes WHERE digest = :d",
            use(digest), into(grant.client), into(account), into(grant.scopes),
            into(grant.redirect), into(grant.challenge), into(grant.nonce), into(expires);
        if (!sql.got_data()) {
            return {};
        }
        sql << "DELETE FROM oauth_codes WHERE digest = :d", use(digest);
        grant.account = account;
        const bool good = expires > seconds(now) && grant.redirect == redirect &&
                          (client.empty() || client == grant.client) &&
                          Secret(grant.challenge)
                              .equals(render_base64url(crypto::sha256(as_bytes(verifier)).bytes));
        if (good) {
            made = insert_token(sql, std::move(grant), kCodeTokenLife, now);
        }
        return {}; // Also when it is not: the code is gone.
    }));
    if (!made) {
        return not_good("there is no such code for this address, program and verifier (a code is "
                        "good once, for five minutes)");
    }
    return std::move(*made);
}

Result<OAuth::Device>
OAuth::begin_device(const OAuthClient& client, const std::string& scopes, TimePoint now) {
    Device device{Secret(random_hex(kCodeBytes)), make_user_code()};
    LOCARA_CHECK(database_->transact([&](soci::session& sql) -> Status {
        const long long over = seconds(now);
        sql << "DELETE FROM oauth_devices WHERE expires <= :n", use(over);
        long long waiting = 0;
        sql << "SELECT count(*) FROM oauth_devices", into(waiting);
        if (waiting >= kMostDevices) {
            return Error(ErrorCode::Busy,
                         "too many devices wait already; try again in a quarter "
                         "of an hour");
        }
        const std::string digest = digest_of(device.code.reveal());
        const int state = static_cast<int>(DeviceState::Waiting);
        const long long expires = seconds(now + kDeviceLife);
        sql << "INSERT INTO oauth_devices (digest, user_code, client, scopes, state, expires)"
               " VALUES (:d, :u, :c, :s, :t, :e)",
            use(digest), use(device.user_code), use(client.id), use(scopes), use(state),
            use(expires);
        return {};
    }));
    device.user_code.insert(kUserLength / 2, "-");
    return device;
}

Result<std::optional<OAuthDevice>> OAuth::find_device(std::string_view user_code,
                                                      TimePoint now) const {
    OAuthDevice device;
    LOCARA_TRY(const bool found, database_->with([&](soci::session& sql) -> Result<bool> {
        const std::string code = plain_user_code(user_code);
        const int waiting = static_cast<int>(DeviceState::Waiting);
        const long long over = seconds(now);
        sql << "SELECT client, scopes FROM oauth_devices"
               " WHERE user_code = :u AND state = :s AND expires > :n",
            use(code), use(waiting), use(over), into(device.client.id), into(device.scopes);
        return sql.got_data();
    }));
    if (!found) {
        return std::optional<OAuthDevice>();
    }
    LOCARA_TRY(auto client, find_client(device.client.id));
    if (!client) {
        return std::optional<OAuthDevice>();
    }
    device.client = std::move(*client);
    return std::optional(std::move(device));
}

Status OAuth::decide_device(std::string_view user_code,
                            std::optional<std::int64_t> account,
                            const std::string& scopes,
                            TimePoint now) {
    return database_->with([&](soci::session& sql) -> Status {
        const std::string code = plain_user_code(user_code);
        const int waiting = static_cast<int>(DeviceState::Waiting);
        const int state = static_cast<int>(account ? DeviceState::Granted : DeviceState::Denied);
        const long long who = account.value_or(0);
        soci::indicator has_account = account ? soci::i_ok : soci::i_null;
        const long long over = seconds(now);
        soci::statement statement =
            (sql.prepare << "UPDATE oauth_devices SET state = :t, account = :a, scopes = :p"
                            " WHERE user_code = :u AND state = :w AND expires > :n",
             use(state),
             use(who, has_account),
             use(scopes),
             use(code),
             use(waiting),
             use(over));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "no device waits with this code any more");
        }
        return {};
    });
}

Result<OAuthToken>
OAuth::take_device(const std::string& code, const std::string& client, TimePoint now) {
    std::optional<OAuthToken> made;
    LOCARA_CHECK(database_->transact([&](soci::session& sql) -> Status {
        made.reset();
        const std::string digest = digest_of(code);
        OAuthGrant grant;
        int state = 0;
        long long account = 0;
        soci::indicator has_account = soci::i_null;
        const long long over = seconds(now);
        sql << "SELECT client, scopes, state, account FROM oauth_devices"
               " WHERE digest = :d AND client = :c AND expires > :n",
            use(digest), use(client), use(over), into(grant.client), into(grant.scopes),
            into(state), into(account, has_account);
        if (!sql.got_data()) {
            return Error(ErrorCode::Timeout, "no device has this code, or its time is over");
        }
        if (state == static_cast<int>(DeviceState::Waiting)) {
            return Error(ErrorCode::Busy, "the code was not entered yet");
        }
        if (state == static_cast<int>(DeviceState::Denied)) {
            return Error(ErrorCode::Forbidden, "the person said no");
        }
        sql << "DELETE FROM oauth_devices WHERE digest = :d", use(digest);
        grant.account = account;
        made = insert_token(sql, std::move(grant), kDeviceTokenLife, now);
        return {};
    }));
    LOCARA_ASSERT(made);
    return std::move(*made);
}

} // namespace locara::hub
