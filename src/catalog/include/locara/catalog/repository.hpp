// Repository: writes a catalog, a TUF repository, into a folder that a hub serves.
//
// Follows TUF 1.0.34 and docs/formats/catalog.md: roles root, targets, takedown, apps, models,
// snapshot, timestamp; consistent snapshots; Ed25519. Private keys are files in a folder of their
// own. Readers never see half a publication: whatever a crash leaves, the old catalog is whole.
//
// Threads: a Repository belongs to one thread at a time. Processes that publish into one folder
// take turns by a lock in it (Busy), and one that worked from an outdated state is told so
// (Conflict).
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/catalog/client.hpp>
#include <locara/crypto/keys.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::catalog {

/// How many keys a role gets and how long its signatures last. Threshold: 1 to keys.
struct RolePolicy {
    unsigned keys = 1;
    unsigned threshold = 1;
    std::chrono::hours lifetime{24};
};

/// The policies of docs/formats/catalog.md, "Roles".
struct RepositoryOptions {
    RolePolicy root{3, 2, std::chrono::hours{24 * 365}};
    RolePolicy targets{3, 2, std::chrono::hours{24 * 90}};
    RolePolicy takedown{1, 1, std::chrono::hours{24 * 14}};
    RolePolicy apps{1, 1, std::chrono::hours{24 * 90}};
    RolePolicy models{1, 1, std::chrono::hours{24 * 90}};
    RolePolicy snapshot{1, 1, std::chrono::hours{24 * 7}};
    RolePolicy timestamp{1, 1, std::chrono::hours{24}};
    /// Opens private keys that are encrypted; without it they are as good as absent. New keys of
    /// all roles but snapshot and timestamp, which sign unattended, are encrypted with it.
    std::optional<Secret> passphrase;
};

/// A role's next version on its way to signers: TUF metadata with too few signatures, perhaps none.
/// See docs/formats/catalog.md, "Signing elsewhere".
struct Draft {
    std::string role;
    std::string bytes;

    // For the signers to compare with; empty: did not come along. Nothing of it is published.
    std::string published = {}; ///< The metadata of the role as last published.
    std::string list = {};      ///< Of takedown: the list that this draft names,
    std::string list_was = {};  ///< and the one that `published` names.
};

/// What a draft is; draft_review.hpp says more, to the person who is to sign it.
struct DraftInfo {
    std::string role;
    std::uint64_t version = 0;
    TimePoint expires;
    std::size_t targets = 0;            ///< How many files it lists; 0 for root.
    std::vector<std::string> signed_by; ///< Key ids.
};

/// Reads a draft. Corrupt if it is none of this role; nothing of its signatures is verified.
Result<DraftInfo> inspect_draft(const Draft& draft);

/// Refused if a draft would be good for longer than its role's signatures last, and a day for
/// clocks that differ: whoever has the hub could else show what it lists for ever.
Status check_lifetime(const DraftInfo& info, TimePoint now, const RepositoryOptions& options = {});

/// The keys that somebody has for a role.
struct OwnKeys {
    std::vector<crypto::PublicKey> open;
    std::size_t closed = 0; ///< How many more there are, which were not opened.
};

/// Adds the signatures of the private keys that `keys_dir` holds for the draft's role (files
/// `<role>-<n>.pem`) and returns how many that were. `passphrase` opens those that are encrypted.
/// NotFound if there is no such file; else errors as inspect_draft and crypto::SigningKey::load.
Result<unsigned> sign_draft(Draft& draft,
                            const std::filesystem::path& keys_dir,
                            const std::optional<Secret>& passphrase);

/// A role as last published, for warnings ("lapses in 6 days") and operators.
struct RoleState {
    std::string name;
    std::uint64_t version = 0;
    TimePoint expires;
    unsigned threshold = 0;
    unsigned keys = 0;      ///< Public keys of the role,
    unsigned keys_here = 0; ///< and how many of their private keys are in the keys folder.
    std::vector<std::string> key_ids;
};

class Repository {
  public:
    /// Makes the keys (files `<role>-<n>.pem`, mode 0600, in `keys_dir`, mode 0700), publishes an
    /// empty catalog with an empty takedown list into `tree`, and opens it. Key files that are
    /// there already, as after a create that was killed, are used. Conflict if `tree` holds a
    /// catalog already. InvalidArgument for impossible options.
    static Result<Repository> create(const std::filesystem::path& tree,
                                     const std::filesystem::path& keys_dir,
                                     const Clock& clock,
                                     const RepositoryOptions& options = {});

    /// Opens what create made, with whichever private keys `keys_dir` holds. The metadata is
    /// verified (expiry aside). NotFound if there is no catalog, Corrupt if it does not verify.
    static Result<Repository> load(const std::filesystem::path& tree,
                                   const std::filesystem::path& keys_dir,
                                   const RepositoryOptions& options = {});

    Repository(Repository&&) noexcept;
    Repository& operator=(Repository&&) noexcept;
    ~Repository();

    /// The bytes of `1.root.json` (what clients pin) and its fingerprint in hex.
    const std::string& first_root() const;
    std::string fingerprint() const;

    /// Adds or replaces a target in the role that its path belongs to ("apps/...", "models/...").
    /// The bytes are in the tree, durable, when this returns; clients see them after publish().
    /// `custom` is "" or a JSON object. Errors: InvalidArgument (no role owns the path; the path
    /// has empty, `.` or `..` parts or other bytes than A-Z a-z 0-9 . _ + - and `/`; custom is no
    /// JSON object without fractions).
    Status put_target(std::string_view name, ByteView bytes, std::string_view custom = "");
    Status put_target_file(std::string_view name,
                           const std::filesystem::path& source,
                           std::string_view custom = "");

    /// Takes a target off the catalog (its bytes stay in the tree). NotFound if it is not listed.
    Status remove_target(std::string_view name);

    /// All targets, with what is not published yet, sorted by name.
    std::vector<Target> targets() const;

    /// The SHA-256 (hex) under which a target was published last, also when it is not listed any
    /// more: by the versions of its role that lie in the tree. Nothing if it never was. Errors:
    /// InvalidArgument (no role owns the path), Corrupt.
    Result<std::optional<std::string>> find_published(std::string_view name) const;

    /// The takedown list as it stands, and additions to it. Entries are never removed; a later
    /// entry supersedes: it gets the date of the newest one if its own is earlier, since the latest
    /// date counts, among equals the last. Errors: as TakedownList::append, and TooLarge if readers
    /// would not take the list any more; nothing is written then.
    const TakedownList& takedown() const;
    Status add_takedown(TakedownEntry entry);

    /// Signs what changed, and all that is due and whose keys are here, and writes it: targets,
    /// delegated roles, `targets`, snapshot, at last timestamp. Nothing to do is success, and
    /// writes nothing. Refused if a role that must be signed lacks private keys here (the message
    /// names it); nothing is written then. Durable on return.
    Status publish(const Clock& clock);

    /// What a hub calls every few minutes: signs snapshot and timestamp anew if less than half of
    /// their life is left, or more than all of it, and returns whether it did. Needs only their
    /// keys (Refused without).
    Result<bool> resign_online(const Clock& clock);

    /// Replaces all keys of a role by new ones (their files are added, old files stay until the
    /// operator removes them) and publishes. For root, the new root is signed by old and new keys.
    /// `also` is called once they are staged, for what has to change with them; its error ends it.
    /// Errors: as check_makes_keys.
    Status rotate_keys(std::string_view role,
                       const Clock& clock,
                       const std::function<Status()>& also = nullptr);

    /// Whether keys of a role may be made here: any time those of snapshot and timestamp; of
    /// another role only where as many of its private keys are as must sign, since whoever gets at
    /// this folder could then sign anyhow. InvalidArgument for an unknown role, else Refused.
    Status check_makes_keys(std::string_view role) const;

    /// The steps of rotate_keys and of every other change of keys, which publish() makes public or,
    /// where the keys of the authority (root, or targets for delegated roles) are elsewhere,
    /// drafts do.
    ///
    /// stage_new_keys: replaces a role's keys by as many new ones, made here; as check_makes_keys.
    /// stage_keys: replaces them by these; Conflict if another role has one, or one is there twice.
    /// stage_key: adds a public key to a role; Conflict if a role has it already.
    /// stage_removal: takes a key from a role; InvalidArgument if fewer than its threshold remain.
    /// stage_threshold: InvalidArgument unless it is 1 to the number of the role's keys.
    /// All: InvalidArgument for an unknown role or more than 16 keys.
    Status stage_new_keys(std::string_view role);
    Status stage_keys(std::string_view role, std::span<const crypto::PublicKey> keys);
    Status stage_key(std::string_view role, const crypto::PublicKey& key);
    Status stage_removal(std::string_view role, std::string_view key_id);
    Status stage_threshold(std::string_view role, unsigned threshold);

    /// The next version of a role as it stands, with what is staged, signed with the keys that are
    /// here. InvalidArgument for snapshot and timestamp, which are only ever signed here.
    Result<Draft> draft(std::string_view role, const Clock& clock) const;

    /// Publishes drafts that were signed elsewhere, and signs with the keys here what has to follow
    /// (snapshot, timestamp, roles whose keys a draft changes). All or nothing. Errors: Corrupt if
    /// one lacks signatures or is malformed; Conflict if it was not made for the next version;
    /// as check_lifetime; InvalidArgument if it has expired, lists a file that the tree lacks, or
    /// drops entries of the takedown list; as TakedownList::parse of that list; Refused if a role
    /// that must follow lacks private keys here.
    Status adopt(const std::vector<Draft>& drafts, const Clock& clock);

    /// Every role as last published, root first.
    std::vector<RoleState> roles() const;

    /// Until when a version of snapshot or timestamp stays good that a clock which ran ahead dated:
    /// the last one, or one before it by the same keys. To sign anew does not call it back; new
    /// keys do. Nothing if one signed at `now` lasts as long, and of other roles.
    std::optional<TimePoint> outlasting(std::string_view role, TimePoint now) const;

    /// The public keys of a role as last published; none for an unknown one.
    std::vector<crypto::PublicKey> keys_of(std::string_view role) const;

    /// The same with what is staged.
    std::vector<crypto::PublicKey> staged_keys_of(std::string_view role) const;

    /// Those of the published keys whose private keys are here.
    OwnKeys own_keys_of(std::string_view role) const;

    /// A private key that is here of those that staged_keys_of names, or null. It stays this
    /// repository's, until its keys change.
    const crypto::SigningKey* find_signing_key(std::string_view role) const;

  private:
    struct State;
    explicit Repository(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::catalog
