// Branches, tags and histories: making, removing, listing, comparing, squashing.
#include "audit_record.hpp"
#include "given.hpp"
#include "named_files.hpp"
#include "place.hpp"
#include "pulls.hpp"
#include "ref_name.hpp"
#include "ref_turn.hpp"
#include "routes.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kCommitPage = 50;
constexpr std::size_t kCommitPageLimit = 1000;
constexpr std::uint64_t kDiffLimit = 8U << 20U;
constexpr std::size_t kMessageLimit = 64U << 10U;

/// What a request wants to change, and who it is.
struct Change {
    Repo repo;
    Identity who;
    GitRepo git;
    Json body; ///< An empty object when the request has none.
};

Answer<Change> begin_change(const Services& services,
                            const Request& request,
                            RepoType type,
                            Action action = Action::Write) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(Repo repo, find_repo(services, request, caller, type, action));
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    Json body = Json::object();
    if (!request.body.empty()) {
        LOCARA_TRY(body, parse_object(request));
    }
    return Change{std::move(repo), *caller, std::move(git), std::move(body)};
}

Answer<std::string> resolve(const GitRepo& git, const std::string& revision) {
    auto commit = git.resolve(revision);
    if (!commit && commit.error().code() == ErrorCode::NotFound) {
        return no_such_revision(revision);
    }
    if (!commit) {
        return std::move(commit).error();
    }
    return std::move(*commit);
}

GitSigned signed_by(const Services& services, const Identity& who, std::string message) {
    return {std::move(message), who.account.name, author_email(who.account), services.clock.now()};
}

Refusal exists(const std::string& ref) {
    return {409, "", "Reference " + ref + " already exists"};
}

/// Moves one ref from where it was seen. A clash with another caller is told as what it is.
Answer<Response> move(GitRepo& git, RefMove change) {
    const bool makes = !change.from;
    const std::string name = change.name;
    const Status moved = git.move_refs({std::move(change)}, [] { return Status(); });
    if (!moved && moved.error().code() == ErrorCode::Conflict && makes) {
        return exists(name);
    }
    if (!moved) {
        return moved.error();
    }
    return json_answer(Json::object());
}

/// Checks the name of a ref to be made, and that none is in its way.
Answer<std::monostate> check_new(const GitRepo& git, const std::string& name) {
    const Status fine = check_ref_name(name);
    if (!fine) {
        return bad_request(fine.error().message());
    }
    LOCARA_TRY(const auto refs, git.refs());
    for (const GitRef& ref : refs) {
        if (ref_names_collide(ref.name, name)) {
            return Refusal(409, "", ref.name + " is there and in the way");
        }
    }
    return std::monostate();
}

/// A commit that no ref leads to may have lost its large files to gc: none may lead there then.
Answer<std::monostate> require_content(const Services& services,
                                       const Repo& repo,
                                       const GitRepo& git,
                                       const std::string& commit) {
    LOCARA_TRY(const auto entries, git.list(commit, "", GitRepo::Recursive::Yes));
    for (const GitEntry& entry : entries) {
        if (!entry.lfs) {
            continue;
        }
        LOCARA_TRY(const auto file,
                   services.names.use_file(repo.key, entry.lfs->sha256, services.clock.now()));
        if (!file) {
            return Refusal(409,
                           "",
                           entry.path + " of commit " + commit +
                               " is here no more: it was deleted, or squashed away");
        }
    }
    return std::monostate();
}

// -------------------------------------------------------------------------------------- branches

Answer<Response> create_branch(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Change change, begin_change(services, request, type));
    const std::string name = branch_ref(request.param("branch"));
    const auto start = text_at(change.body, "startingPoint");
    LOCARA_TRY(const auto without, given_truth(change.body, "emptyBranch"));
    LOCARA_TRY(const auto overwrite, given_truth(change.body, "overwrite"));
    const bool empty = without.value_or(false);
    LOCARA_TRY(const auto present, change.git.find_ref(name));
    if (present && !overwrite.value_or(false)) {
        return exists(name);
    }
    if (present && !start && !empty) {
        return json_answer(Json::object()); // There is nothing to overwrite it with.
    }
    LOCARA_TRY(std::string commit, resolve(change.git, start.value_or("main")));
    LOCARA_CHECK(check_new(change.git, name));
    if (empty) {
        GitSnapshot nothing;
        nothing.message = "initial commit\n";
        nothing.author_name = change.who.account.name;
        nothing.author_email = author_email(change.who.account);
        nothing.date = services.clock.now();
        LOCARA_TRY(commit, change.git.write_snapshot(nothing));
    } else {
        LOCARA_CHECK(require_content(services, change.repo, change.git, commit));
    }
    LOCARA_TRY(
        Response done,
        move(change.git, {name, present ? std::optional(present->object) : std::nullopt, commit}));
    if (present) {
        record(services,
               request,
               "ref-moved",
               change.repo,
               {{"ref", name}, {"from", present->object}, {"to", commit}});
    } else {
        record(services, request, "ref-created", change.repo, {{"ref", name}});
    }
    return done;
}

/// `shown`: what the caller calls it.
Answer<Response> remove_ref(const Services& services,
                            const Request& request,
                            Change& change,
                            const std::string& name,
                            const std::string& shown) {
    LOCARA_TRY(const auto present, change.git.find_ref(name));
    if (!present) {
        return no_such_revision(shown);
    }
    LOCARA_TRY(Response done, move(change.git, {name, present->object, std::nullopt}));
    record(services,
           request,
           "ref-removed",
           change.repo,
           {{"ref", name}, {"from", present->object}, {"to", nullptr}});
    return done;
}

Answer<Response> remove_branch(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Change change, begin_change(services, request, type));
    const std::string name = branch_ref(request.param("branch"));
    if (name == kMainRef) {
        return bad_request("Cannot delete " + name);
    }
    return remove_ref(services, request, change, name, request.param("branch"));
}

// ------------------------------------------------------------------------------------------ tags

Answer<Response> create_tag(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Change change, begin_change(services, request, type));
    LOCARA_TRY(std::string object, resolve(change.git, request.param("rev")));
    const std::string tag = text_at(change.body, "tag").value_or("");
    const std::string name = std::string(kTags) + tag;
    LOCARA_CHECK(check_new(change.git, name));
    LOCARA_TRY(const auto present, change.git.find_ref(name));
    if (present) {
        return exists(name);
    }
    LOCARA_CHECK(require_content(services, change.repo, change.git, object));
    const std::string message = text_at(change.body, "message").value_or("");
    if (message.size() > kMessageLimit) {
        return bad_request("a message has at most " + std::to_string(kMessageLimit) + " bytes");
    }
    if (!message.empty()) {
        const GitSigned by = signed_by(services, change.who, message + "\n");
        LOCARA_TRY(object, change.git.write_tag(tag, object, by));
    }
    LOCARA_TRY(Response done, move(change.git, {name, std::nullopt, object}));
    record(services, request, "ref-created", change.repo, {{"ref", name}});
    return done;
}

Answer<Response> remove_tag(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Change change, begin_change(services, request, type));
    const std::string name = std::string(kTags) + request.param("tag");
    return remove_ref(services, request, change, name, request.param("tag"));
}

// --------------------------------------------------------------------------------------- history

/// The whole of the path behind the route is the revision.
Answer<Place> locate_commit(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    if (!place.path.empty()) {
        return no_such_revision(request.param("rev"));
    }
    return place;
}

bool wants_formatted(const Request& request) {
    const auto plain = request.query.all("expand");
    const auto listed = request.query.all("expand[]");
    const auto has = [](const std::vector<std::string>& keys) {
        return std::find(keys.begin(), keys.end(), "formatted") != keys.end();
    };
    return has(plain) || has(listed);
}

/// What follows the title of a message.
std::string body_of(const GitCommit& commit) {
    const std::size_t end = commit.message.find("\n\n");
    std::string body = end == std::string::npos ? "" : commit.message.substr(end + 2);
    while (!body.empty() && body.back() == '\n') {
        body.pop_back();
    }
    return body;
}

Answer<Response> commits(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate_commit(services, request, type));
    LOCARA_TRY(const auto most, given_number(request, "limit"));
    LOCARA_TRY(const auto asked, given_number(request, "p"));
    const std::size_t limit =
        std::clamp<std::size_t>(most.value_or(kCommitPage), 1, kCommitPageLimit);
    const std::size_t page = std::min<std::size_t>(asked.value_or(0), 1U << 20U);
    const bool formatted = wants_formatted(request);
    LOCARA_TRY(const GitHistory history, place.git.history(place.commit, page * limit, limit));
    Json list = Json::array();
    for (const GitCommit& commit : history.commits) {
        Json json = {{"id", commit.id},
                     {"title", commit.title},
                     {"message", body_of(commit)},
                     {"authors", Json::array({{{"user", commit.author}, {"avatar", ""}}})},
                     {"date", render_date(commit.date)}};
        if (formatted) {
            json["formatted"] = {{"title", commit.title}, {"message", body_of(commit)}};
        }
        list.push_back(std::move(json));
    }
    Response response = json_answer(list);
    response.headers.add("X-Total-Count", std::to_string(history.total));
    response.headers.add("X-Repo-Commit", place.commit);
    if ((page + 1) * limit < history.total) {
        response.headers.add("Link",
                             "<" + endpoint(request) + request.path + "?limit=" +
                                 std::to_string(limit) + "&p=" + std::to_string(page + 1) +
                                 (formatted ? "&expand%5B%5D=formatted" : "") + ">; rel=\"next\"");
    }
    return response;
}

Answer<Response> compare(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::Read));
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    const std::string& range = request.param("range");
    const std::size_t dots = range.find(".."); // No name of a ref has two.
    if (dots == std::string::npos) {
        return bad_request("compare two revisions: A..B");
    }
    LOCARA_TRY(const std::string from, resolve(git, range.substr(0, dots)));
    LOCARA_TRY(const std::string to, resolve(git, range.substr(dots + 2)));
    LOCARA_TRY(std::string text, git.diff(from, to, kDiffLimit));
    return http::text_response(200, "text/plain; charset=utf-8", std::move(text));
}

/// The sizes of a repository's large files that no commit names any more: what gc gives back of
/// them, after the grace time, is what no other repository shares.
Result<std::uint64_t> reclaimable_bytes(const Services& services, const Repo& repo) {
    LOCARA_TRY(const auto files, services.names.list_files(repo.key));
    FileDigests unnamed;
    for (const StoredFile& file : files) {
        unnamed.insert(file.sha256);
    }
    LOCARA_CHECK(take_out_named(repo_folder(services.repos, repo.internal), unnamed, {}));
    std::uint64_t bytes = 0;
    for (const StoredFile& file : files) {
        bytes += unnamed.contains(file.sha256) ? file.size : 0;
    }
    return bytes;
}

/// One commit of the branch's files, and no history; of a pull request's too.
Answer<Response> squash(const Services& services, const Request& request, RepoType type) {
    const bool pull = parse_pull_ref(request.param("rev")).has_value();
    LOCARA_TRY(Change change,
               begin_change(services, request, type, pull ? Action::Propose : Action::Write));
    LOCARA_TRY(const std::string name,
               require_target(services, Caller(change.who), change.repo, request.param("rev")));
    LOCARA_TRY(const FileLock turn, wait_for_turn(services.folder_of(change.repo), name));
    LOCARA_TRY(const auto head, change.git.find_ref(name));
    if (!head) {
        return no_such_revision(request.param("rev"));
    }
    std::string message = text_at(change.body, "message").value_or("");
    if (message.size() > kMessageLimit) {
        return bad_request("a message has at most " + std::to_string(kMessageLimit) + " bytes");
    }
    if (message.empty()) {
        message = "Super-squash branch '" + (pull ? name : name.substr(kHeads.size())) + "'";
    }
    LOCARA_TRY(const std::string tree, change.git.tree_of(head->commit));
    const GitSigned by = signed_by(services, change.who, message + "\n");
    LOCARA_TRY(const std::string commit, change.git.write_commit(tree, {}, by));
    LOCARA_CHECK(move(change.git, {name, head->object, commit}));
    record(services,
           request,
           "history-squashed",
           change.repo,
           {{"ref", name}, {"from", head->object}, {"to", commit}});
    Json answer = {{"commitId", commit}};
    // The history is written; not to know what it gives back is no reason to say that it is not.
    if (const auto bytes = reclaimable_bytes(services, change.repo)) {
        answer["reclaimableBytes"] = *bytes;
    }
    return json_answer(answer);
}

} // namespace

void add_ref_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    for_each_type([&](RepoType type, const std::string&) {
        const std::string repo = "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/";
        const auto add = [&](std::string_view method, const char* pattern, Handle handle) {
            routes.add(method, repo + pattern, [&services, type, handle](const Request& request) {
                return handle(services, request, type);
            });
        };
        add("POST", "branch/{*branch}", &create_branch);
        add("DELETE", "branch/{*branch}", &remove_branch);
        add("POST", "tag/{*rev}", &create_tag);
        add("DELETE", "tag/{*tag}", &remove_tag);
        add("GET", "commits/{*rev}", &commits);
        routes.add_compare(
            "GET", repo + "compare/{*range}", [&services, type](const Request& request) {
                return compare(services, request, type);
            });
        add("POST", "super-squash/{*rev}", &squash);
    });
}

} // namespace locara::hub
