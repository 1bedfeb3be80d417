// TUF metadata: parsing and the checks that need no more than the bytes and the keys.
//
// Follows TUF 1.0.34, sections 4 and 5. Everything here is plain values and functions; fetching,
// storing and the order of checks are in client.cpp. All failures are Corrupt, and name the role,
// what was found and what was expected.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/client.hpp>
#include <locara/crypto/keys.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace locara::catalog {

// docs/formats/catalog.md, "What a client checks".
constexpr std::uint64_t kRootLimitBytes = 512'000;
constexpr std::uint64_t kTimestampLimitBytes = 16'384;
constexpr std::uint64_t kSnapshotLimitBytes = 2'000'000;
constexpr std::uint64_t kTargetsLimitBytes = 5'000'000;
constexpr std::size_t kRootStepLimit = 256;
constexpr std::size_t kDelegatedRoleLimit = 32;
constexpr std::size_t kJsonDepthLimit = 32;

/// How many bytes a role's metadata may have.
std::uint64_t limit_of(std::string_view role);

/// What a signed role says of who may sign. Keys of kinds that we cannot verify are left out; they
/// can then not help to reach the threshold.
struct RoleKeys {
    std::map<std::string, crypto::PublicKey, std::less<>> by_id;
    std::uint64_t threshold = 1;

    /// What the keys are, whatever their ids: to see whether they changed.
    std::set<std::string> identities() const;
};

/// Any metadata file before its signatures are checked.
struct Envelope {
    struct Signature {
        std::string key_id;
        std::string hex; ///< May be empty or malformed: then it does not count.
    };

    Json content;          ///< The `signed` member.
    std::string canonical; ///< Its canonical form, with unknown fields.
    std::vector<Signature> signatures;
    std::uint64_t version = 0;
    TimePoint expires;
    std::optional<TimePoint> signed_at; ///< Our writer says it (docs/formats/catalog.md).
};

/// What a metadata file says of another one.
struct MetaFile {
    std::uint64_t version = 0;
    std::optional<std::uint64_t> length;
    std::map<std::string, std::string> hashes;
};

struct Root {
    std::uint64_t version = 0;
    TimePoint expires;
    bool consistent_snapshot = false;
    std::map<std::string, RoleKeys, std::less<>> roles; ///< root, timestamp, snapshot, targets
};

struct Timestamp {
    std::uint64_t version = 0;
    TimePoint expires;
    std::optional<TimePoint> signed_at;
    MetaFile snapshot;
};

struct Snapshot {
    std::uint64_t version = 0;
    TimePoint expires;
    std::optional<TimePoint> signed_at;
    std::map<std::string, MetaFile, std::less<>> files; ///< By file name: "targets.json".
};

struct Delegation {
    std::string name;
    RoleKeys keys;
    bool terminating = false;
    std::vector<std::string> paths;
    std::vector<std::string> path_hash_prefixes;

    bool covers(std::string_view target) const;
};

struct Targets {
    std::uint64_t version = 0;
    TimePoint expires;
    std::optional<TimePoint> signed_at;
    std::map<std::string, Target, std::less<>> targets;
    std::vector<Delegation> delegations;
};

/// Reads what all roles have in common. `type` is the `_type` it must have, `role` the name for
/// errors.
Result<Envelope> parse_envelope(std::string_view bytes,
                                std::string_view type,
                                std::string_view role,
                                std::uint64_t limit_bytes);

Result<Root> parse_root(const Envelope& envelope);
Result<Timestamp> parse_timestamp(const Envelope& envelope);
Result<Snapshot> parse_snapshot(const Envelope& envelope);
Result<Targets> parse_targets(const Envelope& envelope, std::string_view role);

/// Whether a threshold of `keys` signed. Counts keys, not signatures or ids. `signer` says whose
/// keys they are: "the trusted root (version 3)".
Status verify_signatures(const Envelope& envelope,
                         const RoleKeys& keys,
                         std::string_view role,
                         std::string_view signer);

/// Length and all hashes that we know, at least one of them, or no hash at all if none is listed.
Status verify_meta_file(std::string_view bytes, const MetaFile& meta, std::string_view role);

/// The bytes of a target, as they come: exact length, every listed hash that we know, at least one.
class TargetCheck {
  public:
    /// `target` must outlive this.
    explicit TargetCheck(const Target& target);
    TargetCheck(TargetCheck&&) noexcept;
    ~TargetCheck();

    /// Corrupt as soon as there are more bytes than the target has.
    Status update(ByteView bytes);
    Status finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The same for bytes in memory.
Status verify_target(const Target& target, std::string_view bytes);

/// Corrupt unless `expires` is later than `now`, or the rule lets this role lapse.
Status verify_unexpired(std::string_view role,
                        TimePoint expires,
                        TimePoint now,
                        Expiry rule = Expiry::Strict);

// Parse and all checks against other metadata, short of expiry and of what is stored.
Result<Root> check_first_root(std::string_view bytes);
Result<Root> check_next_root(std::string_view bytes, const Root& trusted);
Result<Timestamp> check_timestamp(std::string_view bytes, const Root& root);
/// `meta` is null for a stored snapshot whose place in the new timestamp is not looked at.
Result<Snapshot> check_snapshot(std::string_view bytes, const Root& root, const MetaFile* meta);
Result<Targets> check_targets(std::string_view bytes,
                              std::string_view role,
                              const MetaFile& meta,
                              const RoleKeys& keys,
                              std::string_view parent);

/// The targets roles of a catalog: the top-level one and what it delegates to.
class Delegations {
  public:
    struct Loaded {
        std::string bytes;
        Targets content;
    };

    /// Brings the verified content of a role: from the network or from what is stored.
    using Obtain = std::function<Result<Loaded>(const std::string& role,
                                                const MetaFile& meta,
                                                const RoleKeys& keys,
                                                std::string_view parent)>;

    /// `root` and `snapshot` must outlive this.
    Delegations(const Root& root, const Snapshot& snapshot, Obtain obtain)
        : root_(root), snapshot_(snapshot), obtain_(std::move(obtain)) {}

    /// Obtains the top-level role only.
    Status load_top();

    /// Obtains every role of a catalog: what `targets` delegates to, in order. Corrupt if there are
    /// more than kDelegatedRoleLimit of them, or if one of them delegates further: whose key signs
    /// an app or a model is for the keys of root and targets to say, which no hub has.
    Status load_all();

    /// Searches as section 5.6.7 says: depth first, in order, each role once, `terminating`
    /// honoured.
    Result<std::optional<Target>> find(std::string_view name);

    /// Every target that find() finds, by name. Call load_all() first.
    Result<std::map<std::string, Target, std::less<>>> all();

    const std::map<std::string, Loaded, std::less<>>& loaded() const { return loaded_; }

  private:
    Result<const Targets*>
    get(const std::string& role, const RoleKeys& keys, const std::string& parent);

    const Root& root_;
    const Snapshot& snapshot_;
    Obtain obtain_;
    std::map<std::string, Loaded, std::less<>> loaded_;
    std::set<std::pair<std::string, std::string>> checked_; ///< (parent, role) that verified.
};

} // namespace locara::catalog
