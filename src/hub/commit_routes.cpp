// Changing a repository: preupload says how each file has to come, commit makes a commit.
#include "attributes.hpp"
#include "commit_body.hpp"
#include "content_gate.hpp"
#include "incoming_body.hpp"
#include "new_repo.hpp"
#include "place.hpp"
#include "pulls.hpp"
#include "quota_check.hpp"
#include "ref_turn.hpp"
#include "routes.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kPreuploadLimit = 1000;
constexpr std::uint64_t kRulesLimit = 1U << 20U;
/// How often a commit starts over when a push was quicker.
constexpr int kAttempts = 4;
constexpr const char* kAttributes = ".gitattributes";

/// What a commit is for: to move the ref, or to be proposed to the branch.
struct Target {
    enum class Way { Move, Propose };

    Way way = Way::Move;
    std::string ref;
};

/// The target of a request, if the caller may do that to it.
Answer<Target> find_target(const Services& services,
                           const Request& request,
                           const Caller& caller,
                           const Repo& repo) {
    // The only branch that HEAD ever names.
    const std::string revision = request.param("rev") == "HEAD" ? "main" : request.param("rev");
    if (request.query.flag("create_pr")) {
        LOCARA_TRY(std::string base, require_base(services, caller, repo, revision));
        return Target{Target::Way::Propose, std::move(base)};
    }
    LOCARA_TRY(std::string ref, require_target(services, caller, repo, revision));
    return Target{Target::Way::Move, std::move(ref)};
}

Refusal moved() {
    return {412,
            "",
            "The branch was updated since you opened this page. Please refresh and try again."};
}

// ------------------------------------------------------------------------------------- preupload

/// The text of a file at the root of a commit; empty if there is none.
Result<std::string> read_rules(const Place& place, const char* path) {
    LOCARA_TRY(const auto entry, place.git.find(place.commit, path));
    if (!entry || entry->kind == GitEntry::Kind::Directory) {
        return std::string();
    }
    return place.git.read_blob(entry->oid, kRulesLimit);
}

/// The commit whose attributes count: that of the branch, or one made of the attributes that come
/// along and are not committed yet. No ref points to that one.
Result<std::string> rules_commit(Place& place, const std::optional<std::string>& attributes) {
    if (!attributes) {
        return place.commit;
    }
    GitSnapshot rules;
    rules.files = {{kAttributes, *attributes}};
    rules.message = "attributes\n";
    rules.author_name = "locara-hub";
    rules.author_email = "noreply@locara.dev";
    return place.git.write_snapshot(rules);
}

/// Whether the file must go to the chunk store: by rule, by size, or since it is no text.
Answer<bool> goes_to_store(const Place& place, const std::string& rules, const Json& file) {
    const auto size = file.find("size");
    if (size == file.end() || !size->is_number_unsigned()) {
        return bad_request("every file needs its path and size");
    }
    const auto bytes = size->get<std::uint64_t>();
    if (bytes == 0) {
        return false;
    }
    LOCARA_TRY(const bool tracked, place.git.is_lfs(rules, text_at(file, "path").value_or("")));
    if (tracked || bytes > kInlineFileLimit) {
        return true;
    }
    const auto sample = parse_base64(text_at(file, "sample").value_or(""));
    if (!sample) {
        return bad_request("the sample of a file is no base64: " + sample.error().message());
    }
    return std::find(sample->begin(), sample->end(), std::byte{0}) != sample->end();
}

/// Adds to `new_bytes` what is to come, unless a file of that size is in the place already: that
/// one will hardly be sent.
Answer<Json> preupload_file(Place& place,
                            const std::string& rules,
                            const std::string& ignore,
                            const Json& file,
                            std::uint64_t& new_bytes) {
    if (!file.is_object()) {
        return bad_request("every element of files must be an object");
    }
    const std::string path = text_at(file, "path").value_or("");
    LOCARA_CHECK(check_path(path));
    LOCARA_TRY(const bool stored, goes_to_store(place, rules, file));
    bool ignored = false;
    if (!ignore.empty()) {
        LOCARA_TRY(ignored, place.git.is_ignored(ignore, path));
    }
    Json out = {
        {"path", path}, {"uploadMode", stored ? "lfs" : "regular"}, {"shouldIgnore", ignored}};
    LOCARA_TRY(const auto present, place.git.find(place.commit, path));
    const auto size = file["size"].get<std::uint64_t>(); // goes_to_store has looked at it.
    if (present && present->kind == GitEntry::Kind::File) {
        out["oid"] = present->lfs ? present->lfs->sha256.render() : present->oid;
        if (size == present->size()) {
            return out;
        }
    }
    if (!ignored) {
        new_bytes = add_bytes(new_bytes, size);
    }
    return out;
}

Answer<Response> preupload(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::See));
    LOCARA_CHECK(find_target(services, request, caller, repo));
    LOCARA_TRY(Place place, open_place(services, repo, request.param("rev")));
    LOCARA_TRY(const Json body, parse_object(request));
    const auto files = body.find("files");
    if (files == body.end() || !files->is_array() || files->size() > kPreuploadLimit) {
        return bad_request("send {\"files\": [...]} with at most " +
                           std::to_string(kPreuploadLimit) + " files");
    }
    LOCARA_TRY(const std::string rules, rules_commit(place, text_at(body, "gitAttributes")));
    std::string ignore = text_at(body, "gitIgnore").value_or("");
    if (ignore.empty()) {
        LOCARA_TRY(ignore, read_rules(place, ".gitignore"));
    }
    Json out = Json::array();
    std::uint64_t new_bytes = 0;
    for (const Json& file : *files) {
        LOCARA_TRY(Json one, preupload_file(place, rules, ignore, file, new_bytes));
        out.push_back(std::move(one));
    }
    if (new_bytes > 0) {
        LOCARA_CHECK(require_room(services, repo, new_bytes));
    }
    return json_answer({{"files", std::move(out)}, {"commitOid", place.commit}});
}

// ---------------------------------------------------------------------------------------- commit

/// A commit call while it is carried out.
class CommitJob {
  public:
    CommitJob(const Services& services, Repo repo, GitRepo git, Identity who)
        : services_(services), repo_(std::move(repo)), git_(std::move(git)), who_(std::move(who)) {}

    /// What came of it.
    struct Done {
        std::string commit;
        std::optional<Discussion> pull; ///< That was opened for it.
    };

    /// Reads the body, writes its files, and moves the branch or opens a pull request for it.
    Answer<Done> run(const Target& target, ByteView body) {
        body_bytes_ = body.size();
        const bool propose = target.way == Target::Way::Propose;
        const auto take = [&](const CommitHeader& header, CommitOperation operation) {
            return note(std::move(operation), propose ? start_of(target.ref, header) : target.ref);
        };
        LOCARA_TRY(const CommitHeader header, read_commit_body(body, take));
        if (propose) {
            return open_proposal(target.ref, header);
        }
        LOCARA_TRY(std::string commit, move(target.ref, header));
        return Done{std::move(commit), std::nullopt};
    }

  private:
    /// What the first commit of a pull request comes after: the parent that is given, else what
    /// the branch points to.
    static std::string start_of(const std::string& base, const CommitHeader& header) {
        return header.parent.value_or(base);
    }

    Answer<Done> open_proposal(const std::string& base, const CommitHeader& header) {
        const std::string start = start_of(base, header);
        auto parent = git_.resolve(start);
        if (!parent) {
            return no_such_revision(start);
        }
        LOCARA_TRY(std::string commit, make_commit(header, *parent));
        if (commit == *parent) {
            return bad_request("this changes nothing, so there is nothing to propose");
        }
        NewPull pull;
        pull.base = base;
        pull.commit = commit;
        pull.title = title_of(header.summary);
        pull.text = header.description;
        LOCARA_TRY(Discussion made,
                   open_pull(services_, repo_, pull, {who_.account.key, services_.clock.now()}));
        return Done{std::move(commit), std::move(made)};
    }

    /// The first line of a summary, as far as a title may go.
    static std::string title_of(const std::string& summary) {
        std::string title = summary.substr(0, summary.find('\n'));
        if (title.size() > kDiscussionTitleLimit) {
            std::size_t end = kDiscussionTitleLimit;
            while (end > 0 && (static_cast<unsigned char>(title[end]) & 0xc0U) == 0x80U) {
                --end; // Not within a character.
            }
            title.resize(end);
        }
        return title;
    }

    /// Moves the branch from where the change was made on top of it. Gives the branch's commit.
    Answer<std::string> move(const std::string& ref, const CommitHeader& header) {
        LOCARA_TRY(const FileLock turn, wait_for_turn(services_.folder_of(repo_), ref));
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            LOCARA_TRY(const std::string head, git_.resolve(ref));
            if (header.parent && *header.parent != head) {
                return moved();
            }
            LOCARA_TRY(const std::string commit, make_commit(header, head));
            if (commit == head) {
                return head;
            }
            const Status status = git_.move_ref(ref, head, commit);
            if (status) {
                return commit;
            }
            if (status.error().code() != ErrorCode::Conflict) {
                return status.error();
            }
        }
        return moved();
    }

    /// Turns an operation on what is at `revision` into a change; a file's content is written at
    /// once and not kept.
    Answer<std::monostate> note(CommitOperation operation, const std::string& revision) {
        GitChange change;
        change.path = operation.path;
        if (operation.kind == CommitOperation::Kind::Rename) {
            LOCARA_TRY(change.blob, find_renamed(operation, revision));
            changes_.push_back({GitChange::Kind::RemoveFile, operation.old_path, change.blob});
            changes_.push_back(std::move(change));
            return std::monostate();
        }
        if (!operation.old_path.empty()) {
            changes_.push_back({GitChange::Kind::RemoveFile, operation.old_path, ""});
        }
        switch (operation.kind) {
        case CommitOperation::Kind::Rename: // Above.
            break;
        case CommitOperation::Kind::Text: {
            LOCARA_CHECK(require_room_once());
            if (const auto pointer = LfsPointer::parse(operation.content)) {
                LOCARA_CHECK(note_pointer(operation, *pointer));
            } else {
                LOCARA_CHECK(pass_gate(services_, operation.content, operation.path));
            }
            LOCARA_TRY(change.blob, git_.write_blob(operation.content));
            break;
        }
        case CommitOperation::Kind::Stored: {
            LOCARA_TRY(const LfsPointer pointer, find_stored(operation));
            LOCARA_TRY(change.blob, git_.write_blob(pointer.render()));
            stored_.push_back(operation.path);
            break;
        }
        case CommitOperation::Kind::RemoveFile:
            change.kind = GitChange::Kind::RemoveFile;
            break;
        case CommitOperation::Kind::RemoveFolder:
            change.kind = GitChange::Kind::RemoveFolder;
            break;
        }
        changes_.push_back(std::move(change));
        return std::monostate();
    }

    /// A text that points to a large file is that file, as in a push: it must be here, and pass.
    Answer<std::monostate> note_pointer(const CommitOperation& operation,
                                        const LfsPointer& pointer) {
        CommitOperation stored;
        stored.path = operation.path;
        stored.oid = pointer.sha256;
        stored.size = pointer.size;
        LOCARA_CHECK(find_stored(stored));
        stored_.push_back(operation.path);
        return std::monostate();
    }

    /// The blob of a file that gets another name, under which it is judged anew.
    Answer<std::string> find_renamed(const CommitOperation& operation,
                                     const std::string& revision) {
        const auto head = git_.resolve(revision);
        if (!head) {
            return no_such_revision(revision);
        }
        LOCARA_TRY(const auto entry, git_.find(*head, operation.old_path));
        if (!entry || entry->kind != GitEntry::Kind::File) {
            return no_such_entry(
                *head, "A file with this name doesn't exist: there is no " + operation.old_path);
        }
        if (entry->lfs) {
            CommitOperation stored;
            stored.path = operation.path;
            stored.oid = entry->lfs->sha256;
            LOCARA_CHECK(find_stored(stored));
            stored_.push_back(operation.path);
        } else {
            LOCARA_TRY(const std::string content, git_.read_blob(entry->oid, kInlineFileLimit));
            LOCARA_CHECK(pass_gate(services_, content, operation.path));
        }
        return entry->oid;
    }

    /// Before the first text: what only removes may always be done.
    Answer<std::monostate> require_room_once() {
        if (!asked_for_room_) {
            LOCARA_CHECK(require_room(services_, repo_, body_bytes_));
            asked_for_room_ = true;
        }
        return std::monostate();
    }

    /// The content must have come to this very repository: who knows a hash has not the bytes.
    Answer<LfsPointer> find_stored(const CommitOperation& operation) {
        LOCARA_TRY(const auto file,
                   services_.names.use_file(repo_.key, operation.oid, services_.clock.now()));
        const bool fits = file && (!operation.size || *operation.size == file->size);
        if (!fits || !services_.cas.touch(file->xet)) {
            return bad_request(operation.path + ": sha256:" + operation.oid.render() +
                               (file && !fits ? " has " + std::to_string(file->size) + " bytes"
                                              : " was not uploaded to this repository") +
                               "; upload it by Xet first");
        }
        const StoredSource content(services_.cas, file->xet, file->size);
        LOCARA_CHECK(pass_gate(services_, content, file->sha256.render(), operation.path));
        return LfsPointer{operation.oid, file->size};
    }

    /// A commit of all changes on top of `head`; `head` itself when they change nothing.
    Answer<std::string> make_commit(const CommitHeader& header, const std::string& head) {
        LOCARA_TRY(const std::string tree, make_tree(head, changes_));
        LOCARA_TRY(const std::string before, git_.tree_of(head));
        if (tree == before) {
            return head;
        }
        GitSigned by;
        by.message = header.summary + "\n";
        if (!header.description.empty()) {
            by.message += "\n" + header.description + "\n";
        }
        by.author_name = who_.account.name;
        by.author_email = author_email(who_.account);
        by.date = services_.clock.now();
        LOCARA_TRY(const std::string commit, git_.write_commit(tree, {head}, by));
        LOCARA_TRY(const auto added, missing_rules(commit));
        if (!added) {
            return commit;
        }
        std::vector<GitChange> all = changes_;
        all.push_back(*added);
        LOCARA_TRY(const std::string tracked, make_tree(head, all));
        LOCARA_TRY(std::string better, git_.write_commit(tracked, {head}, by));
        return better;
    }

    Answer<std::string> make_tree(const std::string& head, const std::vector<GitChange>& changes) {
        auto tree = git_.write_tree(head, changes);
        if (!tree && tree.error().code() == ErrorCode::NotFound) {
            return no_such_entry(head,
                                 "A file with this name doesn't exist: " + tree.error().message());
        }
        if (!tree && tree.error().code() == ErrorCode::Conflict) {
            return bad_request(tree.error().message());
        }
        if (!tree) {
            return std::move(tree).error();
        }
        return std::move(*tree);
    }

    /// What .gitattributes must say besides, so that git clients take stored files for pointers.
    Result<std::optional<GitChange>> missing_rules(const std::string& commit) {
        std::string lines;
        for (const std::string& path : stored_) {
            LOCARA_TRY(const bool tracked, git_.is_lfs(commit, path));
            if (!tracked) {
                lines += lfs_rule(exact_pattern(path));
            }
        }
        if (lines.empty()) {
            return std::optional<GitChange>();
        }
        std::string text;
        LOCARA_TRY(const auto present, git_.find(commit, kAttributes));
        if (present) {
            LOCARA_TRY(text, git_.read_blob(present->oid, kRulesLimit));
        }
        if (!text.empty() && text.back() != '\n') {
            text += '\n';
        }
        GitChange change;
        change.path = kAttributes;
        text += lines;
        LOCARA_CHECK(pass_gate(services_, text, kAttributes)); // As new_repo.cpp.
        LOCARA_TRY(change.blob, git_.write_blob(text));
        return std::optional(std::move(change));
    }

    const Services& services_;
    const Repo repo_;
    GitRepo git_;
    const Identity who_;
    std::vector<GitChange> changes_;
    std::vector<std::string> stored_; ///< Paths of pointers.
    std::uint64_t body_bytes_ = 0;
    bool asked_for_room_ = false;
};

/// A commit call whose caller and target are known.
struct CommitCall {
    Repo repo;
    Identity who;
    Target target;
};

Answer<CommitCall> check_commit(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::See));
    LOCARA_TRY(Target target, find_target(services, request, caller, repo));
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    if (!git.resolve(target.ref)) {
        return no_such_revision(request.param("rev"));
    }
    return CommitCall{repo, *caller, std::move(target)};
}

Answer<Response> make_commit(const Services& services,
                             const Request& request,
                             const CommitCall& call,
                             ByteView body) {
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(call.repo)));
    CommitJob job(services, call.repo, std::move(git), call.who);
    LOCARA_TRY(const CommitJob::Done done, job.run(call.target, body));
    const std::string url = repo_url(request, call.repo.id);
    Json json = {{"success", true},
                 {"commitOid", done.commit},
                 {"commitUrl", url + "/commit/" + done.commit},
                 {"hookOutput", ""}};
    if (done.pull) {
        json["pullRequestUrl"] = url + "/discussions/" + std::to_string(done.pull->number);
    }
    return json_answer(json);
}

/// Who may not commit is told so before the body is read.
boost::asio::awaitable<Answer<Response>>
commit(const Services& services, http::BlockingPool& pool, const Request& request, RepoType type) {
    const auto check = [&] { return check_commit(services, request, type); };
    auto call = co_await http::run_blocking(pool, check);
    if (!call) {
        co_return std::move(call).error();
    }
    auto body = co_await receive_body(request, pool, services.backend);
    if (!body) {
        co_return std::move(body).error();
    }
    const auto job = [&] { return make_commit(services, request, *call, body->bytes()); };
    co_return co_await http::run_blocking(pool, job);
}

} // namespace

void add_commit_routes(Routes& routes, const Services& services) {
    for_each_type([&](RepoType type, const std::string&) {
        const std::string repo = "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/";
        routes.post(repo + "preupload/{*rev}", [&services, type](const Request& request) {
            return preupload(services, request, type);
        });
        routes.add_streamed(
            "POST",
            repo + "commit/{*rev}",
            kCommitBodyLimit,
            [&services, &pool = routes.pools().uploads, type](const Request& request) {
                return commit(services, pool, request, type);
            });
    });
}

} // namespace locara::hub
