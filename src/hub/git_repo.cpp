#include "git_journal.hpp"
#include "git_pointers.hpp"
#include "line_budget.hpp"
#include "ref_name.hpp"

#include <locara/hub/git_repo.hpp>

#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include <fcntl.h>

namespace locara::hub {
namespace {

constexpr std::size_t kListLimit = 100'000;
constexpr unsigned kShortestCommit = 7;
constexpr std::size_t kHistoryLimit = 1'000'000;

bool is_hex(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

// --------------------------------------------------------------------------------------- pointer

std::string LfsPointer::render() const {
    return "version https://git-lfs.github.com/spec/v1\noid sha256:" + sha256.render() + "\nsize " +
           std::to_string(size) + "\n";
}

std::optional<LfsPointer> LfsPointer::parse(std::string_view text) {
    constexpr std::string_view kStart = "version https://git-lfs.github.com/spec/v1\noid sha256:";
    constexpr std::string_view kSize = "\nsize ";
    constexpr std::size_t kDigest = 64;
    if (text.substr(0, kStart.size()) != kStart || text.size() < kStart.size() + kDigest) {
        return std::nullopt;
    }
    const auto digest = crypto::Sha256Digest::parse(text.substr(kStart.size(), kDigest));
    std::string_view rest = text.substr(kStart.size() + kDigest);
    if (!digest || rest.substr(0, kSize.size()) != kSize || rest.back() != '\n') {
        return std::nullopt;
    }
    rest = rest.substr(kSize.size(), rest.size() - kSize.size() - 1);
    LfsPointer pointer{*digest, 0};
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), pointer.size);
    if (error != std::errc() || end != rest.data() + rest.size() || pointer.render() != text) {
        return std::nullopt;
    }
    return pointer;
}

std::string id_of_blob(std::string_view content) {
    start_git();
    git_oid oid{};
    const int failed = git_odb_hash(&oid, content.data(), content.size(), GIT_OBJECT_BLOB);
    LOCARA_ASSERT(failed == 0); // Nothing but a kind of object that git has not got.
    return render_oid(&oid);
}

// --------------------------------------------------------------------------------------- changes

namespace {

/// Whether anything of the index lies below the folder "a/b/".
bool has_below(git_index* index, const std::string& folder) {
    std::size_t position = 0;
    return git_index_find_prefix(&position, index, folder.c_str()) == 0;
}

/// A path that is a file cannot be a folder too.
Status check_free(git_index* index, const std::string& path) {
    const auto conflict = [](const std::string& name) {
        return Error(ErrorCode::Conflict, name + " would be both a file and a folder");
    };
    if (has_below(index, path + "/")) {
        return conflict(path);
    }
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const std::string parent = path.substr(0, slash);
        if (git_index_get_bypath(index, parent.c_str(), 0) != nullptr) {
            return conflict(parent);
        }
    }
    return {};
}

Status apply_change(git_index* index, const GitChange& change) {
    int code = 0;
    if (change.kind == GitChange::Kind::Put) {
        LOCARA_CHECK(check_free(index, change.path));
        git_index_entry entry{};
        entry.path = change.path.c_str();
        entry.mode = GIT_FILEMODE_BLOB;
        LOCARA_TRY(entry.id, parse_oid(change.blob));
        code = git_index_add(index, &entry);
    } else if (change.kind == GitChange::Kind::RemoveFile) {
        const git_index_entry* const entry = git_index_get_bypath(index, change.path.c_str(), 0);
        if (entry != nullptr && !change.blob.empty() && render_oid(&entry->id) != change.blob) {
            return Error(ErrorCode::Conflict, change.path + " was changed meanwhile");
        }
        code = git_index_remove(index, change.path.c_str(), 0);
    } else if (has_below(index, change.path + "/")) {
        code = git_index_remove_directory(index, change.path.c_str(), 0);
    } else {
        code = GIT_ENOTFOUND;
    }
    if (code == GIT_ENOTFOUND) {
        return Error(ErrorCode::NotFound, "there is no " + change.path);
    }
    return code == 0 ? Status() : Status(git_failure("changing " + change.path));
}

} // namespace

// ------------------------------------------------------------------------------------ repository

struct GitRepo::State {
    Repository repository;

    Result<Tree> root(const std::string& commit_id) const;
    Result<GitEntry> describe(const git_tree_entry* entry, std::string path) const;
    Status walk(const git_tree* tree,
                const std::string& prefix,
                Recursive recursive,
                std::vector<GitEntry>& out) const;
    Result<std::string> peel(const char* ref) const;
};

GitRepo::GitRepo(std::unique_ptr<State> state) : state_(std::move(state)) {}

GitRepo::GitRepo(GitRepo&&) noexcept = default;
GitRepo& GitRepo::operator=(GitRepo&&) noexcept = default;
GitRepo::~GitRepo() = default;

namespace {

/// libgit2 syncs objects and refs, but not what a new repository is made of: after a loss of power
/// its HEAD would be empty, and git know no repository there.
Status sync_tree(const std::filesystem::path& path) {
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
        LOCARA_TRY(const Fd fd, open_file(at->path(), O_RDONLY | O_NOFOLLOW));
        LOCARA_CHECK(sync_file(fd));
    }
    if (error) {
        return Error(ErrorCode::Io, "syncing " + path.string() + ": " + error.message());
    }
    LOCARA_CHECK(sync_folder(path));
    return sync_folder(path.parent_path());
}

} // namespace

Result<GitRepo> GitRepo::create(const std::filesystem::path& path) {
    start_git();
    git_repository_init_options options;
    git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
    options.initial_head = "main";
    git_repository* raw = nullptr;
    const int code = git_repository_init_ext(&raw, path.c_str(), &options);
    if (code != 0) {
        return git_failure("making the git repository " + path.string());
    }
    auto state = std::make_unique<State>();
    state->repository.reset(raw);
    LOCARA_CHECK(sync_tree(path));
    return GitRepo(std::move(state));
}

Result<GitRepo> GitRepo::create_in_memory() {
    start_git();
    git_odb* raw_database = nullptr;
    int code = git_odb_new(&raw_database);
    const ObjectDatabase database(raw_database);
    git_odb_backend* memory = nullptr; // The database frees it.
    if (code == 0) {
        code = git_mempack_new(&memory);
    }
    if (code == 0) {
        code = git_odb_add_backend(raw_database, memory, 1);
    }
    git_repository* raw = nullptr;
    if (code == 0) {
        code = git_repository_wrap_odb(&raw, raw_database);
    }
    if (code != 0) {
        return git_failure("making a git repository in memory");
    }
    auto state = std::make_unique<State>();
    state->repository.reset(raw);
    return GitRepo(std::move(state));
}

Result<GitRepo> GitRepo::open(const std::filesystem::path& path) {
    auto state = std::make_unique<State>();
    LOCARA_TRY(state->repository, open_repository(path));
    return GitRepo(std::move(state));
}

Result<std::string> GitRepo::write_snapshot(const GitSnapshot& snapshot) {
    git_repository* const repository = state_->repository.get();
    // An index in memory makes the nested trees.
    git_index* raw_index = nullptr;
    int code = git_index_new(&raw_index);
    const Index index(raw_index);
    if (code != 0) {
        return git_failure("making an index");
    }
    for (const GitFile& file : snapshot.files) {
        git_index_entry entry{};
        entry.path = file.path.c_str();
        entry.mode = GIT_FILEMODE_BLOB;
        code = git_blob_create_from_buffer(
            &entry.id, repository, file.content.data(), file.content.size());
        if (code == 0) {
            code = git_index_add(index.get(), &entry);
        }
        if (code != 0) {
            return git_failure("adding " + file.path);
        }
    }
    git_oid tree_id{};
    code = git_index_write_tree_to(&tree_id, index.get(), repository);
    if (code != 0) {
        return git_failure("writing the tree");
    }
    return write_commit(
        render_oid(&tree_id),
        {},
        {snapshot.message, snapshot.author_name, snapshot.author_email, snapshot.date});
}

Result<std::string> GitRepo::write_blob(std::string_view content) {
    git_oid id{};
    const int code =
        git_blob_create_from_buffer(&id, state_->repository.get(), content.data(), content.size());
    if (code != 0) {
        return git_failure("writing a blob");
    }
    return render_oid(&id);
}

Result<std::string> GitRepo::write_tree(const std::optional<std::string>& base,
                                        const std::vector<GitChange>& changes) {
    git_index* raw_index = nullptr;
    int code = git_index_new(&raw_index);
    const Index index(raw_index);
    if (code == 0 && base) {
        LOCARA_TRY(const Tree tree, state_->root(*base));
        code = git_index_read_tree(index.get(), tree.get());
    }
    if (code != 0) {
        return git_failure("reading the tree to change");
    }
    for (const GitChange& change : changes) {
        LOCARA_CHECK(apply_change(index.get(), change));
    }
    LOCARA_CHECK(check_names(index.get()));
    git_oid tree_id{};
    code = git_index_write_tree_to(&tree_id, index.get(), state_->repository.get());
    if (code != 0) {
        return git_failure("writing the tree");
    }
    return render_oid(&tree_id);
}

namespace {

Result<Signature> sign(const GitSigned& by) {
    git_signature* raw = nullptr;
    const int code = git_signature_new(&raw,
                                       by.author_name.c_str(),
                                       by.author_email.c_str(),
                                       by.date.time_since_epoch().count(),
                                       0);
    if (code != 0) {
        return git_failure("signing as " + by.author_name);
    }
    return Signature(raw);
}

} // namespace

Result<std::string> GitRepo::write_commit(const std::string& tree_id,
                                          const std::vector<std::string>& parent_ids,
                                          const GitSigned& by) {
    git_repository* const repository = state_->repository.get();
    LOCARA_TRY(const git_oid tree_oid, parse_oid(tree_id));
    git_tree* raw_tree = nullptr;
    int code = git_tree_lookup(&raw_tree, repository, &tree_oid);
    const Tree tree(raw_tree);
    std::vector<Commit> owners;
    std::vector<const git_commit*> parents;
    for (const std::string& parent_id : parent_ids) {
        LOCARA_TRY(const git_oid parent_oid, parse_oid(parent_id));
        git_commit* raw_parent = nullptr;
        code = code == 0 ? git_commit_lookup(&raw_parent, repository, &parent_oid) : code;
        owners.emplace_back(raw_parent);
        parents.push_back(raw_parent);
    }
    LOCARA_TRY(const Signature signature, sign(by));
    git_oid commit_id{};
    if (code == 0) {
        code = git_commit_create(&commit_id,
                                 repository,
                                 nullptr,
                                 signature.get(),
                                 signature.get(),
                                 nullptr,
                                 by.message.c_str(),
                                 tree.get(),
                                 parents.size(),
                                 parents.data());
    }
    if (code != 0) {
        return git_failure("writing the commit");
    }
    return render_oid(&commit_id);
}

namespace {

/// How long a ref is waited for that somebody else has locked: it takes as long as he needs to sync
/// it, and what his push brings.
constexpr std::chrono::seconds kLockWait{3};
constexpr std::chrono::milliseconds kLongestPause{50};

/// What libgit2 answers once the ref it is asked to lock is free, or GIT_ELOCKED after kLockWait.
template <class Call> int wait_for_lock(Call call) {
    const auto until = std::chrono::steady_clock::now() + kLockWait;
    std::chrono::milliseconds pause{1};
    int code = call();
    while (code == GIT_ELOCKED && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
        code = call();
    }
    return code;
}

} // namespace

Status GitRepo::move_ref(const std::string& name,
                         const std::optional<std::string>& from,
                         const std::string& to) {
    git_repository* const repository = state_->repository.get();
    LOCARA_TRY(const git_oid target, parse_oid(to));
    git_reference* raw = nullptr;
    int code = 0;
    if (from) {
        LOCARA_TRY(const git_oid expected, parse_oid(*from));
        code = wait_for_lock([&] {
            return git_reference_create_matching(
                &raw, repository, name.c_str(), &target, 1, &expected, "commit");
        });
    } else {
        code = wait_for_lock([&] {
            return git_reference_create(&raw, repository, name.c_str(), &target, 0, "commit");
        });
    }
    const Reference reference(raw);
    // A lock that stays means that somebody is moving it, or was killed while he did.
    if (code == GIT_EMODIFIED || code == GIT_EEXISTS || code == GIT_ELOCKED ||
        (from && code == GIT_ENOTFOUND)) {
        return Error(ErrorCode::Conflict, name + " was moved meanwhile");
    }
    return code == 0 ? Status() : Status(git_failure("moving " + name));
}

namespace {

/// Half a million refs.
constexpr std::uint64_t kJournalLimit = 64U << 20U;

std::string render_moves(const std::vector<RefMove>& moves) {
    std::string text;
    for (const RefMove& move : moves) {
        text += move.from.value_or("-") + " " + move.to.value_or("-") + " " + move.name + "\n";
    }
    return text;
}

std::vector<RefMove> parse_moves(const std::string& text) {
    std::istringstream lines(text);
    std::vector<RefMove> moves;
    std::string from;
    std::string to;
    std::string name;
    while (lines >> from >> to && std::getline(lines >> std::ws, name)) {
        moves.push_back({name,
                         from == "-" ? std::nullopt : std::optional(from),
                         to == "-" ? std::nullopt : std::optional(to)});
    }
    return moves;
}

/// Empty for one ref, which moves or not anyway.
Result<std::filesystem::path> write_journal(const std::filesystem::path& repository,
                                            const std::vector<RefMove>& moves) {
    if (moves.size() < 2) {
        return std::filesystem::path();
    }
    const std::string text = render_moves(moves);
    if (text.size() > kJournalLimit) {
        return Error(ErrorCode::TooLarge,
                     std::to_string(moves.size()) + " refs are too many to be moved at once");
    }
    auto path = new_journal(repository);
    LOCARA_CHECK(write_file_atomically(path, as_bytes(text)));
    return path;
}

Status remove_journal(const std::filesystem::path& journal) {
    if (journal.empty()) {
        return {};
    }
    std::error_code error;
    std::filesystem::remove(journal, error);
    if (error) {
        return Error(ErrorCode::Io, "removing a journal: " + error.message());
    }
    return sync_folder(journal.parent_path());
}

/// Locks a ref, and sees that it is where the caller thinks.
Status lock_ref(git_transaction* transaction, git_repository* repository, const RefMove& move) {
    int code =
        wait_for_lock([&] { return git_transaction_lock_ref(transaction, move.name.c_str()); });
    if (code == GIT_ELOCKED) {
        return Error(ErrorCode::Conflict, move.name + " is being moved by somebody else");
    }
    git_oid now{};
    std::optional<std::string> found;
    if (code == 0) {
        code = git_reference_name_to_id(&now, repository, move.name.c_str());
        if (code == 0) {
            found = render_oid(&now);
        }
    }
    if (code != 0 && code != GIT_ENOTFOUND) {
        return git_failure("locking " + move.name);
    }
    return found == move.from
               ? Status()
               : Status(Error(ErrorCode::Conflict,
                              move.name + (found ? " was moved meanwhile" : " is not there")));
}

/// libgit2 syncs what it writes, but neither what it removes nor the folders that it makes for it.
Status sync_folders_of(const std::vector<RefMove>& moves, const std::filesystem::path& repository) {
    std::set<std::filesystem::path> folders;
    for (const RefMove& move : moves) {
        for (auto at = std::filesystem::path(move.name).parent_path(); !at.empty();
             at = at.parent_path()) {
            folders.insert(at);
        }
    }
    for (const auto& folder : folders) {
        const Status synced = sync_folder(repository / folder);
        // The last ref of a folder takes it along.
        if (!synced && synced.error().code() != ErrorCode::NotFound) {
            return synced;
        }
    }
    return {};
}

} // namespace

Status GitRepo::move_refs(const std::vector<RefMove>& moves,
                          const std::function<Status()>& before) {
    git_repository* const repository = state_->repository.get();
    git_transaction* raw = nullptr;
    int code = git_transaction_new(&raw, repository);
    Transaction transaction(raw);
    if (code != 0) {
        return git_failure("moving refs");
    }
    for (const RefMove& move : moves) {
        LOCARA_CHECK(lock_ref(raw, repository, move));
    }
    for (const RefMove& move : moves) {
        if (!move.to) {
            code = git_transaction_remove(raw, move.name.c_str());
        } else {
            LOCARA_TRY(const git_oid target, parse_oid(*move.to));
            code = git_transaction_set_target(raw, move.name.c_str(), &target, nullptr, "push");
        }
        if (code != 0) {
            return git_failure("moving " + move.name);
        }
    }
    LOCARA_CHECK(before());
    const std::filesystem::path folder = git_repository_path(repository);
    LOCARA_TRY(const auto journal, write_journal(folder, moves));
    code = git_transaction_commit(raw);
    if (code != 0) {
        const Error failure = git_failure("moving refs");
        // What is refused has not happened, and must not happen at the next start.
        transaction.reset();
        for (const RefMove& move : journal.empty() ? std::vector<RefMove>() : moves) {
            static_cast<void>(
                move_refs({{move.name, move.to, move.from}}, [] { return Status(); }).has_value());
        }
        static_cast<void>(remove_journal(journal).has_value());
        return failure;
    }
    LOCARA_CHECK(sync_folders_of(moves, folder));
    return remove_journal(journal);
}

Status GitRepo::finish_moves() {
    const std::filesystem::path folder = git_repository_path(state_->repository.get());
    LOCARA_TRY(const auto journals, list_journals(folder));
    for (const auto& journal : journals) {
        LOCARA_TRY(const std::string text, read_file(journal, kJournalLimit));
        for (const RefMove& move : parse_moves(text)) {
            const Status moved = move_refs({move}, [] { return Status(); });
            // One that has been moved already is not where it was any more.
            if (!moved && moved.error().code() != ErrorCode::Conflict) {
                return moved.error();
            }
        }
        LOCARA_CHECK(remove_journal(journal));
    }
    return {};
}

Result<std::string> GitRepo::tree_of(const std::string& commit_id) const {
    LOCARA_TRY(const Tree tree, state_->root(commit_id));
    return render_oid(git_tree_id(tree.get()));
}

Result<bool> GitRepo::is_lfs(const std::string& commit_id, const std::string& path) const {
    git_attr_options options{};
    options.version = GIT_ATTR_OPTIONS_VERSION;
    options.flags = GIT_ATTR_CHECK_INCLUDE_COMMIT | GIT_ATTR_CHECK_NO_SYSTEM;
    LOCARA_TRY(options.attr_commit_id, parse_oid(commit_id));
    const char* value = nullptr;
    const int code =
        git_attr_get_ext(&value, state_->repository.get(), &options, path.c_str(), "filter");
    if (code != 0) {
        return git_failure("the attributes of " + path);
    }
    return git_attr_value(value) == GIT_ATTR_VALUE_STRING && std::string_view(value) == "lfs";
}

Result<bool> GitRepo::is_ignored(const std::string& rules, const std::string& path) {
    git_repository* const repository = state_->repository.get();
    int ignored = 0;
    int code = git_ignore_clear_internal_rules(repository);
    if (code == 0) {
        code = git_ignore_add_rule(repository, rules.c_str());
    }
    if (code == 0) {
        code = git_ignore_path_is_ignored(&ignored, repository, path.c_str());
    }
    if (code != 0) {
        return git_failure("the ignore rules for " + path);
    }
    return ignored != 0;
}

Status GitRepo::set_ref(const std::string& name, const std::string& commit_id) {
    LOCARA_TRY(const git_oid oid, parse_oid(commit_id));
    git_reference* raw = nullptr;
    const int code =
        git_reference_create(&raw, state_->repository.get(), name.c_str(), &oid, 1, "published");
    const Reference reference(raw);
    return code == 0 ? Status() : Status(git_failure("setting " + name));
}

Status GitRepo::pin(const std::string& commit) {
    return set_ref(std::string(kPins) + commit, commit);
}

Result<std::string> GitRepo::State::peel(const char* ref) const {
    git_reference* raw = nullptr;
    int code = git_reference_lookup(&raw, repository.get(), ref);
    const Reference reference(raw);
    if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC) {
        return Error(ErrorCode::NotFound, std::string("there is no ref ") + ref);
    }
    if (code != 0) {
        return git_failure(ref);
    }
    git_object* object = nullptr;
    code = git_reference_peel(&object, reference.get(), GIT_OBJECT_COMMIT);
    const Object owner(object);
    if (code != 0) {
        return git_failure(ref);
    }
    return render_oid(git_object_id(object));
}

Result<std::vector<GitRef>> GitRepo::refs() const {
    git_reference_iterator* raw = nullptr;
    int code = git_reference_iterator_new(&raw, state_->repository.get());
    const References iterator(raw);
    if (code != 0) {
        return git_failure("listing refs");
    }
    std::vector<GitRef> refs;
    const char* name = nullptr;
    while ((code = git_reference_next_name(&name, iterator.get())) == 0) {
        const std::string_view view = name;
        if (view.substr(0, 11) != "refs/heads/" && view.substr(0, 10) != "refs/tags/" &&
            view.substr(0, 8) != "refs/pr/") {
            continue;
        }
        LOCARA_TRY(std::string target, state_->peel(name));
        git_oid object{};
        code = git_reference_name_to_id(&object, state_->repository.get(), name);
        if (code != 0) {
            return git_failure(name);
        }
        refs.push_back({name, std::move(target), render_oid(&object)});
    }
    if (code != GIT_ITEROVER) {
        return git_failure("listing refs");
    }
    std::sort(
        refs.begin(), refs.end(), [](const GitRef& a, const GitRef& b) { return a.name < b.name; });
    return refs;
}

Result<std::optional<GitRef>> GitRepo::find_ref(const std::string& name) const {
    git_oid object{};
    const int code = git_reference_name_to_id(&object, state_->repository.get(), name.c_str());
    if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC) {
        return std::optional<GitRef>();
    }
    if (code != 0) {
        return git_failure(name);
    }
    LOCARA_TRY(std::string commit, state_->peel(name.c_str()));
    return std::optional(GitRef{name, std::move(commit), render_oid(&object)});
}

Result<std::string> GitRepo::resolve(std::string_view revision) const {
    const std::string text(revision);
    if (commit(text)) {
        return text; // No ref has a name that could be a whole id (ref_name.hpp).
    }
    std::vector<std::string> candidates = {"refs/heads/" + text, "refs/tags/" + text};
    if (text == "HEAD" || text.rfind("refs/", 0) == 0) {
        candidates.insert(candidates.begin(), text);
    }
    for (const std::string& candidate : candidates) {
        auto found = state_->peel(candidate.c_str());
        if (found || found.error().code() != ErrorCode::NotFound) {
            return found;
        }
    }
    if (is_hex(text) && text.size() >= kShortestCommit && text.size() <= GIT_OID_HEXSZ) {
        git_oid oid{};
        git_commit* raw = nullptr;
        if (git_oid_fromstrn(&oid, text.data(), text.size()) == 0 &&
            git_commit_lookup_prefix(&raw, state_->repository.get(), &oid, text.size()) == 0) {
            const Commit commit(raw);
            return render_oid(git_commit_id(raw));
        }
    }
    return Error(ErrorCode::NotFound, "Invalid rev id: " + text);
}

Result<GitCommit> GitRepo::commit(const std::string& id) const {
    LOCARA_TRY(const git_oid oid, parse_oid(id));
    git_commit* raw = nullptr;
    const int code = git_commit_lookup(&raw, state_->repository.get(), &oid);
    const Commit commit(raw);
    if (code == GIT_ENOTFOUND) {
        return Error(ErrorCode::NotFound, "there is no commit " + id);
    }
    if (code != 0) {
        return git_failure("commit " + id);
    }
    const char* const summary = git_commit_summary(raw);
    const char* const message = git_commit_message(raw);
    const char* const author = git_commit_author(raw)->name;
    std::vector<std::string> parents;
    for (unsigned i = 0; i < git_commit_parentcount(raw); ++i) {
        parents.push_back(render_oid(git_commit_parent_id(raw, i)));
    }
    return GitCommit{id,
                     summary != nullptr ? summary : "",
                     message != nullptr ? message : "",
                     author != nullptr ? author : "",
                     TimePoint(std::chrono::seconds(git_commit_time(raw))),
                     std::move(parents)};
}

Result<GitHistory> GitRepo::history(const std::string& id,
                                    std::size_t skip,
                                    std::size_t limit,
                                    const std::optional<std::string>& without) const {
    LOCARA_TRY(const git_oid oid, parse_oid(id));
    git_revwalk* raw = nullptr;
    int code = git_revwalk_new(&raw, state_->repository.get());
    const Walk walk(raw);
    if (code == 0) {
        // Children before their parents; by date where that leaves a choice.
        code = git_revwalk_sorting(raw, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    }
    if (code == 0) {
        code = git_revwalk_push(raw, &oid);
    }
    if (code == 0 && without) {
        LOCARA_TRY(const git_oid hidden, parse_oid(*without));
        code = git_revwalk_hide(raw, &hidden);
    }
    GitHistory history;
    git_oid at{};
    while (code == 0 && (code = git_revwalk_next(&at, raw)) == 0) {
        if (history.total >= kHistoryLimit) {
            return Error(ErrorCode::TooLarge,
                         "more than " + std::to_string(kHistoryLimit) + " commits in one history");
        }
        if (history.total >= skip && history.total - skip < limit) {
            LOCARA_TRY(GitCommit one, commit(render_oid(&at)));
            history.commits.push_back(std::move(one));
        }
        ++history.total;
    }
    if (code != GIT_ITEROVER) {
        return git_failure("the history of " + id);
    }
    return history;
}

namespace {

/// What a diff is printed into.
struct DiffText {
    std::string text;
    std::uint64_t limit = 0;
};

int take_diff_line(const git_diff_delta*,
                   const git_diff_hunk*,
                   const git_diff_line* line,
                   void* payload) {
    auto& out = *static_cast<DiffText*>(payload);
    if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
        line->origin == GIT_DIFF_LINE_DELETION) {
        out.text += line->origin;
    }
    out.text.append(line->content, line->content_len);
    return out.text.size() <= out.limit ? 0 : GIT_EUSER;
}

Result<Diff>
diff_trees(git_repository* repository, const Tree& before, const Tree& after, std::uint32_t flags) {
    git_diff_options options{};
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.flags |= flags;
    git_diff* raw = nullptr;
    if (git_diff_tree_to_tree(&raw, repository, before.get(), after.get(), &options) != 0) {
        return git_failure("comparing two trees");
    }
    return Diff(raw);
}

} // namespace

Result<std::string>
GitRepo::diff(const std::string& from, const std::string& to, std::uint64_t limit_bytes) const {
    git_repository* const repository = state_->repository.get();
    LOCARA_TRY(const Tree before, state_->root(from));
    LOCARA_TRY(const Tree after, state_->root(to));
    LOCARA_TRY(const Diff lines, diff_trees(repository, before, after, 0));
    // The same files in the same order, none of which is looked into.
    LOCARA_TRY(const Diff whole, diff_trees(repository, before, after, GIT_DIFF_FORCE_BINARY));
    LineBudget budget;
    DiffText out{"", limit_bytes};
    for (std::size_t i = 0; i < git_diff_num_deltas(lines.get()); ++i) {
        const git_diff_delta* const delta = git_diff_get_delta(lines.get(), i);
        LOCARA_TRY(const LineBudget::Verdict verdict,
                   budget.take(repository, {delta->old_file.id, delta->new_file.id}));
        if (verdict == LineBudget::Verdict::Spent) {
            return Error(ErrorCode::TooLarge,
                         "the two differ in more files than are compared at once; of all of them "
                         "together " +
                             std::to_string(kComparedLines) + " lines and " +
                             std::to_string(kComparedBytes) + " bytes are");
        }
        git_patch* raw = nullptr;
        int code = git_patch_from_diff(
            &raw, verdict == LineBudget::Verdict::Compare ? lines.get() : whole.get(), i);
        const Patch patch(raw);
        if (code == 0 && patch) {
            code = git_patch_print(raw, take_diff_line, &out);
        }
        if (code == GIT_EUSER) {
            return Error(ErrorCode::TooLarge,
                         "the two differ in more than " + std::to_string(limit_bytes) + " bytes");
        }
        if (code != 0) {
            return git_failure("comparing " + from + " with " + to);
        }
    }
    return std::move(out.text);
}

Result<std::string>
GitRepo::write_tag(const std::string& name, const std::string& commit_id, const GitSigned& by) {
    git_repository* const repository = state_->repository.get();
    LOCARA_TRY(const git_oid oid, parse_oid(commit_id));
    git_object* raw = nullptr;
    int code = git_object_lookup(&raw, repository, &oid, GIT_OBJECT_COMMIT);
    const Object target(raw);
    git_oid id{};
    if (code == 0) {
        LOCARA_TRY(const Signature signature, sign(by));
        code = git_tag_annotation_create(
            &id, repository, name.c_str(), raw, signature.get(), by.message.c_str());
    }
    return code == 0 ? Result<std::string>(render_oid(&id)) : git_failure("writing a tag");
}

namespace {

/// The object at a path of a tree; nothing if there is none.
std::optional<git_oid> object_at(const git_tree* tree, const std::string& path) {
    git_tree_entry* raw = nullptr;
    const int code = git_tree_entry_bypath(&raw, tree, path.c_str());
    const TreeEntry entry(raw);
    return code == 0 ? std::optional(*git_tree_entry_id(raw)) : std::nullopt;
}

bool same_object(const std::optional<git_oid>& a, const std::optional<git_oid>& b) {
    return a.has_value() == b.has_value() && (!a || git_oid_equal(&*a, &*b) != 0);
}

/// What a commit or a folder costs that is looked at, in entries.
constexpr std::size_t kLookWork = 100;

/// The paths of one folder that have no commit yet.
struct OpenFolder {
    std::string path; ///< "" for the root.
    /// Names in it, and which of the paths asked for they are.
    std::vector<std::pair<std::string, std::size_t>> names;
};

std::vector<OpenFolder> group_by_folder(const std::vector<std::string>& paths) {
    std::map<std::string, OpenFolder> folders;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const std::size_t slash = paths[i].rfind('/');
        const std::string folder = slash == std::string::npos ? "" : paths[i].substr(0, slash);
        OpenFolder& open = folders[folder];
        open.path = folder;
        open.names.emplace_back(paths[i].substr(slash + 1), i);
    }
    std::vector<OpenFolder> list;
    for (auto& [path, folder] : folders) {
        list.push_back(std::move(folder));
    }
    return list;
}

std::optional<git_oid> folder_id(const git_tree* root, const std::string& path) {
    return path.empty() ? std::optional(*git_tree_id(root)) : object_at(root, path);
}

/// The folder of this id; none where there is nothing, or a file.
Tree find_folder(git_repository* repository, const std::optional<git_oid>& id) {
    git_tree* raw = nullptr;
    return Tree(id && git_tree_lookup(&raw, repository, &*id) == 0 ? raw : nullptr);
}

std::optional<git_oid> entry_of(const Tree& folder, const std::string& name) {
    const git_tree_entry* const entry =
        folder ? git_tree_entry_byname(folder.get(), name.c_str()) : nullptr;
    return entry != nullptr ? std::optional(*git_tree_entry_id(entry)) : std::nullopt;
}

/// Takes the names out of a folder that differ between two roots, and notes the commit that made it
/// so for each. What that cost.
std::size_t take_changed(git_repository* repository,
                         OpenFolder& folder,
                         const Tree& now,
                         const Tree& before,
                         const std::string& commit,
                         std::vector<std::string>& found) {
    const auto now_id = folder_id(now.get(), folder.path);
    const auto before_id = folder_id(before.get(), folder.path);
    if (same_object(now_id, before_id)) {
        return kLookWork;
    }
    const std::size_t work = kLookWork + folder.names.size();
    const Tree now_tree = find_folder(repository, now_id);
    const Tree before_tree = find_folder(repository, before_id);
    std::erase_if(folder.names, [&](const auto& one) {
        if (same_object(entry_of(now_tree, one.first), entry_of(before_tree, one.first))) {
            return false;
        }
        found[one.second] = commit;
        return true;
    });
    return work;
}

} // namespace

Result<std::vector<std::optional<GitCommit>>> GitRepo::last_changes(
    const std::string& commit_id, const std::vector<std::string>& paths, std::size_t most) const {
    git_repository* const repository = state_->repository.get();
    std::vector<std::string> found(paths.size());
    std::vector<OpenFolder> open = group_by_folder(paths);
    std::string current = commit_id;
    LOCARA_TRY(Tree tree, state_->root(current));
    for (std::size_t work = 0; !open.empty() && work < most; work += kLookWork) {
        LOCARA_TRY(const git_oid oid, parse_oid(current));
        git_commit* raw = nullptr;
        const int code = git_commit_lookup(&raw, repository, &oid);
        const Commit commit(raw);
        if (code != 0) {
            return git_failure("commit " + current);
        }
        if (git_commit_parentcount(raw) == 0) {
            for (const OpenFolder& folder : open) {
                for (const auto& [name, index] : folder.names) {
                    found[index] = current;
                }
            }
            break;
        }
        const std::string parent = render_oid(git_commit_parent_id(raw, 0));
        LOCARA_TRY(Tree older, state_->root(parent));
        if (git_oid_equal(git_tree_id(tree.get()), git_tree_id(older.get())) == 0) {
            for (OpenFolder& folder : open) {
                work += take_changed(repository, folder, tree, older, current, found);
            }
            std::erase_if(open, [](const OpenFolder& folder) { return folder.names.empty(); });
        }
        current = parent;
        tree = std::move(older);
    }
    std::vector<std::optional<GitCommit>> commits;
    for (const std::string& id : found) {
        if (id.empty()) {
            commits.emplace_back();
            continue;
        }
        LOCARA_TRY(GitCommit one, commit(id));
        commits.emplace_back(std::move(one));
    }
    return commits;
}

Result<Tree> GitRepo::State::root(const std::string& commit_id) const {
    LOCARA_TRY(const git_oid oid, parse_oid(commit_id));
    git_commit* raw = nullptr;
    int code = git_commit_lookup(&raw, repository.get(), &oid);
    const Commit commit(raw);
    git_tree* tree = nullptr;
    if (code == 0) {
        code = git_commit_tree(&tree, raw);
    }
    if (code != 0) {
        return git_failure("the tree of " + commit_id);
    }
    return Tree(tree);
}

Result<GitEntry> GitRepo::State::describe(const git_tree_entry* entry, std::string path) const {
    GitEntry out;
    out.path = std::move(path);
    out.oid = render_oid(git_tree_entry_id(entry));
    if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
        out.kind = GitEntry::Kind::Directory;
        return out;
    }
    git_blob* raw = nullptr;
    const int code = git_blob_lookup(&raw, repository.get(), git_tree_entry_id(entry));
    const Blob blob(raw);
    if (code != 0) {
        return git_failure("the content of " + out.path);
    }
    out.blob_size = git_blob_rawsize(raw);
    if (out.blob_size < kPointerLimit) {
        out.lfs =
            LfsPointer::parse({static_cast<const char*>(git_blob_rawcontent(raw)), out.blob_size});
    }
    return out;
}

Result<std::optional<GitEntry>> GitRepo::find(const std::string& commit_id,
                                              const std::string& path) const {
    LOCARA_TRY(const Tree root, state_->root(commit_id));
    if (path.empty()) {
        GitEntry entry;
        entry.kind = GitEntry::Kind::Directory;
        entry.oid = render_oid(git_tree_id(root.get()));
        return std::optional<GitEntry>(std::move(entry));
    }
    git_tree_entry* raw = nullptr;
    const int code = git_tree_entry_bypath(&raw, root.get(), path.c_str());
    const TreeEntry owner(raw);
    if (code == GIT_ENOTFOUND && !is_lost_object(code)) {
        return std::optional<GitEntry>();
    }
    if (code != 0) {
        return git_failure("looking for " + path);
    }
    if (git_tree_entry_type(raw) == GIT_OBJECT_COMMIT) {
        return std::optional<GitEntry>(); // A submodule is no file of ours.
    }
    LOCARA_TRY(GitEntry entry, state_->describe(raw, path));
    return std::optional<GitEntry>(std::move(entry));
}

Status GitRepo::State::walk(const git_tree* tree,
                            const std::string& prefix,
                            Recursive recursive,
                            std::vector<GitEntry>& out) const {
    // Recursion is as deep as the paths that were let in: 32 parts.
    const std::size_t count = git_tree_entrycount(tree);
    for (std::size_t i = 0; i < count; ++i) {
        const git_tree_entry* const raw = git_tree_entry_byindex(tree, i);
        const git_object_t type = git_tree_entry_type(raw);
        if (type != GIT_OBJECT_TREE && type != GIT_OBJECT_BLOB) {
            continue;
        }
        if (out.size() >= kListLimit) {
            return Error(ErrorCode::TooLarge,
                         "more than " + std::to_string(kListLimit) + " files below one folder");
        }
        LOCARA_TRY(GitEntry entry, describe(raw, prefix + git_tree_entry_name(raw)));
        const std::string below = entry.path + "/";
        out.push_back(std::move(entry));
        if (type == GIT_OBJECT_TREE && recursive == Recursive::Yes) {
            git_tree* child = nullptr;
            const int code = git_tree_lookup(&child, repository.get(), git_tree_entry_id(raw));
            const Tree owner(child);
            if (code != 0) {
                return git_failure("the folder " + below);
            }
            LOCARA_CHECK(walk(child, below, recursive, out));
        }
    }
    return {};
}

Result<std::vector<GitEntry>>
GitRepo::list(const std::string& commit_id, const std::string& path, Recursive recursive) const {
    LOCARA_TRY(Tree folder, state_->root(commit_id));
    std::string prefix;
    if (!path.empty()) {
        git_tree_entry* raw = nullptr;
        int code = git_tree_entry_bypath(&raw, folder.get(), path.c_str());
        const TreeEntry owner(raw);
        const bool file = code == 0 && git_tree_entry_type(raw) != GIT_OBJECT_TREE;
        if (file || (code == GIT_ENOTFOUND && !is_lost_object(code))) {
            return Error(ErrorCode::NotFound, "there is no folder " + path);
        }
        git_tree* child = nullptr;
        if (code == 0) {
            code = git_tree_lookup(&child, state_->repository.get(), git_tree_entry_id(raw));
        }
        if (code != 0) {
            return git_failure("the folder " + path);
        }
        folder.reset(child);
        prefix = path + "/";
    }
    std::vector<GitEntry> out;
    LOCARA_CHECK(state_->walk(folder.get(), prefix, recursive, out));
    return out;
}

Result<std::string> GitRepo::read_blob(const std::string& oid_text,
                                       std::uint64_t limit_bytes) const {
    LOCARA_TRY(const git_oid oid, parse_oid(oid_text));
    git_blob* raw = nullptr;
    const int code = git_blob_lookup(&raw, state_->repository.get(), &oid);
    const Blob blob(raw);
    if (code != 0) {
        return git_failure("blob " + oid_text);
    }
    const std::uint64_t size = git_blob_rawsize(raw);
    if (size > limit_bytes) {
        return Error(ErrorCode::TooLarge,
                     "blob " + oid_text + " has " + std::to_string(size) + " bytes, at most " +
                         std::to_string(limit_bytes) + " are read");
    }
    return std::string(static_cast<const char*>(git_blob_rawcontent(raw)), size);
}

Result<std::optional<std::uint64_t>> GitRepo::find_blob(const std::string& oid_text) const {
    LOCARA_TRY(const git_oid oid, parse_oid(oid_text));
    git_odb* raw = nullptr;
    int code = git_repository_odb(&raw, state_->repository.get());
    const ObjectDatabase objects(raw);
    // Without it libgit2 lists the packs anew for each object that is not there.
    if (code == 0 && git_odb_exists_ext(raw, &oid, GIT_ODB_LOOKUP_NO_REFRESH) == 0) {
        return std::optional<std::uint64_t>();
    }
    std::size_t size = 0;
    git_object_t kind = GIT_OBJECT_INVALID;
    code = code == 0 ? git_odb_read_header(&size, &kind, raw, &oid) : code;
    if (code != 0) {
        return git_failure("object " + oid_text);
    }
    return kind == GIT_OBJECT_BLOB ? std::optional<std::uint64_t>(size) : std::nullopt;
}

} // namespace locara::hub
