// Repositories of a hub, for its operator: what `locara-hub repo` does. What is mirrored is not
// among them (upkeep.hpp).
//
// An operator may do all of it, but for what hub.toml forbids to everybody, and no quota is asked;
// who did it is for the caller to record.
// Threads and processes: as Organizations.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/hub/config.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

class Database;
class Names;
enum class Gate;
enum class Visibility;

struct Repo;

/// "public" or "private"; InvalidArgument.
Result<Visibility> parse_visibility(std::string_view text);
std::string_view render(Visibility visibility);

/// "open", "auto" (who asks, gets access) or "manual" (each request is decided); InvalidArgument.
Result<Gate> parse_gate(std::string_view text);
std::string_view render_gate(Gate gate);

struct OwnRepo {
    std::string id;   ///< As in web paths: "ana/tiny", "datasets/ana/notes", "buckets/ana/box".
    std::string name; ///< "ana/tiny", whatever its type.
    std::string type; ///< "model", "dataset", "space", "bucket".
    Visibility visibility = {};
    Gate gate = {};
    TimePoint created;
    std::string internal;    ///< 24 hex digits: the name of its git folder.
    std::uint64_t files = 0; ///< Large files that it may name.
    std::uint64_t bytes = 0; ///< In them.
};

struct RemovedRepo {
    OwnRepo was;             ///< gc gives back of its large files what no other repository shares.
    std::uint64_t freed = 0; ///< What its git repository took, in bytes: given back at once.
};

/// Ids are as OwnRepo::id, and case does not matter. Errors of all that take one: InvalidArgument
/// when it is none, NotFound when no repository of this hub's own is called so now.
class Repositories {
  public:
    /// Of a data folder. NotFound if no hub has worked in it. `clock` is borrowed.
    static Result<Repositories>
    open(const std::filesystem::path& data, const Clock& clock, RepoConfig rules);

    Repositories(Repositories&&) noexcept;
    Repositories& operator=(Repositories&&) noexcept;
    ~Repositories();

    /// By type, then by id.
    Result<std::vector<OwnRepo>> list() const;

    /// With the first commit that every repository has (a bucket has none), whose files the gate
    /// has judged then; the verdicts are kept. NotFound when the
    /// namespace is no user's nor an organization's; Conflict when the id is taken; Refused when
    /// it may not be public. Without `visibility` it is as its namespace has it.
    Result<OwnRepo> create(const std::string& id, std::optional<Visibility> visibility);

    /// One of them. NotFound.
    Result<OwnRepo> describe(const std::string& id) const;

    /// With all that belongs to it; gc gives the space of large files back. What it was.
    Result<RemovedRepo> remove(const std::string& id);

    /// `to` is "namespace/name": the type stays. The old id leads to the new one. What it was.
    /// Further errors: as create.
    Result<OwnRepo> move(const std::string& id, const std::string& to);

    /// Changes what is given. What it is now. InvalidArgument for a bucket and a gate; Refused
    /// when it may not become public.
    Result<OwnRepo>
    set(const std::string& id, std::optional<Visibility> visibility, std::optional<Gate> gate);

  private:
    Repositories(std::shared_ptr<Database> database,
                 std::filesystem::path repos,
                 const Clock& clock,
                 RepoConfig rules);
    Result<Repo> get(const std::string& id) const;
    Result<OwnRepo> describe(const Repo& repo) const;

    /// The namespace as its owner spells it.
    Result<std::string> get_space(const std::string& space) const;

    std::shared_ptr<Database> database_;
    std::unique_ptr<Names> names_;
    std::filesystem::path repos_;
    const Clock* clock_;
    RepoConfig rules_;
};

} // namespace locara::hub
