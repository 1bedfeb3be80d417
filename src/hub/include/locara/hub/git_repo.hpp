// GitRepo: a bare git repository, through libgit2: what the hub reads trees, files and commits
// from.
//
// Weights are Git LFS pointers (git-lfs/git-lfs: docs/spec.md); their content is in the hub's
// content store, never in git. The machine's and the user's git configuration are not read.
// Threads: a GitRepo belongs to one thread; several may be open on one folder. Every call may touch
// the disk: in a server, run it on the blocking pool.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// What a pointer file stands for.
struct LfsPointer {
    crypto::Sha256Digest sha256;
    std::uint64_t size = 0;

    /// "version https://git-lfs.github.com/spec/v1\noid sha256:...\nsize N\n"
    std::string render() const;

    /// The pointer that is exactly this text; nothing for any other file.
    static std::optional<LfsPointer> parse(std::string_view text);

    bool operator==(const LfsPointer&) const = default;
};

struct GitEntry {
    enum class Kind { File, Directory };
    Kind kind = Kind::File;
    std::string path;            ///< From the root of the repository.
    std::string oid;             ///< Of the blob or tree, 40 hex digits.
    std::uint64_t blob_size = 0; ///< What git holds; 0 for a directory.
    std::optional<LfsPointer> lfs;

    /// The size of the real content.
    std::uint64_t size() const { return lfs ? lfs->size : blob_size; }
};

struct GitRef {
    std::string name;   ///< "refs/heads/main"
    std::string commit; ///< 40 hex digits
    std::string object; ///< What the ref itself names: the commit, or an annotated tag.
};

/// One ref to be moved.
struct RefMove {
    std::string name;
    std::optional<std::string> from; ///< The object it names, 40 hex digits; nothing to make it.
    std::optional<std::string> to;   ///< Nothing to remove it.
};

struct GitCommit {
    std::string id;
    std::string title;
    std::string message;
    std::string author; ///< The name, as whoever made it wrote it.
    TimePoint date;
    std::vector<std::string> parents;
};

/// Some commits of a history, newest first.
struct GitHistory {
    std::vector<GitCommit> commits;
    std::size_t total = 0; ///< Of the whole history.
};

/// One file of a commit to be made.
struct GitFile {
    std::string path;
    std::string content; ///< Of the blob: the file itself, or the text of its pointer.
};

struct GitSnapshot {
    std::vector<GitFile> files;
    std::string message;
    std::string author_name;
    std::string author_email;
    TimePoint date;
};

/// One change of a commit to be made on top of another. Changes apply in their order.
struct GitChange {
    enum class Kind {
        Put,         ///< A file: the blob `blob`.
        RemoveFile,  ///< NotFound if there is none, Conflict if `blob` is set and it is another.
        RemoveFolder ///< With all below it; NotFound if there is none.
    };
    Kind kind = Kind::Put;
    std::string path;
    std::string blob; ///< 40 hex digits.
};

/// Who makes a commit, when and why.
struct GitSigned {
    std::string message;
    std::string author_name;
    std::string author_email;
    TimePoint date;
};

/// The id that git gives to a file of this content: 40 hex digits.
std::string id_of_blob(std::string_view content);

/// What GitRepo::last_changes does at most, unless told: some seconds. Entries that it compares; a
/// commit or a folder that it looks at counts as 100. With 100 entries of one folder, 100,000
/// commits at least.
inline constexpr std::size_t kLastChangesWork = 30'000'000;

class GitRepo {
  public:
    /// Makes an empty bare repository whose HEAD is `main`; what is there already stays.
    static Result<GitRepo> create(const std::filesystem::path& path);

    /// A repository without refs that is nowhere on disk, to see what the id of a snapshot would
    /// be.
    static Result<GitRepo> create_in_memory();

    /// Io also if there is none: who knows of a repository has its folder.
    static Result<GitRepo> open(const std::filesystem::path& path);

    GitRepo(GitRepo&&) noexcept;
    GitRepo& operator=(GitRepo&&) noexcept;
    ~GitRepo();

    /// Writes a commit without parents that holds exactly these files, and returns its id. The same
    /// snapshot always has the same id. No ref points to it yet.
    Result<std::string> write_snapshot(const GitSnapshot& snapshot);

    /// Writes a file's content and returns the id of its blob.
    Result<std::string> write_blob(std::string_view content);

    /// Writes the tree that `changes` make of the commit `base` (of nothing without one) and
    /// returns its id. Errors: those of GitChange; Conflict when a path is a file and a folder at
    /// once; InvalidArgument when a file system could mix up two names of it.
    Result<std::string> write_tree(const std::optional<std::string>& base,
                                   const std::vector<GitChange>& changes);

    /// Writes a commit of a tree and returns its id; no ref points to it yet.
    Result<std::string> write_commit(const std::string& tree,
                                     const std::vector<std::string>& parents,
                                     const GitSigned& by);

    /// Makes a ref (`from` absent) or moves it from the commit `from` to `to`. Conflict when it is
    /// not what the caller thought, or others keep it locked for more than three seconds.
    Status move_ref(const std::string& name,
                    const std::optional<std::string>& from,
                    const std::string& to);

    /// Moves, makes and removes refs, all of them or none, also when this process is killed
    /// meanwhile (finish_moves). All are locked and looked at first, then `before` is called, whose
    /// error ends it. Durable on return. REQUIRES: names are valid, and different. Conflict, naming
    /// the ref, when one is not where `from` says, or is kept locked for three seconds.
    Status move_refs(const std::vector<RefMove>& moves, const std::function<Status()>& before);

    /// Ends what a process that was killed in move_refs had begun. Nobody else may be writing.
    Status finish_moves();

    /// The id of a commit's tree.
    Result<std::string> tree_of(const std::string& commit) const;

    /// For each path the commit that last changed what is there, as seen from `commit` along first
    /// parents. The search ends when it did so much work: nothing then for paths whose commit would
    /// lie further back.
    Result<std::vector<std::optional<GitCommit>>>
    last_changes(const std::string& commit,
                 const std::vector<std::string>& paths,
                 std::size_t most = kLastChangesWork) const;

    /// Whether .gitattributes of a commit give a path to Git LFS ("filter=lfs").
    Result<bool> is_lfs(const std::string& commit, const std::string& path) const;

    /// Whether the rules of a .gitignore text leave a path out.
    Result<bool> is_ignored(const std::string& rules, const std::string& path);

    /// Makes or moves a ref.
    Status set_ref(const std::string& name, const std::string& commit);

    /// Keeps a commit that the catalog pins, whatever becomes of the branches: by a ref that
    /// clients neither see nor move.
    Status pin(const std::string& commit);

    /// Every ref below refs/heads/, refs/pr/ and refs/tags/, sorted by name.
    Result<std::vector<GitRef>> refs() const;

    /// The ref of this full name; nothing if there is none.
    Result<std::optional<GitRef>> find_ref(const std::string& name) const;

    /// The commit that a revision names: a branch, a tag, "refs/...", "HEAD", a commit id or a
    /// unique beginning of one (7 digits or more). NotFound otherwise: no other git syntax is
    /// understood.
    Result<std::string> resolve(std::string_view revision) const;

    Result<GitCommit> commit(const std::string& id) const;

    /// The commits that `id` comes of and itself, `limit` of them after the first `skip`; of those,
    /// given `without`, which that commit does not come of. TooLarge for a history of more than
    /// 1,000,000.
    Result<GitHistory> history(const std::string& id,
                               std::size_t skip,
                               std::size_t limit,
                               const std::optional<std::string>& without = {}) const;

    /// What two commits differ in, as a text for people and programs (git's diff format, with three
    /// lines around each change). Files of more than 1 MiB or 20,000 lines just differ, as binary
    /// ones do. TooLarge above `limit_bytes`, or where more than 200,000 lines or 16 MiB of both
    /// would have to be compared.
    Result<std::string>
    diff(const std::string& from, const std::string& to, std::uint64_t limit_bytes) const;

    /// Writes an annotated tag of a commit and returns its id; no ref points to it yet.
    Result<std::string>
    write_tag(const std::string& name, const std::string& commit, const GitSigned& by);

    /// The entry at a path ("" is the root folder). Absence is normal.
    Result<std::optional<GitEntry>> find(const std::string& commit, const std::string& path) const;

    enum class Recursive { No, Yes };

    /// What is in a folder, sorted as git sorts: with Recursive::Yes, all below it, each folder
    /// before its files. NotFound if `path` is no folder, TooLarge above 100,000 entries.
    Result<std::vector<GitEntry>>
    list(const std::string& commit, const std::string& path, Recursive recursive) const;

    /// The content of a blob. TooLarge above `limit_bytes`.
    Result<std::string> read_blob(const std::string& oid, std::uint64_t limit_bytes) const;

    /// The size of a blob, whatever leads to it; nothing if there was none when the repository was
    /// opened.
    Result<std::optional<std::uint64_t>> find_blob(const std::string& oid) const;

  private:
    struct State;
    explicit GitRepo(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::hub
