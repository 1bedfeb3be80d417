// Organizations of a hub: namespaces that several accounts share, each in a role. What
// `locara-hub org` does, and what decides who may do what in such a namespace.
//
// Accounts and organizations share one set of names; an organization has no tokens of its own.
// Threads and processes: as Names; a hub may serve from the same data folder meanwhile, and takes
// what changes here into account from its next request on.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/hub/accounts.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

class Database;
enum class Visibility;

/// What a member may do in the namespace of an organization. Names and meaning are those of the
/// Hugging Face Hub.
enum class OrgRole {
    Admin,       ///< As Write. Who belongs to the organization is decided on the hub's own machine.
    Write,       ///< Make repositories; change, move and remove all of them.
    Contributor, ///< Read all; make repositories, and change, move and remove those it made.
    Read,        ///< Read all, private ones too.
    NoAccess,    ///< No more than a stranger; belongs to it by name only.
};

/// "admin", "write", "contributor", "read", "no_access".
std::string_view render(OrgRole role);

/// InvalidArgument.
Result<OrgRole> parse_org_role(std::string_view text);

struct Member {
    Account account;
    OrgRole role = OrgRole::Read;
};

/// The same seen from the account.
struct Membership {
    Account organization;
    OrgRole role = OrgRole::Read;
};

class Organizations {
  public:
    /// Shares a database with others.
    explicit Organizations(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Of a data folder. NotFound if no hub has worked in it.
    static Result<Organizations> open(const std::filesystem::path& data);

    /// InvalidArgument when the name cannot be a namespace, Conflict when it is taken, by an
    /// account or an organization (case does not matter).
    Result<Account> create(const std::string& name, const std::string& full_name, TimePoint now);

    /// Sorted by name.
    Result<std::vector<Account>> list() const;
    Result<std::optional<Account>> find(const std::string& name) const;

    /// With its collections. NotFound; Conflict while it has repositories.
    Status remove(const std::string& name);

    /// Who may see a new repository or bucket in a namespace if its maker does not say: everybody,
    /// unless it is an organization of which something else was set.
    Result<Visibility> default_visibility(const std::string& space) const;
    /// NotFound.
    Status set_default_visibility(const std::string& name, Visibility visibility);

    /// NotFound (organization or user); Conflict when the user belongs to it already.
    Status add_member(const std::string& organization, const std::string& user, OrgRole role);

    /// NotFound when the user does not belong to it. The same for remove_member.
    Status set_role(const std::string& organization, const std::string& user, OrgRole role);
    Status remove_member(const std::string& organization, const std::string& user);

    /// Sorted by name. `organization` and `account` are Account::key.
    Result<std::vector<Member>> members(std::int64_t organization) const;
    Result<std::vector<Membership>> memberships(std::int64_t account) const;

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
