// Client: follows one hub's catalog, a TUF repository, from a pinned root.
//
// Follows TUF 1.0.34, section 5, with the limits and choices of docs/formats/catalog.md. It fetches
// through a Fetcher, keeps its state in one folder per hub, and has no network code. It does not
// know what an app or a model is: it hands out verified bytes.
//
// Errors. Every message names the role or target, what was found, what was expected and what to do.
//   Corrupt      verification failed: signature, hash, length, version (rollback), expiry,
//   malformed or
//                oversized metadata. Exit code 6.
//   Unavailable  the hub cannot be reached, or lacks a file that its own metadata promises. Exit
//                code 5. (Timeout, Offline, Cancelled: what the fetcher said.)
//   Refused      no root is trusted yet. Exit code 8.
//   NotFound     the catalog has no such target. Exit code 3.
//   Busy         another process is updating this state. Exit code 9.
//   NoSpace, Io  the state could not be written; it is as usable as before.
//
// Threads: a Client belongs to one thread at a time. Processes may share a state folder.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/fetcher.hpp>
#include <locara/catalog/takedown.hpp>
#include <locara/crypto/keys.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::catalog {

/// What a root says about itself.
struct RootInfo {
    crypto::Sha256Digest fingerprint; ///< SHA-256 of the bytes as stored: what people compare.
    std::uint64_t version = 0;
    TimePoint expires;
    unsigned keys = 0;      ///< How many root keys there are,
    unsigned threshold = 0; ///< and how many of them must sign.
};

/// Reads a root and checks its own signatures, without trusting it. InvalidArgument if it is not
/// TUF root metadata, Corrupt if too few of its own keys signed it, TooLarge above 512,000 bytes.
Result<RootInfo> inspect_root(std::string_view root_bytes);

/// One verified target, as its role lists it.
struct Target {
    std::string name; ///< "apps/locara/quick-add-1.0.0.json"
    std::string role; ///< "apps"
    std::uint64_t length = 0;
    std::map<std::string, std::string>
        hashes;         ///< Algorithm to lower-case hex: "sha256", "sha512", ...
    std::string custom; ///< The signed `custom` as compact JSON, "" if absent.

    bool operator==(const Target&) const = default;
};

/// A role of the last complete catalog.
struct RoleInfo {
    std::string name;
    std::uint64_t version = 0;
    TimePoint expires;
    /// When it was signed, if its maker says so: ours does of timestamp, snapshot and takedown.
    std::optional<TimePoint> signed_at;
};

/// Which roles may be past their expiry.
enum class Expiry {
    Strict,
    /// A catalog that came as files: timestamp, snapshot and takedown list, which last days, may
    /// have lapsed, but are no older than what is stored. docs/formats/offline-bundle.md.
    OfflineBundle,
};

/// The roles that last days: timestamp, snapshot and the takedown list.
bool is_short_lived(std::string_view role);

/// A target that a copy of a catalog gets, and a file that may hold its bytes already; empty if
/// none is known.
struct CopiedTarget {
    std::string name;
    std::filesystem::path file;
};

/// What one refresh brought.
struct Changes {
    struct Role {
        std::string name;
        std::uint64_t from = 0; ///< 0: new.
        std::uint64_t to = 0;   ///< 0: gone.
    };

    std::vector<Role> roles;          ///< Whose version changed.
    std::vector<std::string> added;   ///< Target names.
    std::vector<std::string> changed; ///< Same name, other length, hashes or custom.
    std::vector<std::string> removed;
    bool takedown = false; ///< Whether the takedown list in force changed.

    bool any() const { return !roles.empty() || takedown; }
};

class Client {
  public:
    /// Opens the state in `state_dir`, which may be absent or empty (nothing is created before
    /// trust()). What is stored is verified again, without regard to expiry. `fetcher` and `clock`
    /// must outlive the client. Corrupt: what is stored does not verify; the message says to remove
    /// the folder and add the hub again.
    static Result<Client>
    open(std::filesystem::path state_dir, Fetcher& fetcher, const Clock& clock);

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// Whether a root is trusted.
    bool has_root() const;

    /// The newest trusted root. Refused if there is none.
    Result<RootInfo> root() const;

    /// The fingerprint that was pinned by trust(). Refused if there is none.
    Result<crypto::Sha256Digest> pinned() const;

    /// Fetches the hub's first root (`metadata/1.root.json`, or that of another version) for a
    /// person or script to judge by inspect_root(). It is not trusted by this.
    Result<std::string> fetch_first_root(std::uint64_t version = 1);

    /// Pins `root_bytes`: from here on this hub's catalog is what that root's keys say. Errors as
    /// inspect_root; Conflict if another root is pinned already. Pinning the same again changes
    /// nothing. Durable on return.
    Result<RootInfo> trust(std::string_view root_bytes);

    /// Brings the catalog up to date: all checks of TUF 5.3 to 5.6 for every role, and the takedown
    /// list. Each verified step is durable, the new catalog is taken as a whole at the end; on any
    /// error the catalog read through this object stays what it was.
    Result<Changes> refresh(Expiry rule = Expiry::Strict);

    /// The keys that may sign a delegated role, as the last complete catalog has it; none for an
    /// unknown role. What a role signs besides the catalog is held against these.
    std::vector<crypto::PublicKey> keys_of(std::string_view role) const;

    /// When the last refresh succeeded, or nothing. Of one from an offline bundle: when its
    /// timestamp was signed (when it expired, if nobody says), unless that is later.
    std::optional<TimePoint> last_checked() const;

    /// The roles of the last complete catalog; empty before the first refresh. For "lapses in 6
    /// days".
    std::vector<RoleInfo> roles() const;

    /// Success if there is a complete catalog and no role of it has expired. Otherwise Corrupt,
    /// naming the role and date (NotFound if there never was a refresh). Ask before each install
    /// and update; do not ask before starting what is installed.
    Status check_fresh(Expiry rule = Expiry::Strict) const;

    /// All targets whose names match `pattern`, sorted by name; `*` and `?` do not match `/`, so
    /// "apps/*/*.json" lists all app entries. No input or output, linear in the number of targets.
    /// From the last complete catalog, expired or not.
    std::vector<Target> targets(std::string_view pattern) const;

    /// One target by its exact name, or nothing.
    std::optional<Target> find_target(std::string_view name) const;

    /// The verified bytes of a target. Taken from the state folder if they are there (then it works
    /// offline and after expiry), else fetched, verified and kept. TooLarge above 16 MiB: use
    /// get_target_file.
    Result<std::string> get_target(std::string_view name);

    /// The same for big targets: writes the verified bytes to the file `dest` (atomically,
    /// replacing it; nothing is left there on failure). `dest` is durable on return; nothing is
    /// kept in the state folder.
    Status get_target_file(std::string_view name, const std::filesystem::path& dest);

    /// Writes a copy of the last complete catalog into `folder`, laid out as a hub serves it: the
    /// chain of roots from the pinned one on, every role, the takedown list, and the targets that
    /// are named. What is there already and verifies is left; what this machine lacks is fetched.
    /// Returns the version of the first root of the chain. Durable on return; files are written one
    /// by one, so a copy that failed is gone on with. Errors: NotFound (there is no complete
    /// catalog, no such target), those of the fetcher.
    Result<std::uint64_t> copy_to(const std::filesystem::path& folder,
                                  const std::vector<CopiedTarget>& targets);

    /// Every takedown entry ever verified. Counts for ever: offline, after expiry, and when a newer
    /// list cannot be had. Empty before the first refresh.
    const TakedownList& takedown() const;

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::catalog
