// Making, moving, changing and removing repositories.
#include "attributes.hpp"
#include "audit_record.hpp"
#include "card_facts.hpp"
#include "commit_body.hpp"
#include "disk_use.hpp"
#include "new_repo.hpp"
#include "quota_check.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kFirstFilesLimit = 100;

/// The repository that a body names: "name", "organization", "type".
Answer<RepoId> parse_repo_id(const Json& body, const Caller& caller) {
    const std::string type = text_at(body, "type").value_or("model");
    const auto parsed = parse_repo_type(type);
    if (!parsed || *parsed == RepoType::Bucket) {
        return bad_request("found type '" + type +
                           "', this hub has model, dataset and space here; buckets are made and "
                           "removed at /api/buckets/NAMESPACE/NAME");
    }
    std::string text = text_at(body, "name").value_or("");
    if (text.find('/') == std::string::npos) {
        const std::string own = caller ? caller->account.name : "";
        text = text_at(body, "organization").value_or(own) + "/" + text;
    }
    auto id = RepoId::parse(*parsed, text);
    if (!id) {
        return bad_request("'" + text +
                           "' is no id of a repository: namespace/name, of letters, digits, '-', "
                           "'_' and '.', at most 96 each");
    }
    return *std::move(id);
}

/// The files of a repository's first commit: what the body brings, and what every one has.
Answer<std::vector<GitFile>> first_files(const Json& body, RepoType type) {
    std::vector<GitFile> files;
    const auto given = body.find("files");
    if (given != body.end() && given->is_array()) {
        if (given->size() > kFirstFilesLimit) {
            return bad_request("a new repository takes at most " +
                               std::to_string(kFirstFilesLimit) + " files; commit the rest");
        }
        for (const Json& file : *given) {
            if (!file.is_object()) {
                return bad_request("every element of files must be an object");
            }
            GitFile one;
            one.path = text_at(file, "path").value_or("");
            LOCARA_CHECK(check_path(one.path));
            LOCARA_TRY(one.content, inline_content(file));
            if (LfsPointer::parse(one.content)) {
                return bad_request(one.path +
                                   ": it points to a large file, and a repository that is yet to "
                                   "be made has none; make it, upload the file, then commit");
            }
            files.push_back(std::move(one));
        }
    }
    const auto has = [&files](std::string_view path) {
        return std::any_of(
            files.begin(), files.end(), [path](const GitFile& file) { return file.path == path; });
    };
    if (!has(".gitattributes")) {
        files.push_back({".gitattributes", default_attributes()});
    }
    std::string card;
    if (const auto license = text_at(body, "license")) {
        card += "license: " + *license + "\n";
    }
    // It stands nowhere else: what a space is made with is for its card to say, and to change.
    if (const auto sdk = text_at(body, "sdk");
        sdk && *sdk != kDefaultSdk && type == RepoType::Space) {
        card += "sdk: " + *sdk + "\n";
    }
    if (!card.empty() && !has("README.md")) {
        files.push_back({"README.md", "---\n" + card + "---\n"});
    }
    return files;
}

/// Whether a text of a body, if it is there, stands in YAML as it is.
bool is_plain(const Json& body, const char* key) {
    const std::string text = text_at(body, key).value_or("other");
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '+';
    });
}

Answer<Gate> parse_gate(const Json& gated) {
    for (const Gate gate : {Gate::Open, Gate::Automatic, Gate::Manual}) {
        if (gated == render(gate)) {
            return gate;
        }
    }
    return bad_request("gated is false, \"auto\" or \"manual\"");
}

Answer<Response> create(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(require_known(caller));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const RepoId id, parse_repo_id(body, caller));
    LOCARA_TRY(const std::string space, require_space(caller, id.space));
    const Account& by = caller->account;
    if (!is_plain(body, "license")) {
        return bad_request("a license is an identifier such as apache-2.0");
    }
    if (!is_plain(body, "sdk")) {
        return bad_request("an sdk is a word such as gradio or static");
    }
    Repo repo;
    repo.id = {id.type, space, id.name};
    repo.maker = by.key;
    LOCARA_TRY(const auto asked, parse_visibility(body));
    LOCARA_TRY(repo.visibility, choose_visibility(services, repo.id, asked));
    if (const auto gated = body.find("gated"); gated != body.end() && !gated->is_null()) {
        LOCARA_TRY(repo.gate, parse_gate(*gated));
    }
    repo.created = services.clock.now();
    repo.facts.license = text_at(body, "license").value_or("");
    LOCARA_CHECK(require_room(services, space, request.body.size()));
    GitSnapshot first;
    LOCARA_TRY(first.files, first_files(body, id.type));
    first.message = "initial commit\n";
    first.author_name = by.name;
    first.author_email = author_email(by);
    first.date = repo.created;
    auto made = create_repo(services, repo, first);
    if (!made && made.error().code() == ErrorCode::Conflict) {
        // As its maker spelled it.
        LOCARA_TRY(const auto there, services.names.find_repo(repo.id));
        return already_there(request, there ? there->id : repo.id);
    }
    if (!made) {
        return std::move(made).error();
    }
    services.log.info("hub", "repo_created", {{"repo", repo.id.render()}, {"by", by.name}});
    record(services, request, "repo-created", repo);
    return json_answer({{"url", repo_url(request, made->id)},
                        {"name", made->id.render()},
                        {"id", made->internal}});
}

Answer<Response> remove(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(require_known(caller));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const RepoId id, parse_repo_id(body, caller));
    LOCARA_TRY(const auto repo, services.names.find_repo(id));
    if (!repo) {
        return hidden_repo(caller);
    }
    LOCARA_CHECK(require(caller, *repo, Action::Write));
    LOCARA_TRY(const RemovedSpace space, remove_repo(services.names, services.repos, *repo));
    services.log.info(
        "hub", "repo_removed", {{"repo", repo->id.render()}, {"by", caller->account.name}});
    record(services, request, "repo-removed", *repo);
    return json_answer(render(space));
}

/// "namespace/name" of a body.
Answer<RepoId> parse_full_id(const Json& body, const char* key, RepoType type) {
    const std::string text = text_at(body, key).value_or("");
    auto id = RepoId::parse(type, text);
    if (!id || is_reserved_space(id->space)) {
        return bad_request("'" + text + "', given as " + key + ", is no id: namespace/name");
    }
    return *std::move(id);
}

/// What a repository adds to what its owner stores.
Result<std::uint64_t> stored_bytes(const Services& services, const Repo& repo) {
    std::uint64_t bytes = allocated_bytes(services.folder_of(repo));
    LOCARA_TRY(const auto files, services.names.list_files(repo.key));
    for (const StoredFile& file : files) {
        bytes = add_bytes(bytes, file.size);
    }
    return bytes;
}

Answer<Response> move(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(require_known(caller));
    LOCARA_TRY(const Json body, parse_object(request));
    const auto type = parse_repo_type(text_at(body, "type").value_or("model"));
    if (!type) {
        return bad_request("this hub has the types model, dataset, space and bucket");
    }
    LOCARA_TRY(const RepoId from, parse_full_id(body, "fromRepo", *type));
    LOCARA_TRY(RepoId to, parse_full_id(body, "toRepo", *type));
    LOCARA_TRY(const auto repo, services.names.find_repo(from));
    if (!repo) {
        return hidden_repo(caller);
    }
    LOCARA_CHECK(require(caller, *repo, Action::Write));
    LOCARA_TRY(to.space, require_space(caller, to.space));
    if (!equals_ignoring_case(to.space, from.space)) {
        LOCARA_TRY(const std::uint64_t bytes, stored_bytes(services, *repo));
        LOCARA_CHECK(require_room(services, to.space, bytes));
    }
    const Status moved = services.names.move_repo(repo->key, to);
    if (!moved && moved.error().code() == ErrorCode::Conflict) {
        return Refusal(409,
                       "",
                       "A " + std::string(render(*type)) + " repository called " + to.render() +
                           " already exists");
    }
    if (!moved) {
        return moved.error();
    }
    services.log.info(
        "hub",
        "repo_moved",
        {{"from", repo->id.render()}, {"to", to.render()}, {"by", caller->account.name}});
    record(services, request, "repo-moved", *repo, {{"to", to.render()}});
    return json_answer({{"url", repo_url(request, to)}});
}

/// Settings of the Hub's that are as they are on every hub like this one.
struct FixedSetting {
    const char* key;
    const char* words;
};

constexpr FixedSetting kFixedSettings[] = {
    {"discussionsDisabled", "discussions cannot be turned off here"},
    {"discussionsSorting", "discussions come with the newest first"},
    {"gatedNotificationsEmail", "this hub sends no mail"},
    {"gatedNotificationsMode", "this hub sends no mail"},
    {"orgMembersGated", "who belongs to an organization need not ask"}};

/// Takes such settings out of a body where they ask for nothing else (false, or null); else 400.
Answer<std::monostate> take_fixed_settings(Json& body) {
    for (const auto& [key, words] : kFixedSettings) {
        const auto given = body.find(key);
        if (given == body.end()) {
            continue;
        }
        if (!given->is_null() && *given != Json(false)) {
            return bad_request("this hub has no setting '" + std::string(key) + "': " + words +
                               ". What can be set is private, visibility, gated");
        }
        body.erase(given);
    }
    return std::monostate();
}

/// Only what this hub has: who may see a repository, and who may read its files. `xetEnabled`,
/// which clients once sent, is how it is here anyway.
Answer<Response> change_settings(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Repo repo, find_repo(services, request, type, Action::Write));
    LOCARA_TRY(Json body, parse_object(request));
    body.erase("xetEnabled");
    LOCARA_CHECK(take_fixed_settings(body));
    LOCARA_CHECK(require_settings(body, {"private", "visibility", "gated"}));
    LOCARA_TRY(const auto asked, parse_visibility(body));
    const Visibility wanted = asked.value_or(repo.visibility);
    if (wanted != repo.visibility) { // What is public already may stay so.
        LOCARA_CHECK(check_visibility(services.rules, type, wanted));
    }
    const auto gated = body.find("gated");
    if (gated != body.end() && !gated->is_null()) {
        LOCARA_TRY(repo.gate, parse_gate(*gated));
        LOCARA_CHECK(services.names.set_gate(repo.key, repo.gate));
    }
    if (wanted != repo.visibility) {
        repo.visibility = wanted;
        LOCARA_CHECK(services.names.set_visibility(repo.key, repo.visibility));
    }
    record(services, request, "repo-settings", repo, {{"gated", render(repo.gate)}});
    return json_answer(
        {{"private", repo.visibility == Visibility::Private}, {"gated", render(repo.gate)}});
}

} // namespace

void add_admin_routes(Routes& routes, const Services& services) {
    routes.post("/api/repos/create",
                [&services](const Request& request) { return create(services, request); });
    routes.post("/api/repos/move",
                [&services](const Request& request) { return move(services, request); });
    for_each_type([&](RepoType type, const std::string&) {
        const std::string repo = "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/";
        routes.add("PUT", repo + "settings", [&services, type](const Request& request) {
            return change_settings(services, request, type);
        });
    });
    routes.add("DELETE", "/api/repos/delete", [&services](const Request& request) {
        return remove(services, request);
    });
}

} // namespace locara::hub
