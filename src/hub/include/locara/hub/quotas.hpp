// Quotas: how many bytes a user or an organization may store on a hub, and how many it does.
//
// What counts for a namespace: each large file of its repositories and buckets once, however many
// of them have it, at its full size; and what their git folders take on the disk. What is mirrored
// counts for nobody. Files that no commit names any more count until their repository goes.
// What is allowed stands in the database, for the accounts where it does; else in hub.toml.
// Threads and processes: as Names.
#pragma once

#include <locara/base/result.hpp>
#include <locara/hub/config.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

class Database;

/// How many bytes may be stored; nothing for as many as there is room for.
using Quota = std::optional<std::uint64_t>;

/// What is allowed to an account.
struct QuotaRule {
    enum class Owner { User, Organization } owner = Owner::User;
    std::string name; ///< As it is spelled.
    /// Own: set for this account; Default: that of hub.toml.
    enum class Origin { Default, Own } origin = Origin::Default;
    Quota quota;
};

class Quotas {
  public:
    /// Shares a database with others. `repos` is the folder of git repositories.
    Quotas(std::shared_ptr<Database> database, std::filesystem::path repos)
        : database_(std::move(database)), repos_(std::move(repos)) {}

    /// Of a data folder. NotFound if no hub has worked in it.
    static Result<Quotas> open(const std::filesystem::path& data);

    /// What is allowed where nothing is set. Before it is used by several threads.
    void set_defaults(const QuotaConfig& defaults) { defaults_ = defaults; }

    /// Of a user or an organization; nothing if there is none of this name.
    Result<std::optional<QuotaRule>> find(const std::string& name) const;

    /// All accounts, by name.
    Result<std::vector<QuotaRule>> list() const;

    /// Sets what an account may store. NotFound.
    Status set(const std::string& name, Quota quota);

    /// Back to the default. NotFound.
    Status reset(const std::string& name);

    /// What a namespace stores.
    Result<std::uint64_t> used(const std::string& space) const;

    /// What a namespace may still store; nothing if there is no bound. 0 when it has too much.
    Result<Quota> room(const std::string& space) const;

  private:
    Status write(const std::string& name, std::optional<Quota> quota);

    std::shared_ptr<Database> database_;
    std::filesystem::path repos_;
    QuotaConfig defaults_;
};

} // namespace locara::hub
