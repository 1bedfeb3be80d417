// OAuth: how programs get access tokens of people who say yes to that at the hub's pages.
//
// Two ways: a program with a page of its own is given a code at its address and gives it for a
// token (RFC 6749, section 4.1, with PKCE by S256, RFC 7636, which is asked of all); one without
// shows people a code to enter (RFC 8628). Programs have no secrets. Tokens are ordinary access
// tokens that end by themselves; of codes and tokens only the SHA-256 is kept.
// Threads and processes: as Names; a hub may serve from the same data folder meanwhile.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/hub/accounts.hpp>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::hub {

class Database;

inline constexpr std::chrono::seconds kCodeLife = std::chrono::minutes(5);
inline constexpr std::chrono::seconds kDeviceLife = std::chrono::minutes(15);
/// How often a program may ask whether its code was entered.
inline constexpr std::chrono::seconds kDeviceInterval{5};
/// Of a token that came by a code, and by a device's code.
inline constexpr std::chrono::seconds kCodeTokenLife = std::chrono::hours(8);
inline constexpr std::chrono::seconds kDeviceTokenLife = std::chrono::hours(30 * 24);

/// What tokens may be asked for, with the Hub's names: who it is, and the repositories of whoever
/// says yes (writing implies reading). Lists of them are texts, separated by spaces.
inline constexpr std::array<std::string_view, 5> kOAuthScopes = {
    "openid", "profile", "email", "read-repos", "write-repos"};

bool has_scope(std::string_view list, std::string_view scope);

/// Of those in `asked` the ones that `allowed` covers, in this order, each once; others are left
/// out. Where only reading is allowed, writing becomes that.
std::string grantable_scopes(std::string_view asked, std::string_view allowed);

/// What a token of these scopes may do; without one for repositories no more than say who it is.
TokenRole role_of_scopes(std::string_view scopes);

/// A program that may ask.
struct OAuthClient {
    std::string id;                     ///< 1 to 96 letters, digits, '-', '_' and '.'.
    std::string name;                   ///< For people.
    std::vector<std::string> redirects; ///< Where codes may be sent; an address must equal one.
    std::string scopes;                 ///< The most it may ask for.
};

/// What somebody said yes to.
struct OAuthGrant {
    std::string client;       ///< OAuthClient::id
    std::int64_t account = 0; ///< Account::key
    std::string scopes;
    std::string redirect;
    std::string challenge; ///< Of PKCE: base64url of the SHA-256 of what the program keeps secret.
    std::string nonce;     ///< Given back in the id_token; or empty.
};

/// A device that waits, as the person sees it who entered its code.
struct OAuthDevice {
    OAuthClient client;
    std::string scopes;
};

/// A token that was made for a grant.
struct OAuthToken {
    Secret text;
    OAuthGrant grant;
    TimePoint expires;
};

class OAuth {
  public:
    /// Shares a database with others.
    explicit OAuth(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Of a data folder. NotFound if no hub has worked in it.
    static Result<OAuth> open(const std::filesystem::path& data);

    // --- Programs
    // ---------------------------------------------------------------------------------

    /// InvalidArgument (id, name, an address or a scope), Conflict when the id is taken.
    Status add_client(const OAuthClient& client);

    /// By id. The command `hf` of the Hub's Python library is always there.
    Result<std::vector<OAuthClient>> clients() const;
    Result<std::optional<OAuthClient>> find_client(const std::string& id) const;

    /// With all tokens that it got. NotFound.
    Status remove_client(const std::string& id);

    // --- By a code
    // --------------------------------------------------------------------------------

    Result<Secret> make_code(const OAuthGrant& grant, TimePoint now);

    /// Takes the code, which is good once, whatever comes of it. Unauthorized when there is none
    /// (or it is over), or address, program or verifier are not those it was made for; an empty
    /// `client` is any.
    Result<OAuthToken> take_code(const std::string& code,
                                 const std::string& redirect,
                                 const std::string& client,
                                 const std::string& verifier,
                                 TimePoint now);

    // --- By a device's code
    // -----------------------------------------------------------------------

    struct Device {
        Secret code;           ///< The program's own.
        std::string user_code; ///< "BCDF-GHJK", for the person.
    };

    /// Busy when ten thousand wait already.
    Result<Device>
    begin_device(const OAuthClient& client, const std::string& scopes, TimePoint now);

    /// One that waits, by the code as people write it: in any case, '-' and spaces do not matter.
    Result<std::optional<OAuthDevice>> find_device(std::string_view user_code, TimePoint now) const;

    /// What the person says to it; without an account no. NotFound when it no longer waits.
    Status decide_device(std::string_view user_code,
                         std::optional<std::int64_t> account,
                         const std::string& scopes,
                         TimePoint now);

    /// The token, once. Busy while it waits, Forbidden when the person said no, Timeout when its
    /// time is over or it has got its token.
    Result<OAuthToken>
    take_device(const std::string& code, const std::string& client, TimePoint now);

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
