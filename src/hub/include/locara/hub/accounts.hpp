// Accounts of a hub and their access tokens: what `locara-hub user` and `locara-hub token` do.
//
// An account owns the namespace of its name: repositories NAME/... are its own. A token stands for
// its account; it is shown once, when it is made, and only its SHA-256 is kept.
// Threads and processes: as Names; a hub may serve from the same data folder meanwhile.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

struct Account {
    std::int64_t key = 0; ///< In this data folder only.
    std::string id;       ///< 24 hex digits.
    std::string name;     ///< Also its namespace.
    std::string full_name;
    TimePoint created;
    std::string email = {};   ///< As this hub's operator gave it, who vouches for it; or empty.
    std::string website = {}; ///< A page of the web, for others to see; or empty.
};

/// How much of what its account may do a token may do: to read, all, or only what it was made for.
enum class TokenRole { Read, Write, FineGrained };

/// "read", "write", "fine-grained".
std::string_view render(TokenRole role);
Result<TokenRole> parse_token_role(std::string_view text);

/// What a fine-grained token may do with one thing; writing implies reading.
enum class Permission { Read, Write };

std::string_view render(Permission permission);

/// One thing that a fine-grained token is to be for.
struct NewScope {
    std::string
        entity; ///< "NAMESPACE", "NAMESPACE/MODEL", "datasets/NAMESPACE/NAME", "spaces/...".
    Permission permission = Permission::Read;

    /// "ana/tiny=write"; "=read" may be left out. InvalidArgument.
    static Result<NewScope> parse(std::string_view text);
};

/// One thing that a fine-grained token is for: a repository, or a namespace with all in it. It
/// stays the same when it is renamed, and goes with what it names.
struct Scope {
    enum class Kind { Repo, Space };

    Kind kind = Kind::Repo;
    std::int64_t key = 0; ///< Repo::key, or Account::key of a user or an organization.
    std::string id;       ///< 24 hex digits.
    std::string type;     ///< "model", "dataset", "space", "user", "org".
    std::string name;     ///< As it is called now: "ana/tiny", "ana".
    Permission permission = Permission::Read;
};

struct NewToken {
    std::string name; ///< For people: "ci", "laptop".
    TokenRole role = TokenRole::Read;
    std::optional<TimePoint> expires;  ///< Never, if absent.
    std::vector<NewScope> scopes = {}; ///< Of a fine-grained one, and of no other.
};

struct Token {
    std::string id; ///< 24 hex digits; no secret.
    std::string account;
    std::string name;
    TokenRole role = TokenRole::Read;
    TimePoint created;
    std::optional<TimePoint> expires;
};

class Names;
class Scopes;

class Accounts {
  public:
    /// Of a data folder. NotFound if no hub has worked in it. `clock` is borrowed.
    static Result<Accounts> open(const std::filesystem::path& data, const Clock& clock);

    Accounts(Accounts&&) noexcept;
    Accounts& operator=(Accounts&&) noexcept;
    ~Accounts();

    /// InvalidArgument when the name cannot be a namespace or the address (empty for none) is no
    /// mail address, Conflict when the name is taken.
    Result<Account>
    add_user(const std::string& name, const std::string& full_name, const std::string& email = "");

    /// By name.
    Result<std::vector<Account>> list_users() const;

    /// A user with tokens, sessions and memberships: all end at once (Xet tokens within the hour).
    /// NotFound; Conflict while the namespace has repositories or buckets.
    Status remove_user(const std::string& user);

    /// Gives a user another mail address, or none if it is empty. InvalidArgument, NotFound.
    Status set_email(const std::string& user, const std::string& email);

    /// The same with the address of a page of the web, http or https.
    Status set_website(const std::string& user, const std::string& website);

    /// Makes a token of user `name`: "hf_" and 40 letters and digits, which is what clients of the
    /// Hugging Face Hub take for one. NotFound (user, or what a scope names), Conflict (that user
    /// has a token of this name), InvalidArgument (a name that is empty or longer than 96 bytes; a
    /// fine-grained token without scopes, another one with them).
    struct Made {
        Token token;
        Secret text;
    };

    Result<Made> create_token(const std::string& user, const NewToken& token);

    /// By account and name; expired ones too.
    Result<std::vector<Token>> list_tokens() const;

    /// What a fine-grained token is for; nothing for others.
    Result<std::vector<Scope>> scopes(const std::string& token_id) const;

    /// The token is refused from now on. Xet tokens made with it live on for an hour at most.
    /// NotFound.
    Status revoke_token(const std::string& id);

  private:
    Accounts(std::unique_ptr<Names> names, std::unique_ptr<Scopes> scopes, const Clock& clock);
    std::unique_ptr<Names> names_;
    std::unique_ptr<Scopes> scopes_;
    const Clock* clock_;
};

} // namespace locara::hub
