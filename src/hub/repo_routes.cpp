// What there is: lists of repositories, one repository, its trees, paths and refs.
#include "card_facts.hpp"
#include "file_security.hpp"
#include "list_page.hpp"
#include "listing.hpp"
#include "place.hpp"
#include "query_flags.hpp"
#include "repo_search.hpp"
#include "routes.hpp"
#include "wanted_paths.hpp"
#include "weights_info.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kExpandedPage = 100;
constexpr const char* kSecurity = "securityRepoStatus";
constexpr const char* kGguf = "gguf";
constexpr const char* kSafetensors = "safetensors";

// ----------------------------------------------------------------------------------------- trees

/// Tree entries as JSON, with the last commit of each, and what the gate said of it, when they are
/// asked for.
Result<Json> render_entries(const Services& services,
                            const Place& place,
                            const std::vector<GitEntry>& entries,
                            bool expand) {
    std::vector<std::optional<GitCommit>> commits;
    if (expand) {
        std::vector<std::string> paths;
        for (const GitEntry& entry : entries) {
            paths.push_back(entry.path);
        }
        LOCARA_TRY(commits, place.git.last_changes(place.commit, paths));
    }
    Json list = Json::array();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const GitEntry& entry = entries[i];
        std::optional<xet::FileHash> xet;
        if (entry.lfs) {
            LOCARA_TRY(const auto file,
                       services.names.find_file(place.repo.key, entry.lfs->sha256));
            xet = file ? std::optional(file->xet) : std::nullopt;
        }
        Json json = render_entry(entry, xet);
        if (expand && commits[i]) {
            json["lastCommit"] = {{"id", commits[i]->id},
                                  {"title", commits[i]->title},
                                  {"date", render_date(commits[i]->date)}};
        }
        if (expand && entry.kind == GitEntry::Kind::File) {
            LOCARA_TRY(const auto found,
                       services.verdicts.find(content_id(entry), name_of(entry.path)));
            json["securityFileStatus"] = render_file_security(found);
        }
        list.push_back(std::move(json));
    }
    return list;
}

Answer<Response> tree(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    const bool recursive = request.query.flag("recursive");
    LOCARA_TRY(const bool expand, given_flag(request, "expand"));
    auto entries = place.git.list(
        place.commit, place.path, recursive ? GitRepo::Recursive::Yes : GitRepo::Recursive::No);
    if (!entries && entries.error().code() == ErrorCode::NotFound) {
        return no_such_entry(place.commit, entries.error().message());
    }
    if (!entries) {
        return std::move(entries).error();
    }
    LOCARA_TRY(const ListPage part,
               page_of(request, entries->size(), kPage, expand ? kExpandedPage : kPage));
    const auto at = [&entries](std::size_t i) {
        return entries->begin() + static_cast<std::ptrdiff_t>(i);
    };
    LOCARA_TRY(const Json list,
               render_entries(services, place, std::vector(at(part.begin), at(part.end)), expand));
    Response response = json_answer(list);
    response.headers.add("X-Repo-Commit", place.commit);
    part.add_next(request, response);
    return response;
}

Answer<Response> paths_info(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    LOCARA_TRY(const WantedPaths wanted, parse_wanted_paths(request));
    std::vector<GitEntry> entries;
    for (const std::string& path : wanted.paths) {
        LOCARA_TRY(auto entry, place.git.find(place.commit, path));
        if (entry && !path.empty()) {
            entries.push_back(std::move(*entry));
        }
    }
    LOCARA_TRY(const Json list, render_entries(services, place, entries, wanted.expand));
    return json_answer(list);
}

// ------------------------------------------------------------------------------------------ refs

Answer<Response> refs(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    LOCARA_TRY(const auto all, place.git.refs());
    Json json = {{"branches", Json::array()}, {"tags", Json::array()}, {"converts", Json::array()}};
    if (request.query.flag("include_prs")) {
        json["pullRequests"] = Json::array();
    }
    for (const GitRef& ref : all) {
        for (const auto& [prefix, list] : {std::pair("refs/heads/", "branches"),
                                           std::pair("refs/tags/", "tags"),
                                           std::pair("refs/pr/", "pullRequests")}) {
            if (ref.name.rfind(prefix, 0) == 0 && json.contains(list)) {
                json[list].push_back({{"name", ref.name.substr(std::string_view(prefix).size())},
                                      {"ref", ref.name},
                                      {"targetCommit", ref.commit}});
            }
        }
    }
    return json_answer(json);
}

// ------------------------------------------------------------------------------------------ info

bool has_suffix(std::string_view path, std::string_view suffix) {
    return path.size() > suffix.size() && path.substr(path.size() - suffix.size()) == suffix;
}

/// The tags of a repository, from its card, its files and what is known beside git.
std::vector<std::string>
tags_of(const Repo& repo, const std::vector<GitEntry>& entries, const CardFacts& card) {
    std::vector<std::string> tags = card.tags;
    const auto add = [&tags](std::string tag) {
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) {
            tags.push_back(std::move(tag));
        }
    };
    for (const std::string kind : {"gguf", "safetensors"}) {
        const bool any = std::any_of(entries.begin(), entries.end(), [&kind](const GitEntry& e) {
            return e.kind == GitEntry::Kind::File && has_suffix(e.path, "." + kind);
        });
        if (any) {
            add(kind);
        }
    }
    if (!repo.facts.task.empty()) {
        add(repo.facts.task);
    }
    if (!repo.facts.license.empty()) {
        add("license:" + ascii_lower(repo.facts.license));
    }
    return tags;
}

Json render_siblings(const std::vector<GitEntry>& entries, bool blobs) {
    Json siblings = Json::array();
    for (const GitEntry& entry : entries) {
        if (entry.kind == GitEntry::Kind::Directory) {
            continue;
        }
        Json sibling = {{"rfilename", entry.path}};
        if (blobs) {
            sibling["size"] = entry.size();
            sibling["blobId"] = entry.oid;
            if (entry.lfs) {
                sibling["lfs"] = {{"sha256", entry.lfs->sha256.render()},
                                  {"size", entry.lfs->size},
                                  {"pointerSize", entry.blob_size}};
            }
        }
        siblings.push_back(std::move(sibling));
    }
    return siblings;
}

/// How the Hub's clients know a space that is not under way: apps run on people's own machines,
/// never here.
Json render_runtime() {
    return {{"stage", "STOPPED"},
            {"hardware", {{"current", nullptr}, {"requested", nullptr}}},
            {"gcTimeout", nullptr},
            {"storage", nullptr},
            {"devMode", false}};
}

Result<Json> describe(const Services& services, const Place& place, bool blobs) {
    LOCARA_TRY(const GitCommit commit, place.git.commit(place.commit));
    LOCARA_TRY(const auto entries, place.git.list(place.commit, "", GitRepo::Recursive::Yes));
    std::uint64_t storage = 0;
    for (const GitEntry& entry : entries) {
        storage += entry.size();
    }
    const RepoId& id = place.repo.id;
    LOCARA_TRY(CardFacts card, read_card(place.git, place.commit, id.type));
    Json json = {{"_id", place.repo.internal},
                 {"id", id.render()},
                 {"modelId", id.render()},
                 {"author", id.space},
                 {"sha", place.commit},
                 {"private", place.repo.visibility == Visibility::Private},
                 {"gated", render(place.repo.gate)},
                 {"disabled", false},
                 {"downloads", 0},
                 {"likes", 0},
                 {"lastModified", render_date(commit.date)},
                 {"createdAt", render_date(place.repo.created)},
                 {"tags", tags_of(place.repo, entries, card)},
                 {"siblings", render_siblings(entries, blobs)},
                 {"usedStorage", storage}};
    if (id.type != RepoType::Model) {
        json.erase("modelId");
    }
    const std::string& task = place.repo.facts.task.empty() ? card.task : place.repo.facts.task;
    if (!task.empty()) {
        json["pipeline_tag"] = task;
    }
    if (!card.library.empty()) {
        json["library_name"] = card.library;
    }
    if (id.type == RepoType::Space) {
        json["sdk"] = card.sdk.empty() ? std::string(kDefaultSdk) : card.sdk;
        json["models"] = card.models;
        json["datasets"] = card.datasets;
        json["runtime"] = render_runtime();
    }
    if (card.data.is_object()) {
        json["cardData"] = std::move(card.data);
    }
    if (id.type == RepoType::Model) {
        LOCARA_TRY(WeightsInfo weights, read_weights_info(services.verdicts, entries));
        if (!weights.gguf.is_null()) {
            json[kGguf] = std::move(weights.gguf);
        }
        if (!weights.safetensors.is_null()) {
            json[kSafetensors] = std::move(weights.safetensors);
        }
    }
    return json;
}

Answer<Response> info(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, kApiRevisionAt, Action::See));
    LOCARA_TRY(Json json, describe(services, place, request.query.flag("blobs")));
    const auto keys = listed(request, "expand");
    const bool expanded = std::find(keys.begin(), keys.end(), kSecurity) != keys.end();
    if (expanded || request.query.flag("securityStatus")) {
        LOCARA_TRY(const auto entries, place.git.list(place.commit, "", GitRepo::Recursive::Yes));
        LOCARA_TRY(json[kSecurity], render_repo_security(services.verdicts, entries));
    }
    if (!keys.empty()) {
        keep_only(json, keys);
    }
    return json_answer(json);
}

/// Whether the caller may do this to the repository: 200, or the refusal.
template <Action action>
Answer<Response> auth_check(const Services& services, const Request& request, RepoType type) {
    LOCARA_CHECK(find_repo(services, request, type, action));
    return json_answer(Json::object());
}

// ----------------------------------------------------------------------------------------- lists

/// The whole list that a caller may see and asked for.
Answer<std::vector<Json>>
find_all(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    const std::string author(request.query.find("author").value_or(""));
    LOCARA_TRY(const auto repos, services.names.list_repos(type));
    std::vector<Json> found;
    for (const Repo& repo : repos) {
        const bool wanted = author.empty() || equals_ignoring_case(repo.id.space, author);
        if (!wanted || !may(caller, repo, Action::See)) {
            continue;
        }
        auto place = open_place(services, repo, "main");
        if (!place) {
            continue; // Being made or removed just now.
        }
        auto json = describe(services, *place, request.query.flag("blobs"));
        if (!json) { // One that is damaged must not hide the others.
            services.log.error("hub",
                               "repo_not_listed",
                               {{"repo", repo.id.render()}, {"error", json.error().describe()}});
        } else if (fits(request, *json)) {
            found.push_back(std::move(*json));
        }
    }
    return found;
}

Answer<Response> list(const Services& services, const Request& request, RepoType type) {
    LOCARA_CHECK(check_search(request));
    LOCARA_TRY(auto all, find_all(services, request, type));
    LOCARA_CHECK(sort_by_query(request, all));
    LOCARA_TRY(const ListPage part, page_of(request, all.size(), kPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        shape_for_list(request, all[i]);
        page.push_back(std::move(all[i]));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

Answer<Response> tags(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const auto all, find_all(services, request, type));
    return json_answer(tags_by_type(all));
}

Answer<Response> runtime(const Services& services, const Request& request, RepoType type) {
    LOCARA_CHECK(find_repo(services, request, type, Action::See));
    return json_answer(render_runtime());
}

/// What is wrong with a card that somebody is about to commit.
Answer<Response> validate_card(const Request& request) {
    LOCARA_TRY(const Json body, parse_object(request));
    const auto card = text_at(body, "content");
    const auto type = parse_repo_type(text_at(body, "repoType").value_or("model"));
    if (!card || !type) {
        return bad_request("the body must have \"content\", a card, and \"repoType\"");
    }
    const CardCheck check = check_card(*card, *type);
    const auto render = [](const std::vector<std::string>& messages) {
        Json list = Json::array();
        for (const std::string& message : messages) {
            list.push_back({{"message", message}});
        }
        return list;
    };
    Response response =
        json_answer({{"errors", render(check.errors)}, {"warnings", render(check.warnings)}});
    response.status = check.errors.empty() ? 200 : 400;
    return response;
}

} // namespace

void add_repo_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    for_each_type([&](RepoType type, const std::string&) {
        const auto bind = [&services, type](Handle handle) {
            return [&services, type, handle](const Request& request) {
                return handle(services, request, type);
            };
        };
        const std::string all = "/api/" + std::string(render_plural(type));
        const std::string one = all + "/{org}/{repo}";
        routes.get(all, bind(&list));
        routes.get(all + "-tags-by-type", bind(&tags));
        routes.get(one, bind(&info));
        routes.get(one + "/revision/{*rev}", bind(&info));
        routes.get(one + "/tree/{*rev}", bind(&tree));
        routes.post(one + "/paths-info/{*rev}", bind(&paths_info));
        routes.get(one + "/refs", bind(&refs));
        routes.get(one + "/auth-check", bind(&auth_check<Action::Read>));
        routes.get(one + "/auth-check/write", bind(&auth_check<Action::Write>));
    });
    routes.get("/api/spaces/{org}/{repo}/runtime", [&services](const Request& request) {
        return runtime(services, request, RepoType::Space);
    });
    routes.post("/api/validate-yaml", &validate_card);
}

} // namespace locara::hub
