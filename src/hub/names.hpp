// Names: everything of a hub that changes, in one small database: accounts, access tokens,
// repositories, and which files and xorbs belong to which repository. Bytes are elsewhere.
//
// Secrets are not in here: of an access token only the SHA-256 is kept.
// Threads, processes, and errors besides those named: as Database. Each call is one transaction.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hub/accounts.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::hub {

/// What lives at namespace/name. Models, datasets and spaces are git repositories; a bucket has
/// files only (buckets.hpp).
enum class RepoType { Model, Dataset, Space, Bucket };

/// "model"; "models", as it stands in API paths.
std::string_view render(RepoType type);
std::string_view render_plural(RepoType type);
/// "app" is a space, too: that is what an app's repository is to the Hub's clients.
std::optional<RepoType> parse_repo_type(std::string_view text);

/// "", "datasets/", "spaces/" or "buckets/": what stands before the id in web paths.
std::string_view web_prefix(RepoType type);

struct RepoId {
    RepoType type = RepoType::Model;
    std::string space; ///< The namespace: an account or an organization.
    std::string name;

    /// "ana/tiny". Nothing unless both parts are such as is_repo_part takes.
    static std::optional<RepoId> parse(RepoType type, std::string_view text);
    /// The same with web_prefix in front: "ana/tiny", "datasets/ana/notes".
    static std::optional<RepoId> parse_web(std::string_view text);

    std::string render() const;     ///< The inverse of parse.
    std::string render_web() const; ///< The inverse of parse_web.
};

enum class Visibility { Public, Private };

/// Whether who may see a repository may read its files too, or must ask to.
enum class Gate {
    Open,
    Automatic, ///< Whoever has an account and asks, may.
    Manual,    ///< Each request is decided by who may write to the repository.
};

/// Where a repository's truth is, and for one that is mirrored, what upstream asks of its readers.
enum class Origin {
    Here,            ///< In this hub.
    Upstream,        ///< Everybody may read it there.
    UpstreamGated,   ///< Whoever has agreed to its terms may read the content of its files.
    UpstreamPrivate, ///< Whoever its owner lets.
};

/// Of a mirrored repository: public unless upstream asks for more than to be asked.
Visibility visibility_of(Origin origin);

/// What lists know of a repository beyond git.
struct RepoFacts {
    std::string task;
    std::string license;
    std::string manifest; ///< SHA-256 of the model manifest that pins it, if one does.
};

struct Repo {
    std::int64_t key = 0; ///< In this database only.
    std::string internal; ///< 24 hex digits for good; names its git folder too.
    RepoId id;            ///< As its maker spelled it.
    Visibility visibility = Visibility::Public;
    TimePoint created;
    RepoFacts facts;
    Origin origin = Origin::Here;
    Gate gate = Gate::Open;
    std::int64_t maker = 0; ///< Account::key of who made it; 0 if the hub itself did.
};

/// A large file that a repository may name: its content by both of its hashes.
struct StoredFile {
    crypto::Sha256Digest sha256;
    xet::FileHash xet;
    std::uint64_t size = 0;
    TimePoint used{}; ///< When it came, or was named, last; known to list_files alone.
};

/// A revision of a mirrored repository: where it was when upstream was asked last.
struct MirroredRevision {
    std::string commit;
    TimePoint checked;
};

/// The content of a mirrored file, as git names it.
struct MirroredFile {
    std::int64_t repo = 0; ///< Repo::key
    std::string oid;       ///< Of the blob (40 hex digits), or the SHA-256 of a large file (64).
    crypto::Sha256Digest sha256;
    std::uint64_t size = 0;
    TimePoint used;
    /// Why the format gate refused it; empty if it did not. A refused file has no content here.
    std::string refused;
};

/// A token and whom it stands for.
struct KnownToken {
    Account account;
    Token token;
};

class Database;

class Names {
  public:
    /// Shared with others that keep something in the same database.
    explicit Names(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    // --- Accounts and tokens --------------------------------------------------------------------

    /// Conflict when the name is taken, by a user or an organization (case does not matter).
    Result<Account>
    add_account(const std::string& name, const std::string& full_name, TimePoint now);
    /// Of a user, not of an organization.
    Result<std::optional<Account>> find_account(const std::string& name) const;

    /// Users by name.
    Result<std::vector<Account>> list_accounts() const;

    /// A user with all that is the user's alone: tokens, sessions, memberships, requests for
    /// access, collections. What the user wrote elsewhere stays, without a name. NotFound; Conflict
    /// while the namespace has repositories or buckets.
    Status remove_account(const std::string& name);

    /// Of a user. NotFound.
    Status set_email(const std::string& name, const std::string& email);
    Status set_website(const std::string& name, const std::string& website);

    /// Notes a token by the digest of its text. Conflict when the account has one of this name.
    Result<Token> add_token(const Account& account,
                            const NewToken& token,
                            const crypto::Sha256Digest& digest,
                            TimePoint now);

    /// Nothing for a token that is unknown, revoked or expired.
    Result<std::optional<KnownToken>> find_token(const crypto::Sha256Digest& digest,
                                                 TimePoint now) const;
    Result<std::vector<Token>> list_tokens() const;

    /// NotFound.
    Status remove_token(const std::string& id);

    // --- Repositories ---------------------------------------------------------------------------

    /// Takes a `repo` without key. Conflict when type and id are taken (case does not matter).
    Result<Repo> add_repo(const Repo& repo);
    Result<std::optional<Repo>> find_repo(const RepoId& id) const;
    Result<std::optional<Repo>> find_repo(std::int64_t key) const;

    /// Sorted by id; mirrored ones too.
    Result<std::vector<Repo>> list_repos(RepoType type) const;
    Status set_facts(std::int64_t repo, const RepoFacts& facts);

    Status set_visibility(std::int64_t repo, Visibility visibility);
    Status set_gate(std::int64_t repo, Gate gate);

    /// Gives a repository another namespace and name; the old id goes on leading to it until it is
    /// given to another repository. Conflict when type and id are taken.
    Status move_repo(std::int64_t repo, const RepoId& to);

    /// The repository that once had this id, if no other has it now.
    Result<std::optional<Repo>> find_moved_repo(const RepoId& id) const;

    /// With all that belongs to it.
    Status remove_repo(std::int64_t repo);

    // --- What belongs to a repository ------------------------------------------------------------

    /// Counts as use of the file.
    Status add_file(std::int64_t repo, const StoredFile& file, TimePoint now);
    /// What find_file finds, for who is about to name it in a commit: as used, gc leaves it.
    Result<std::optional<StoredFile>>
    use_file(std::int64_t repo, const crypto::Sha256Digest& sha256, TimePoint now);
    Result<std::optional<StoredFile>> find_file(std::int64_t repo,
                                                const crypto::Sha256Digest& sha256) const;
    Result<std::optional<StoredFile>> find_file(std::int64_t repo, const xet::FileHash& hash) const;

    /// All of a repository's, in no order.
    Result<std::vector<StoredFile>> list_files(std::int64_t repo) const;

    /// Those of them that nobody used since `limit`.
    Result<std::vector<StoredFile>> list_unused_files(std::int64_t repo, TimePoint limit) const;

    /// Forgets a file, if nobody used it since `limit` and no path of a bucket names it. Whether it
    /// did.
    Result<bool>
    remove_unused_file(std::int64_t repo, const crypto::Sha256Digest& sha256, TimePoint limit);

    /// Notes that a file of the repository is made of this xorb: somebody who may write to it had
    /// all its bytes. For nobody it is an unnamed one any more.
    Status add_xorb(std::int64_t repo, const xet::XorbHash& xorb);

    /// Notes that the repository brought a xorb of so many bytes, which no file of it may be made
    /// of yet. One that the store had already stays what it was for the repository.
    enum class IsNew { No, Yes };
    Status add_unnamed_xorb(std::int64_t repo,
                            const xet::XorbHash& xorb,
                            std::uint64_t size,
                            IsNew is_new);

    /// The bytes of all unnamed xorbs of a namespace, each once, but for one.
    Result<std::uint64_t> unnamed_bytes(const std::string& space, const xet::XorbHash& but) const;

    /// The unnamed xorbs of all repositories.
    Result<std::vector<xet::XorbHash>> list_unnamed_xorbs() const;

    /// A xorb counts as unnamed for nobody any more.
    Status settle_xorb(const xet::XorbHash& xorb);

    /// Whether the repository itself or one that everybody may read brought the xorb.
    Result<bool> may_use_xorb(std::int64_t repo, const xet::XorbHash& xorb) const;

    // --- What is mirrored ------------------------------------------------------------------------

    /// Whether the namespace belongs to this hub: a user, an organization, or a
    /// repository that is not mirrored.
    /// Upstream is never asked about one.
    Result<bool> is_own_space(const std::string& space) const;

    /// Whether a token is one of this hub's, expired or not.
    Result<bool> knows_token(const crypto::Sha256Digest& digest) const;

    /// What upstream asks of a mirrored repository's readers has changed; its visibility follows.
    Status set_origin(std::int64_t repo, Origin origin);

    Status set_mirrored_revision(std::int64_t repo,
                                 const std::string& revision,
                                 const MirroredRevision& found);
    /// Revisions and the commits that they stood for, by name.
    Result<std::vector<std::pair<std::string, std::string>>>
    list_mirrored_revisions(std::int64_t repo) const;

    Result<std::optional<MirroredRevision>>
    find_mirrored_revision(std::int64_t repo, const std::string& revision) const;

    /// Where its main branch was; without one, the revision that was asked for last.
    Result<std::optional<MirroredRevision>> newest_mirrored_revision(std::int64_t repo) const;

    /// Notes a file's content, or that it was refused.
    Status put_mirrored_file(const MirroredFile& file);
    Result<std::optional<MirroredFile>> find_mirrored_file(std::int64_t repo,
                                                           const std::string& oid) const;
    Status touch_mirrored_file(std::int64_t repo, const std::string& oid, TimePoint now);

    /// Of all content that is here, each file's size added up.
    Result<std::uint64_t> mirrored_bytes() const;

    /// All content that is here, the one used longest ago first.
    Result<std::vector<MirroredFile>> list_mirrored_files() const;

    /// Forgets content: the repository no longer has it, until it is fetched again.
    Status remove_mirrored_file(const MirroredFile& file);

  private:
    std::shared_ptr<Database> database_;
};

/// Whether a text can be a namespace or the name of a repository: letters, digits, '-', '_' and
/// '.', at most 96, first and last no punctuation, no "..", no ".git" at the end.
bool is_repo_part(std::string_view text);

/// Names that paths of the hub begin with, which can be no namespace.
bool is_reserved_space(std::string_view text);

/// InvalidArgument, with the rule, if a name can be no namespace.
Status check_space(const std::string& name);

} // namespace locara::hub
