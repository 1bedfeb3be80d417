#include "routes.hpp"

#include <locara/base/json.hpp>
#include <locara/base/percent.hpp>
#include <locara/hub/git_repo.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

#include <fcntl.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
using http::Request;
using http::Response;

constexpr std::uint64_t kBlobLimit = 64U << 20U;
constexpr std::uint64_t kFactsLimit = 64U << 10U;
constexpr std::size_t kPathsLimit = 2000;
constexpr std::size_t kPage = 1000;
constexpr std::size_t kExpandedPage = 100;

/// An answer that is an error, on its way up through Result's neighbour below.
template <class T> using Answer = tl::expected<T, Response>;

/// Errors as clients of the Hugging Face Hub read them: a JSON object and two headers.
Response refuse(int status, std::string_view code, const std::string& message) {
    Response response = http::json_response(status, render_json({{"error", message}}));
    if (!code.empty()) {
        response.headers.add("X-Error-Code", code);
    }
    std::string ascii = message;
    std::replace_if(
        ascii.begin(), ascii.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    response.headers.add("X-Error-Message", ascii);
    return response;
}

Response answer(const Json& json) {
    return http::json_response(200, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// "2026-01-01T00:00:00.000Z"
std::string render_date(TimePoint time) {
    std::string text = render_time(time);
    text.insert(text.size() - 1, ".000");
    return text;
}

/// 24 hex digits that stay the same for a repository.
std::string internal_id(const std::string& repo) {
    return crypto::sha256(as_bytes(repo)).render().substr(0, 24);
}

/// Our own address as the client knows it, for links that must be absolute.
std::string endpoint(const Request& request) {
    const std::string_view host = request.headers.find("Host").value_or("");
    const bool plain =
        !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                "0123456789.-:[]") == std::string_view::npos;
    return "http://" + (plain ? std::string(host) : "localhost");
}

std::string content_type(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    const std::string_view suffix = dot == std::string_view::npos ? "" : path.substr(dot);
    if (suffix == ".json") {
        return "application/json";
    }
    // Never as HTML or SVG: a repository's file must not become a page of this origin.
    if (suffix == ".md" || suffix == ".txt" || suffix == ".jinja" || path == ".gitattributes") {
        return "text/plain; charset=utf-8";
    }
    return "application/octet-stream";
}

std::string disposition(const Request& request, std::string_view path) {
    const std::size_t slash = path.rfind('/');
    const std::string name =
        percent_encode(slash == std::string_view::npos ? path : path.substr(slash + 1));
    return (request.query.flag("download") ? "attachment" : "inline") +
           std::string("; filename*=UTF-8''") + name + "; filename=\"" + name + "\"";
}

/// An open repository and the commit that a request is about.
struct Place {
    GitRepo repo;
    std::string id; ///< "org/name"
    std::string commit;
    std::string path;    ///< What follows the revision, "" for nothing.
    bool pinned = false; ///< The revision was the commit itself, so the answer never changes.
};

class ModelRoutes {
  public:
    ModelRoutes(fs::path repos, const store::Store& store, Log& log)
        : repos_(std::move(repos)), store_(store), log_(log) {}

    /// `/{org}/{repo}/resolve/...`: the content.
    Response resolve(const Request& request) const {
        auto place = locate(request, 3, false);
        return place ? serve_file(request, *place, false) : std::move(place).error();
    }

    /// `/{org}/{repo}/raw/...`: what git holds.
    Response raw(const Request& request) const {
        auto place = locate(request, 3, false);
        return place ? serve_file(request, *place, true) : std::move(place).error();
    }

    /// `/api/models/{org}/{repo}` and `.../revision/{rev}`.
    Response info(const Request& request) const {
        auto place = locate(request, 5, true);
        if (!place) {
            return std::move(place).error();
        }
        auto json = describe(*place, request);
        return json ? answer(*json) : fail(request, json.error());
    }

    Response tree(const Request& request) const {
        auto place = locate(request, 5, false);
        if (!place) {
            return std::move(place).error();
        }
        const bool recursive = request.query.flag("recursive");
        const bool expand = request.query.flag("expand");
        auto entries =
            place->repo.list(place->commit,
                             place->path,
                             recursive ? GitRepo::Recursive::Yes : GitRepo::Recursive::No);
        if (!entries && entries.error().code() == ErrorCode::NotFound) {
            Response response = refuse(404, "EntryNotFound", entries.error().message());
            response.headers.add("X-Repo-Commit", place->commit);
            return response;
        }
        if (!entries) {
            return fail(request, entries.error());
        }
        std::size_t limit = number(request, "limit").value_or(expand ? kExpandedPage : kPage);
        limit = std::clamp<std::size_t>(limit, 1, kPage);
        const std::size_t begin = std::min(number(request, "cursor").value_or(0), entries->size());
        const std::size_t end = std::min(begin + limit, entries->size());
        Json list = Json::array();
        for (std::size_t i = begin; i < end; ++i) {
            auto entry = render_entry(*place, (*entries)[i], expand);
            if (!entry) {
                return fail(request, entry.error());
            }
            list.push_back(std::move(*entry));
        }
        Response response = answer(list);
        response.headers.add("X-Repo-Commit", place->commit);
        if (end < entries->size()) {
            response.headers.add("Link",
                                 "<" + endpoint(request) + request.path +
                                     "?recursive=" + (recursive ? "true" : "false") +
                                     "&expand=" + (expand ? "true" : "false") +
                                     "&limit=" + std::to_string(limit) +
                                     "&cursor=" + std::to_string(end) + ">; rel=\"next\"");
        }
        return response;
    }

    Response paths_info(const Request& request) const {
        auto place = locate(request, 5, false);
        if (!place) {
            return std::move(place).error();
        }
        std::vector<std::string> paths;
        bool expand = false;
        const std::string_view type = request.headers.find("Content-Type").value_or("");
        if (type.substr(0, 33) == "application/x-www-form-urlencoded") {
            const auto form = http::Query::parse(request.body);
            if (!form) {
                return refuse(400, "", form.error().message());
            }
            paths = form->all("paths");
            expand = form->flag("expand");
        } else {
            const auto body = parse_json(request.body);
            if (!body || !body->is_object() || !body->contains("paths")) {
                return refuse(400, "", "send {\"paths\": [...]} as JSON, or paths=... as a form");
            }
            const Json& wanted = (*body)["paths"];
            for (const Json& path : wanted.is_array() ? wanted : Json::array({wanted})) {
                if (!path.is_string()) {
                    return refuse(400, "", "every element of paths must be a text");
                }
                paths.push_back(path.get<std::string>());
            }
            const auto flag = body->find("expand");
            expand = flag != body->end() && flag->is_boolean() && flag->get<bool>();
        }
        if (paths.size() > kPathsLimit) {
            return refuse(400,
                          "",
                          "found " + std::to_string(paths.size()) + " paths, at most " +
                              std::to_string(kPathsLimit) + " are allowed");
        }
        Json list = Json::array();
        for (const std::string& path : paths) {
            auto entry = place->repo.find(place->commit, path);
            if (!entry) {
                return fail(request, entry.error());
            }
            if (!*entry || path.empty()) {
                continue;
            }
            auto json = render_entry(*place, **entry, expand);
            if (!json) {
                return fail(request, json.error());
            }
            list.push_back(std::move(*json));
        }
        return answer(list);
    }

    Response refs(const Request& request) const {
        auto place = locate(request, 5, true);
        if (!place) {
            return std::move(place).error();
        }
        const auto all = place->repo.refs();
        if (!all) {
            return fail(request, all.error());
        }
        Json json = {
            {"branches", Json::array()}, {"tags", Json::array()}, {"converts", Json::array()}};
        for (const GitRef& ref : *all) {
            const bool branch = ref.name.rfind("refs/heads/", 0) == 0;
            json[branch ? "branches" : "tags"].push_back(
                {{"name", ref.name.substr(branch ? 11 : 10)},
                 {"ref", ref.name},
                 {"targetCommit", ref.commit}});
        }
        if (request.query.flag("include_prs")) {
            json["pullRequests"] = Json::array();
        }
        return answer(json);
    }

    /// `/api/models`
    Response list(const Request& request) const {
        const std::string author(request.query.find("author").value_or(""));
        std::vector<std::string> ids;
        std::error_code error;
        for (fs::directory_iterator org(repos_, error), end; !error && org != end;
             org.increment(error)) {
            for (fs::directory_iterator repo(org->path(), error), last; !error && repo != last;
                 repo.increment(error)) {
                if (repo->path().extension() == ".git") {
                    ids.push_back(org->path().filename().string() + "/" +
                                  repo->path().stem().string());
                }
            }
        }
        std::sort(ids.begin(), ids.end());
        Json list = Json::array();
        std::size_t skip = number(request, "cursor").value_or(0);
        const std::size_t begin = skip;
        const std::size_t limit =
            std::clamp<std::size_t>(number(request, "limit").value_or(kPage), 1, kPage);
        bool more = false;
        for (const std::string& id : ids) {
            if (!author.empty() && id.substr(0, id.find('/')) != author) {
                continue;
            }
            auto place = open(id, "main");
            if (!place) {
                continue; // Being made just now.
            }
            auto json = describe(*place, request);
            if (!json) {
                return fail(request, json.error());
            }
            if (!fits(request, id, *json)) {
                continue;
            }
            if (skip > 0) {
                --skip;
                continue;
            }
            if (list.size() == limit) {
                more = true;
                break;
            }
            if (!request.query.flag("full")) {
                json->erase("siblings");
            }
            list.push_back(std::move(*json));
        }
        Response response = answer(list);
        if (more) {
            std::string link = "<" + endpoint(request) + request.path + "?";
            for (const auto& [key, value] : request.query.fields()) {
                if (key != "cursor" && key != "limit") {
                    link += percent_encode(key) + "=" + percent_encode(value) + "&";
                }
            }
            response.headers.add("Link",
                                 link + "limit=" + std::to_string(limit) + "&cursor=" +
                                     std::to_string(begin + limit) + ">; rel=\"next\"");
        }
        return response;
    }

  private:
    static std::optional<std::size_t> number(const Request& request, std::string_view key) {
        const auto text = request.query.find(key);
        std::size_t value = 0;
        if (!text) {
            return std::nullopt;
        }
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
        return error == std::errc() && end == text->data() + text->size() ? std::optional(value)
                                                                          : std::nullopt;
    }

    /// `search` (any part of the id) and `filter` (a tag), each possibly repeated.
    static bool fits(const Request& request, std::string_view id, const Json& json) {
        for (const std::string& word : request.query.all("search")) {
            const auto found =
                std::search(id.begin(), id.end(), word.begin(), word.end(), [](char a, char b) {
                    return http::equals_ignoring_case({&a, 1}, {&b, 1});
                });
            if (found == id.end() && !word.empty()) {
                return false;
            }
        }
        const Json& tags = json["tags"];
        for (const std::string& tag : request.query.all("filter")) {
            if (std::find(tags.begin(), tags.end(), Json(tag)) == tags.end()) {
                return false;
            }
        }
        return true;
    }

    Response fail(const Request& request, const Error& error) const {
        log_.error("hub", "request_failed", {{"request", request.id}, {"error", error.describe()}});
        return refuse(
            500, "", "something went wrong on this hub; its log has request " + request.id);
    }

    fs::path folder(const std::string& id) const { return repos_ / (id + ".git"); }

    Answer<Place> open(const std::string& id, const std::string& revision) const {
        auto repo = GitRepo::open(folder(id));
        if (!repo) {
            return tl::unexpected(refuse(404, "RepoNotFound", "Repository not found"));
        }
        auto commit = repo->resolve(revision);
        if (!commit) {
            return tl::unexpected(refuse(404, "RevisionNotFound", "Invalid rev id: " + revision));
        }
        const bool pinned = *commit == revision;
        return Place{std::move(*repo), id, std::move(*commit), "", pinned};
    }

    /// The repository, revision and path of a request. The revision is the segment `at`, or, when
    /// its slashes came unencoded, the longest known ref that the path begins with. Without any
    /// (`optional`), main.
    Answer<Place> locate(const Request& request, std::size_t at, bool optional) const {
        const std::string& org = request.param("org");
        const std::string& name = request.param("repo");
        if (!is_repo_part(org) || !is_repo_part(name)) {
            return tl::unexpected(refuse(404, "RepoNotFound", "Repository not found"));
        }
        const std::string id = org + "/" + name;
        const auto& segments = request.segments;
        if (segments.size() <= at) {
            LOCARA_ASSERT(optional);
            return open(id, "main");
        }
        std::string revision = segments[at];
        std::size_t used = 1;
        if (segments.size() > at + 1) {
            auto repo = GitRepo::open(folder(id));
            auto refs = repo ? repo->refs() : Result<std::vector<GitRef>>(std::vector<GitRef>());
            if (refs) {
                std::string candidate = revision;
                for (std::size_t i = at + 1; i < segments.size(); ++i) {
                    candidate += "/" + segments[i];
                    const bool known =
                        std::any_of(refs->begin(), refs->end(), [&candidate](const GitRef& ref) {
                            return ref.name == candidate || ref.name == "refs/heads/" + candidate ||
                                   ref.name == "refs/tags/" + candidate;
                        });
                    if (known) {
                        revision = candidate;
                        used = i - at + 1;
                    }
                }
            }
        }
        auto place = open(id, revision);
        if (place) {
            for (std::size_t i = at + used; i < segments.size(); ++i) {
                place->path += (place->path.empty() ? "" : "/") + segments[i];
            }
        }
        return place;
    }

    Response serve_file(const Request& request, Place& place, bool as_git_holds_it) const {
        const auto entry = place.repo.find(place.commit, place.path);
        if (!entry) {
            return fail(request, entry.error());
        }
        if (!*entry || (*entry)->kind == GitEntry::Kind::Directory) {
            Response response = refuse(404, "EntryNotFound", "Entry not found");
            response.headers.add("X-Repo-Commit", place.commit);
            return response;
        }
        const GitEntry& file = **entry;
        const bool lfs = file.lfs && !as_git_holds_it;
        http::Content content;
        content.content_type = content_type(place.path);
        content.etag = "\"" + (lfs ? file.lfs->sha256.render() : file.oid) + "\"";
        if (lfs) {
            auto body = open_content(*file.lfs);
            if (!body) {
                return fail(request, body.error());
            }
            content.body = std::move(*body);
        } else {
            auto text = place.repo.read_blob(file.oid, kBlobLimit);
            if (!text) {
                return fail(request, text.error());
            }
            content.body = std::move(*text);
        }
        const std::string etag = content.etag;
        Response response = http::content_response(request, std::move(content));
        response.headers.add("X-Repo-Commit", place.commit);
        if (lfs) {
            response.headers.add("X-Linked-Etag", etag);
            response.headers.add("X-Linked-Size", std::to_string(file.lfs->size));
        }
        response.headers.add("Content-Disposition", disposition(request, place.path));
        response.headers.add("Content-Security-Policy", "default-src 'none'; sandbox");
        response.headers.add("Cache-Control",
                             place.pinned ? "public, max-age=31536000, immutable" : "no-cache");
        return response;
    }

    Result<http::FileBody> open_content(const LfsPointer& pointer) const {
        LOCARA_TRY(Fd file, store_.open_file(pointer.sha256));
        return http::FileBody{std::make_shared<const Fd>(std::move(file)), 0, pointer.size};
    }

    Result<Json> render_entry(const Place& place, const GitEntry& entry, bool expand) const {
        Json json = {{"type", entry.kind == GitEntry::Kind::Directory ? "directory" : "file"},
                     {"oid", entry.oid},
                     {"size", entry.size()},
                     {"path", entry.path}};
        if (entry.lfs) {
            json["lfs"] = {{"oid", entry.lfs->sha256.render()},
                           {"size", entry.lfs->size},
                           {"pointerSize", entry.blob_size}};
        }
        if (expand) {
            // Every publication is one commit without parents, so it changed every file in it.
            LOCARA_TRY(const GitCommit commit, place.repo.commit(place.commit));
            json["lastCommit"] = {
                {"id", commit.id}, {"title", commit.title}, {"date", render_date(commit.date)}};
        }
        return json;
    }

    Result<Json> describe(const Place& place, const Request& request) const {
        LOCARA_TRY(const GitCommit commit, place.repo.commit(place.commit));
        LOCARA_TRY(const auto entries, place.repo.list(place.commit, "", GitRepo::Recursive::Yes));
        LOCARA_TRY(const std::string facts_text,
                   read_file(repos_ / (place.id + ".json"), kFactsLimit));
        LOCARA_TRY(const RepoFacts facts, parse_repo_facts(facts_text));
        std::vector<std::string> tags;
        const auto add_tag = [&tags](const std::string& tag) {
            if (std::find(tags.begin(), tags.end(), tag) == tags.end()) {
                tags.push_back(tag);
            }
        };
        Json siblings = Json::array();
        std::uint64_t storage = 0;
        for (const GitEntry& entry : entries) {
            if (entry.kind == GitEntry::Kind::Directory) {
                continue;
            }
            storage += entry.size();
            for (const std::string kind : {"gguf", "safetensors"}) {
                const std::string suffix = "." + kind;
                if (entry.path.size() > suffix.size() &&
                    entry.path.substr(entry.path.size() - suffix.size()) == suffix) {
                    add_tag(kind);
                }
            }
            Json sibling = {{"rfilename", entry.path}};
            if (request.query.flag("blobs")) {
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
        add_tag(facts.task);
        std::string license = "license:" + facts.license;
        std::transform(license.begin(), license.end(), license.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        add_tag(license);
        const std::string date = render_date(commit.date);
        return Json{{"_id", internal_id(place.id)},
                    {"id", place.id},
                    {"modelId", place.id},
                    {"author", place.id.substr(0, place.id.find('/'))},
                    {"sha", place.commit},
                    {"private", false},
                    {"gated", false},
                    {"disabled", false},
                    {"downloads", 0},
                    {"likes", 0},
                    {"lastModified", date},
                    {"createdAt", date},
                    {"pipeline_tag", facts.task},
                    {"tags", tags},
                    {"siblings", std::move(siblings)},
                    {"usedStorage", storage}};
    }

    const fs::path repos_;
    const store::Store& store_;
    Log& log_;
};

} // namespace

bool is_repo_part(std::string_view text) {
    const auto word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !text.empty() && text.size() <= 96 && word(text.front()) && word(text.back()) &&
           text.find("..") == std::string_view::npos &&
           !(text.size() > 4 && text.substr(text.size() - 4) == ".git") &&
           std::all_of(text.begin(), text.end(), [&word](char c) {
               return word(c) || c == '-' || c == '_' || c == '.';
           });
}

Result<RepoFacts> parse_repo_facts(std::string_view json) {
    LOCARA_TRY(const Json document, parse_json(json));
    RepoFacts facts;
    for (const auto& [key, field] : {std::pair("id", &facts.id),
                                     std::pair("task", &facts.task),
                                     std::pair("license", &facts.license),
                                     std::pair("manifest", &facts.manifest)}) {
        if (!document.is_object() || !document.contains(key) || !document[key].is_string()) {
            return Error(ErrorCode::Corrupt,
                         std::string("the facts of a repository lack '") + key +
                             "'; remove seed.json from the data folder and start again");
        }
        *field = document[key].get<std::string>();
    }
    return facts;
}

std::string render_repo_facts(const RepoFacts& facts) {
    return render_json({{"id", facts.id},
                        {"task", facts.task},
                        {"license", facts.license},
                        {"manifest", facts.manifest}});
}

void add_model_routes(Routes& routes, const fs::path& repos, const store::Store& store, Log& log) {
    // Shared by the handlers below, which live as long as the router.
    const auto models = std::make_shared<const ModelRoutes>(repos, store, log);
    const auto bind = [&models](Response (ModelRoutes::*member)(const Request&) const) {
        return [models, member](const Request& request) { return (*models.*member)(request); };
    };
    routes.get("/{org}/{repo}/resolve/{rev}/{*path}", bind(&ModelRoutes::resolve));
    routes.get("/{org}/{repo}/raw/{rev}/{*path}", bind(&ModelRoutes::raw));
    routes.get("/api/models", bind(&ModelRoutes::list));
    routes.get("/api/models/{org}/{repo}", bind(&ModelRoutes::info));
    routes.get("/api/models/{org}/{repo}/revision/{*rev}", bind(&ModelRoutes::info));
    routes.get("/api/models/{org}/{repo}/tree/{*rev}", bind(&ModelRoutes::tree));
    routes.post("/api/models/{org}/{repo}/paths-info/{*rev}", bind(&ModelRoutes::paths_info));
    routes.get("/api/models/{org}/{repo}/refs", bind(&ModelRoutes::refs));
}

} // namespace locara::hub
