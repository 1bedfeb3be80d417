#include "mirror_routes.hpp"

#include "content.hpp"
#include "file_answers.hpp"
#include "given.hpp"
#include "list_page.hpp"
#include "oci_answers.hpp"
#include "query_flags.hpp"
#include "repo_search.hpp"
#include "routes.hpp"
#include "wanted_paths.hpp"
#include "xet_token.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>
#include <functional>
#include <variant>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using http::Request;
using http::Response;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kBlock = 256U << 10U;
/// In a query: go on with what upstream finds, after our own; or with what is here of it.
constexpr const char* kUpstreamPage = "upstream";
constexpr const char* kKeptPage = "mirrored";

/// An answer whose body is on its way, to be sent as soon as the first of it is here.
struct Waiting {
    std::shared_ptr<Download> download;
    Response response;
};

using Reaction = std::variant<Response, Waiting>;

/// A visit, and how things stood before it was looked whose the repository is.
struct Guest : Visit {
    WarmFiles::Before before;
};

using Handle = std::function<Answer<Reaction>(const MirrorDoor&, const Request&, const Guest&)>;

// ------------------------------------------------------------------------------------ while it
// comes

/// Sends bytes [offset, offset + length) as they become readable.
asio::awaitable<Status> send_arriving(http::BlockingPool& pool,
                                      std::shared_ptr<Download> download,
                                      std::uint64_t offset,
                                      std::uint64_t length,
                                      http::BodyWriter& writer) {
    std::string block;
    const std::uint64_t end = offset + length;
    while (offset < end) {
        const Download::View view = download->view();
        if (view.readable <= offset) {
            if (view.stage != Download::Stage::Arriving) {
                Error cut(ErrorCode::Cancelled, "the file will not become whole");
                co_return cut;
            }
            co_await download->changed().wait_after(view.seen);
            continue;
        }
        block.resize(static_cast<std::size_t>(
            std::min<std::uint64_t>(std::min(view.readable, end) - offset, kBlock)));
        const auto read = [&view, &block, offset] {
            return read_exactly_at(*view.file, offset, std::as_writable_bytes(std::span(block)));
        };
        LOCARA_CO_CHECK(co_await http::run_blocking(pool, read));
        LOCARA_CO_CHECK(co_await writer.write(block));
        offset += block.size();
    }
    co_return Status();
}

/// The answer, once there is something of its body; or why there will be nothing. A file that is
/// held back as a whole is answered when it has passed.
asio::awaitable<Answer<Response>> when_begun(Waiting waiting) {
    while (true) {
        Download::View view = waiting.download->view();
        if (view.refusal) {
            co_return std::move(*view.refusal);
        }
        if (view.readable > 0) {
            co_return std::move(waiting.response);
        }
        co_await waiting.download->changed().wait_after(view.seen);
    }
}

/// The answer to a request for a file, whose bytes come from the download; without one, its head.
Response arriving_answer(const MirrorDoor& door,
                         const Request& request,
                         const FileAt& at,
                         const GitEntry& file,
                         const std::shared_ptr<Download>& download) {
    http::Content content;
    std::pair<std::uint64_t, std::uint64_t> part;
    content.body =
        http::RangedBody{file.size(), [&part](std::uint64_t offset, std::uint64_t length) {
                             part = {offset, length};
                             return http::PiecesBody{length, nullptr};
                         }};
    content.content_type = content_type(at.path);
    content.etag = "\"" + (file.lfs ? file.lfs->sha256.render() : file.oid) + "\"";
    Response response = http::content_response(request, std::move(content));
    add_file_headers(response, request, at);
    if (file.lfs) {
        response.headers.add("X-Linked-Etag", "\"" + file.lfs->sha256.render() + "\"");
        response.headers.add("X-Linked-Size", std::to_string(file.lfs->size));
    }
    if (std::holds_alternative<http::PiecesBody>(response.body)) {
        const auto [offset, length] = part;
        response.stream_length = length;
        response.body = http::StreamBody(
            [&pool = door.here, download, begin = offset, size = length](http::BodyWriter& writer) {
                return send_arriving(pool, download, begin, size, writer);
            });
    }
    return response;
}

// ------------------------------------------------------------------------------------------- files

Answer<GitEntry> find_file(const MirrorDoor& door, const Visit& visit, const Spot& spot) {
    LOCARA_TRY(const auto listing, door.mirror.list(visit, spot.repo, spot.commit));
    const GitEntry* const entry = listing->find(spot.path);
    if (entry == nullptr || entry->kind == GitEntry::Kind::Directory) {
        return no_such_entry(spot.commit);
    }
    return *entry;
}

/// Content that is here already.
Response whole_answer(const MirrorDoor& door,
                      const Request& request,
                      const FileAt& at,
                      const GitEntry& file,
                      const StoredFile& stored) {
    if (file.lfs) {
        return stored_answer(door.services, request, at, stored);
    }
    http::Content content;
    content.body = open_content(door.services.cas, stored.xet, stored.size);
    content.content_type = content_type(at.path);
    content.etag = "\"" + file.oid + "\"";
    Response response = http::content_response(request, std::move(content));
    add_file_headers(response, request, at);
    return response;
}

Response
text_answer(const Request& request, const FileAt& at, const GitEntry& file, std::string text) {
    http::Content content;
    content.body = std::move(text);
    content.content_type = content_type(at.path);
    content.etag = "\"" + file.oid + "\"";
    Response response = http::content_response(request, std::move(content));
    add_file_headers(response, request, at);
    return response;
}

/// Content that is here already, kept for who asks again (warm_files.hpp) if it is for everybody.
Answer<Response> hit(const MirrorDoor& door,
                     const Request& request,
                     const Visit& visit,
                     const Spot& spot,
                     const GitEntry& file,
                     const StoredFile& stored,
                     const WarmFiles::Before& before) {
    const FileAt at{spot.repo, spot.commit, spot.path, spot.pinned};
    const bool small = !file.lfs && file.size() <= WarmFiles::kLargestFile;
    const TimePoint until = std::min(spot.until, visit.asker.ends.value_or(TimePoint::max()));
    if (!before.version || spot.repo.origin != Origin::Upstream || !(small || file.lfs) ||
        until <= door.services.clock.now()) {
        return whole_answer(door, request, at, file, stored);
    }
    FoundFile found{file.oid, {}, {}};
    if (small) {
        found.blob.emplace();
        const auto append = [&found](ByteView bytes) {
            *found.blob += as_text(bytes);
            return Status();
        };
        LOCARA_CHECK(door.services.cas.read(stored.xet, std::nullopt, append));
    } else {
        found.stored = stored;
    }
    door.warm.keep_mirrored(before, request, at, found, until, door.mirror.counts().hits);
    return found_answer(door.services, request, at, found);
}

Answer<Reaction> serve_file(const MirrorDoor& door,
                            const Request& request,
                            const Visit& visit,
                            const Spot& spot,
                            const GitEntry& file,
                            const WarmFiles::Before& before) {
    const FileAt at{spot.repo, spot.commit, spot.path, spot.pinned};
    if (file.size() == 0) {
        return Reaction(text_answer(request, at, file, ""));
    }
    LOCARA_TRY(const FoundContent here, door.mirror.open(visit, spot, file, Mirror::Begin::No));
    if (here.stored) {
        if (request.method == "GET") {
            ++door.mirror.counts().hits;
        }
        LOCARA_TRY(Response response, hit(door, request, visit, spot, file, *here.stored, before));
        return Reaction(std::move(response));
    }
    Response head = arriving_answer(door, request, at, file, nullptr);
    // 304 and 416 need no content either.
    if (request.method == "HEAD" || !std::holds_alternative<http::StreamBody>(head.body)) {
        return Reaction(std::move(head));
    }
    ++door.mirror.counts().misses;
    LOCARA_TRY(FoundContent found, door.mirror.open(visit, spot, file, Mirror::Begin::Yes));
    if (found.stored) {
        return Reaction(whole_answer(door, request, at, file, *found.stored));
    }
    Response response = arriving_answer(door, request, at, file, found.download);
    return Reaction(Waiting{std::move(found.download), std::move(response)});
}

Answer<Reaction> resolve(const MirrorDoor& door, const Request& request, const Guest& visit) {
    LOCARA_TRY(const Spot spot,
               door.mirror.locate(visit, request.segments, web_revision_at(visit.id.type)));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    LOCARA_TRY(const GitEntry file, find_file(door, visit, spot));
    return serve_file(door, request, visit, spot, file, visit.before);
}

Answer<Reaction> raw(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot,
               door.mirror.locate(visit, request.segments, web_revision_at(visit.id.type)));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    LOCARA_TRY(const GitEntry file, find_file(door, visit, spot));
    if (!file.lfs) {
        return serve_file(door, request, visit, spot, file, {});
    }
    // Nearly every pointer has this one form; the id tells.
    std::string pointer = file.lfs->render();
    if (id_of_blob(pointer) != file.oid) {
        return Refusal(501, "", "the pointer of this file has a form that cannot be mirrored");
    }
    const FileAt at{spot.repo, spot.commit, spot.path, spot.pinned};
    return Reaction(text_answer(request, at, file, std::move(pointer)));
}

// -------------------------------------------------------------------------------------- what there
// is

/// The named keys of a query, in a fixed order, as "?a=1&b=2"; empty without any.
std::string keep_query(const Request& request, std::initializer_list<std::string_view> names) {
    std::string query;
    for (const std::string_view name : names) {
        for (const std::string& value : request.query.all(name)) {
            query +=
                (query.empty() ? "?" : "&") + percent_encode(name) + "=" + percent_encode(value);
        }
    }
    return query;
}

/// The link to upstream's next page, leading here.
void add_next(Response& response, const Request& request, const UpstreamAnswer& answer) {
    if (!answer.next.empty()) {
        response.headers.add("Link", "<" + endpoint(request) + answer.next + ">; rel=\"next\"");
    }
}

/// An answer of upstream's as it came.
Response passed_answer(const Request& request, const UpstreamAnswer& answer) {
    Response response = http::json_response(200, answer.body);
    add_next(response, request, answer);
    return response;
}

bool is_not_here(const Refusal& refusal) {
    return refusal.status == kNotHereOffline;
}

Answer<Reaction> info(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.locate(visit, request.segments, kApiRevisionAt));
    if (!spot.path.empty()) {
        return no_such_revision(request.param("rev"));
    }
    const std::string query = keep_query(
        request, {"blobs", "cardData", "config", "expand", "expand[]", "full", "securityStatus"});
    const std::string call = "/revision/" + spot.commit;
    auto answer = door.mirror.pass_on(visit, spot.repo, call + query, Mirror::Keep::ForGood);
    if (!answer && is_not_here(answer.error()) && !query.empty()) {
        // What was kept when the commit was found says nearly all of it, and more than nothing.
        answer = door.mirror.pass_on(visit, spot.repo, call, Mirror::Keep::ForGood);
    }
    LOCARA_CHECK(answer);
    return Reaction(passed_answer(request, *answer));
}

/// The history up to a commit, which never changes.
Answer<Reaction> commits(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.locate(visit, request.segments, kApiRevisionAt));
    if (!spot.path.empty()) {
        return no_such_revision(request.param("rev"));
    }
    const std::string query = keep_query(request, {"limit", "p", "expand", "expand[]"});
    LOCARA_TRY(const UpstreamAnswer answer,
               door.mirror.pass_on(
                   visit, spot.repo, "/commits/" + spot.commit + query, Mirror::Keep::ForGood));
    Response response = passed_answer(request, answer);
    response.headers.add("X-Repo-Commit", spot.commit);
    if (answer.total) {
        response.headers.add("X-Total-Count", std::to_string(*answer.total));
    }
    return Reaction(std::move(response));
}

/// A JSON array that may be as long as answers get.
std::optional<Json> parse_list(std::string_view text) {
    JsonLimits limits;
    limits.bytes = kListingBytes;
    auto list = parse_json(text, limits);
    return list && list->is_array() ? std::optional(std::move(*list)) : std::nullopt;
}

/// Entries as upstream describes them, but for the way by Xet: only what is here may be had so.
Answer<Response> passed_entries(const MirrorDoor& door,
                                const Request& request,
                                const Spot& spot,
                                const UpstreamAnswer& answer) {
    auto entries = parse_list(answer.body);
    if (!entries) {
        return Refusal(502, "UpstreamCorrupt", "the hub that this one mirrors gives no list");
    }
    for (Json& entry : *entries) {
        if (!entry.is_object() || entry.erase("xetHash") == 0) {
            continue;
        }
        const auto lfs = entry.find("lfs");
        const auto oid = crypto::Sha256Digest::parse(
            lfs != entry.end() && lfs->is_object() ? text_at(*lfs, "oid").value_or("") : "");
        if (oid) {
            LOCARA_TRY(const auto stored, door.services.names.find_file(spot.repo.key, *oid));
            if (stored) {
                entry["xetHash"] = stored->xet.render();
            }
        }
    }
    Response response = json_answer(*entries);
    add_next(response, request, answer);
    response.headers.add("X-Repo-Commit", spot.commit);
    return response;
}

/// Entries as JSON; those whose content is here may be had by Xet.
Result<Json> render_entries(const MirrorDoor& door,
                            const Repo& repo,
                            const std::vector<GitEntry>& entries,
                            const Json& last_commit = Json()) {
    Json list = Json::array();
    for (const GitEntry& entry : entries) {
        std::optional<xet::FileHash> xet;
        if (entry.lfs) {
            LOCARA_TRY(const auto stored, door.mirror.find_stored(repo, entry));
            xet = stored ? std::optional(stored->xet) : std::nullopt;
        }
        list.push_back(render_entry(entry, xet));
        if (!last_commit.is_null()) {
            list.back()["lastCommit"] = last_commit;
        }
    }
    return list;
}

/// What stands for the last commit of every file where upstream was never asked for it: the one
/// that was asked for, which has them all.
Json render_commit(const Spot& spot) {
    return {{"id", spot.commit}, {"title", ""}, {"date", render_date(spot.repo.created)}};
}

Answer<Reaction> tree(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.locate(visit, request.segments, kApiRevisionAt));
    LOCARA_TRY(const auto listing, door.mirror.list(visit, spot.repo, spot.commit));
    if (!spot.path.empty()) {
        // Also because only the path of a folder may become part of what upstream is asked.
        const GitEntry* const folder = listing->find(spot.path);
        if (folder == nullptr || folder->kind != GitEntry::Kind::Directory) {
            return no_such_entry(spot.commit);
        }
    }
    LOCARA_TRY(const bool expand, given_flag(request, "expand"));
    if (expand) {
        const std::string path = spot.path.empty() ? "" : "/" + percent_encode(spot.path, "/");
        auto answer =
            door.mirror.pass_on(visit,
                                spot.repo,
                                "/tree/" + spot.commit + path +
                                    keep_query(request, {"recursive", "expand", "limit", "cursor"}),
                                Mirror::Keep::ForGood);
        if (answer) {
            LOCARA_TRY(Response response, passed_entries(door, request, spot, *answer));
            return Reaction(std::move(response));
        }
        if (!is_not_here(answer.error())) {
            return answer.error();
        }
    }
    const bool recursive = request.query.flag("recursive");
    const std::vector<GitEntry> entries =
        listing->below(spot.path, recursive ? GitRepo::Recursive::Yes : GitRepo::Recursive::No);
    LOCARA_TRY(const ListPage part, page_of(request, entries.size(), kPage));
    const auto at = [&entries](std::size_t i) {
        return entries.begin() + static_cast<std::ptrdiff_t>(i);
    };
    LOCARA_TRY(const Json list,
               render_entries(door,
                              spot.repo,
                              std::vector(at(part.begin), at(part.end)),
                              expand ? render_commit(spot) : Json()));
    Response response = json_answer(list);
    response.headers.add("X-Repo-Commit", spot.commit);
    part.add_next(request, response);
    return Reaction(std::move(response));
}

Answer<Reaction> paths_info(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const WantedPaths wanted, parse_wanted_paths(request));
    LOCARA_TRY(const Spot spot, door.mirror.locate(visit, request.segments, kApiRevisionAt));
    if (wanted.expand) {
        const Json body = {{"paths", wanted.paths}, {"expand", true}};
        auto answer = door.mirror.pass_on(visit,
                                          spot.repo,
                                          "/paths-info/" + spot.commit,
                                          Mirror::Keep::ForGood,
                                          render_json(body));
        if (answer) {
            LOCARA_TRY(Response response, passed_entries(door, request, spot, *answer));
            return Reaction(std::move(response));
        }
        if (!is_not_here(answer.error())) {
            return answer.error();
        }
    }
    LOCARA_TRY(const auto listing, door.mirror.list(visit, spot.repo, spot.commit));
    std::vector<GitEntry> entries;
    for (const std::string& path : wanted.paths) {
        if (const GitEntry* const entry = listing->find(path)) {
            entries.push_back(*entry);
        }
    }
    LOCARA_TRY(
        const Json list,
        render_entries(door, spot.repo, entries, wanted.expand ? render_commit(spot) : Json()));
    return Reaction(json_answer(list));
}

Answer<Reaction> refs(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.find_revision(visit, "main"));
    auto answer = door.mirror.pass_on(
        visit, spot.repo, "/refs" + keep_query(request, {"include_prs"}), Mirror::Keep::WhileFresh);
    if (!answer && is_not_here(answer.error())) {
        LOCARA_TRY(const Json known, door.mirror.kept_refs(spot.repo));
        return Reaction(json_answer(known));
    }
    LOCARA_CHECK(answer);
    return Reaction(passed_answer(request, *answer));
}

Answer<Reaction> auth_check(const MirrorDoor& door, const Request&, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.find_revision(visit, "main"));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    return Reaction(json_answer(Json::object()));
}

Answer<Reaction> xet_token(const MirrorDoor& door, const Request& request, const Visit& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.locate(visit, request.segments, kApiRevisionAt));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    return Reaction(token_answer(door.services, request, std::nullopt, spot.repo, XetRole::Read));
}

// ---------------------------------------------------------------------------------- models by tag

Answer<Reaction> oci_manifest(const MirrorDoor& door, const Request& request, const Guest& visit) {
    LOCARA_TRY(const Spot spot, door.mirror.find_revision(visit, "main"));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    LOCARA_TRY(const auto listing, door.mirror.list(visit, spot.repo, spot.commit));
    LOCARA_TRY(const OciModel model, find_oci_model(listing->entries(), request.param("tag")));
    return Reaction(oci_manifest_answer(request, model));
}

Answer<Reaction> oci_blob(const MirrorDoor& door, const Request& request, const Guest& visit) {
    LOCARA_TRY(Spot spot, door.mirror.find_revision(visit, "main"));
    LOCARA_CHECK(door.mirror.check_access(visit, spot.repo));
    LOCARA_TRY(const auto listing, door.mirror.list(visit, spot.repo, spot.commit));
    LOCARA_TRY(OciBlob blob, find_oci_blob(listing->entries(), request.param("digest")));
    if (!blob.file) {
        return Reaction(oci_config_answer(request, std::move(blob.config)));
    }
    spot.path = blob.file->path;
    LOCARA_TRY(Reaction reaction, serve_file(door, request, visit, spot, *blob.file, {}));
    auto* const waiting = std::get_if<Waiting>(&reaction);
    add_oci_blob_headers(waiting != nullptr ? waiting->response : std::get<Response>(reaction),
                         request,
                         spot.commit,
                         *blob.file);
    return reaction;
}

/// What git and git-lfs ask, each told in the form that it shows to people. Not 401, which makes
/// git ask for a password that nobody has.
enum class Tool { Git, Lfs };

asio::awaitable<Response>
refuse_git(const MirrorDoor& door, RepoType type, Tool tool, Request request) {
    RepoId id{type, request.param("org"), request.param("repo")};
    constexpr std::string_view kEnd = ".git";
    if (id.name.size() > kEnd.size() && id.name.substr(id.name.size() - kEnd.size()) == kEnd) {
        id.name.resize(id.name.size() - kEnd.size());
    }
    const auto look = [&] { return door.mirror.claims(id); };
    const auto claimed = co_await http::run_blocking(door.here, look);
    if (claimed && !*claimed) {
        co_return co_await door.behind.handle(std::move(request));
    }
    if (!claimed) {
        co_return render_refusal(claimed.error(), request, door.services.log);
    }
    const std::string words =
        "this hub has no git repository " + id.render_web() +
        ". Of repositories that it mirrors it has the files and not the git history: download "
        "those (hf download, or /resolve/), or clone from where the repository lives";
    Response response =
        render_refusal(Refusal(404, "RepoNotFound", words), request, door.services.log);
    const bool git = tool == Tool::Git;
    response.headers.set("Content-Type",
                         git ? "text/plain; charset=utf-8" : "application/vnd.git-lfs+json");
    response.body = git ? words + "\n" : render_json({{"message", words}});
    co_return response;
}

// ------------------------------------------------------------------------------------------ search

/// Whether a list names one of this hub's namespaces, by `author` or by an id in `search`. That is
/// never upstream's affair.
Answer<bool> names_own_space(const MirrorDoor& door, const Request& request) {
    std::vector<std::string> spaces = request.query.all("author");
    for (const std::string& text : request.query.all("search")) {
        if (const std::size_t slash = text.find('/'); slash != std::string::npos) {
            spaces.push_back(text.substr(0, slash));
        }
    }
    for (const std::string& space : spaces) {
        if (is_repo_part(space)) {
            LOCARA_TRY(const bool own, door.services.names.is_own_space(space));
            if (own) {
                return true;
            }
        }
    }
    return false;
}

/// Some of a list, and where it goes on: path and query here, empty for nowhere.
struct Found {
    Json list = Json::array();
    std::string next;
};

/// The query without where it goes on, encoded.
std::string plain_query(const Request& request) {
    std::string query;
    for (const auto& [key, value] : request.query.fields()) {
        if (key != kUpstreamPage && key != kKeptPage && key != "cursor" && key != "limit") {
            query += (query.empty() ? "" : "&") + percent_encode(key) + "=" + percent_encode(value);
        }
    }
    return query;
}

/// The same list from `what` on.
std::string next_of(const Request& request, std::size_t limit, const std::string& what) {
    const std::string query = plain_query(request);
    return request.path + "?" + query + (query.empty() ? "" : "&") +
           "limit=" + std::to_string(limit) + "&" + what;
}

/// Upstream's link to its next page, for pages of `limit`.
std::string with_limit(const std::string& next, std::size_t limit) {
    std::string text;
    for (std::size_t begin = 0; begin < next.size();) {
        const std::size_t end = std::min(next.find_first_of("?&", begin), next.size() - 1) + 1;
        const std::string part = next.substr(begin, end - begin);
        const bool last = part.back() != '?' && part.back() != '&';
        text += part.rfind("limit=", 0) == 0
                    ? "limit=" + std::to_string(limit) + (last ? "" : part.substr(part.size() - 1))
                    : part;
        begin = end;
    }
    return text;
}

/// What upstream finds, at most `room` of it, without what this hub would not give. Further pages
/// have `limit`.
Answer<Found> find_upstream(const MirrorDoor& door,
                            const Request& request,
                            const Asker& asker,
                            RepoType type,
                            std::size_t room,
                            std::size_t limit) {
    std::string query = plain_query(request);
    query += (query.empty() ? "limit=" : "&limit=") + std::to_string(room);
    if (request.query.flag(kUpstreamPage)) {
        for (const std::string& cursor : request.query.all("cursor")) {
            query += "&cursor=" + percent_encode(cursor);
        }
    }
    LOCARA_TRY(const UpstreamAnswer answer, door.mirror.search(type, query, asker));
    auto list = parse_list(answer.body);
    if (!list) {
        return Refusal(502, "UpstreamCorrupt", "the hub that this one mirrors gives no list");
    }
    Found found;
    for (Json& one : *list) {
        const std::string id = one.is_object() ? text_at(one, "id").value_or("") : "";
        const auto repo = RepoId::parse(type, id);
        if (!repo || found.list.size() == room) {
            continue;
        }
        LOCARA_TRY(const bool claimed, door.mirror.claims(*repo));
        if (claimed && door.mirror.check_rules(*repo)) {
            found.list.push_back(std::move(one));
        }
    }
    if (!answer.next.empty()) {
        found.next = with_limit(answer.next, limit) + "&" + kUpstreamPage + "=1";
    }
    return found;
}

/// What is here of upstream's and fits.
Answer<Found> find_kept(const MirrorDoor& door,
                        const Request& request,
                        RepoType type,
                        std::size_t room,
                        std::size_t limit) {
    LOCARA_TRY(auto all,
               door.mirror.describe_kept(type, request.query.find("author").value_or("")));
    const auto other = [&request](const Json& repo) { return !fits(request, repo); };
    all.erase(std::remove_if(all.begin(), all.end(), other), all.end());
    LOCARA_CHECK(sort_by_query(request, all));
    std::optional<std::size_t> cursor;
    if (request.query.flag(kKeptPage)) {
        LOCARA_TRY(cursor, given_number(request, "cursor"));
    }
    const std::size_t begin = std::min(cursor.value_or(0), all.size());
    const std::size_t end = std::min(begin + room, all.size());
    Found found;
    for (std::size_t i = begin; i < end; ++i) {
        shape_for_list(request, all[i]);
        found.list.push_back(std::move(all[i]));
    }
    if (end < all.size()) {
        found.next =
            next_of(request, limit, kKeptPage + std::string("=1&cursor=") + std::to_string(end));
    }
    return found;
}

/// Our own first; after the last of them what upstream finds. Offline, or if upstream fails, what
/// is here of it.
asio::awaitable<Response> search(const MirrorDoor& door, RepoType type, Request request) {
    const bool theirs = request.query.flag(kUpstreamPage);
    const bool kept = request.query.flag(kKeptPage);
    const bool further = theirs && request.query.find("cursor"); // Only upstream knows from where.
    auto wanted = given_number(request, "limit");
    if (!wanted) {
        co_return render_refusal(wanted.error(), request, door.services.log);
    }
    const std::size_t limit = std::clamp<std::size_t>((*wanted).value_or(kPage), 1, kPage);
    const auto identify = [&] { return door.mirror.identify(request); };
    auto asker = co_await http::run_blocking(door.here, identify);
    if (!asker) {
        co_return render_refusal(asker.error(), request, door.services.log);
    }
    Json all = Json::array();
    if (!theirs && !kept) {
        Request plain = request;
        if (!asker->token.empty()) {
            plain.headers.remove("Authorization"); // It is for upstream, and nothing to our own.
        }
        Response ours = co_await door.behind.handle(std::move(plain));
        const auto* const text = std::get_if<std::string>(&ours.body);
        auto list = text != nullptr ? parse_list(*text) : std::nullopt;
        if (ours.status != 200 || ours.headers.find("Link") || !list) {
            co_return ours;
        }
        all = std::move(*list);
    }
    const auto look = [&] { return names_own_space(door, request); };
    auto own = co_await http::run_blocking(door.here, look);
    if (!own) {
        co_return render_refusal(own.error(), request, door.services.log);
    }
    if (*own) {
        co_return json_answer(all);
    }
    const std::size_t room = limit - std::min(limit, all.size());
    Answer<Found> found = Found();
    const bool asked = further || (!kept && !door.mirror.is_offline());
    if (asked && room == 0) {
        found = Found{Json::array(), next_of(request, limit, kUpstreamPage + std::string("=1"))};
    } else if (asked) {
        const auto ask = [&] { return find_upstream(door, request, *asker, type, room, limit); };
        found = co_await http::run_blocking(door.upstream, ask);
    }
    if (!found && !further) {
        door.services.log.warning("mirror", "search_failed", {{"error", found.error().message}});
    }
    if (!asked || (!found && !further)) {
        const auto find = [&] { return find_kept(door, request, type, room, limit); };
        found = co_await http::run_blocking(door.here, find);
    }
    if (!found) {
        co_return render_refusal(found.error(), request, door.services.log);
    }
    for (Json& one : found->list) {
        all.push_back(std::move(one));
    }
    Response response = json_answer(all);
    if (!found->next.empty()) {
        response.headers.add("Link", "<" + endpoint(request) + found->next + ">; rel=\"next\"");
    }
    co_return response;
}

// -------------------------------------------------------------------------------------------- door

/// The visit of a request, if it is about a repository of upstream's.
Answer<std::optional<Guest>>
begin_visit(const MirrorDoor& door, const Request& request, RepoType type) {
    Guest visit;
    visit.before = door.warm.before();
    visit.id = {type, request.param("org"), request.param("repo")};
    LOCARA_TRY(const bool claimed, door.mirror.claims(visit.id));
    if (!claimed) {
        return std::optional<Guest>();
    }
    LOCARA_TRY(visit.asker, door.mirror.identify(request));
    LOCARA_CHECK(door.mirror.check_rules(visit.id));
    return std::optional(std::move(visit));
}

/// Whether it may be about an id without a namespace instead: "/api/models/gpt2/refs".
bool is_ambiguous(const Request& request) {
    const auto& calls = kCallsWithoutRevision;
    return request.path.starts_with("/api/") &&
           std::count(request.path.begin(), request.path.end(), '/') == 4 &&
           std::find(calls.begin(), calls.end(), request.param("repo")) != calls.end();
}

asio::awaitable<Response>
enter(const MirrorDoor& door, Handle handle, RepoType type, Request request) {
    Log& log = door.services.log;
    const auto flags = check_flags(request);
    if (!flags) {
        co_return render_refusal(flags.error(), request, log);
    }
    const auto begin = [&] { return begin_visit(door, request, type); };
    auto begun = co_await http::run_blocking(door.here, begin);
    // "gpt2/refs" may be what the rules do not allow, and a call about gpt2 all the same.
    const bool refused = !begun && !is_ambiguous(request);
    if (refused) {
        co_return render_refusal(begun.error(), request, log);
    }
    if (!begun || !*begun) {
        co_return co_await door.behind.handle(std::move(request));
    }
    Guest visit = std::move(**begun);
    const auto work = [&] { return handle(door, request, visit); };
    auto reaction = co_await http::run_blocking(door.here, work);
    if (!reaction && is_wanting(reaction.error())) {
        visit.reach = Reach::Upstream;
        reaction = co_await http::run_blocking(door.upstream, work);
    }
    if (!reaction && is_ambiguous(request)) {
        co_return co_await door.behind.handle(std::move(request));
    }
    if (!reaction) {
        co_return render_refusal(reaction.error(), request, log);
    }
    if (auto* const response = std::get_if<Response>(&*reaction)) {
        co_return std::move(*response);
    }
    auto answer = co_await when_begun(std::move(std::get<Waiting>(*reaction)));
    if (!answer) {
        co_return render_refusal(answer.error(), request, log);
    }
    co_return std::move(answer).value();
}

} // namespace

void add_mirror_routes(http::Router& router, const MirrorDoor& door) {
    const auto bind = [&door](RepoType type, Handle handle) {
        return [&door, type, handle](Request request) {
            return enter(door, handle, type, std::move(request));
        };
    };
    for_each_type([&](RepoType type, const std::string& prefix) {
        const std::string web = prefix + "{org}/{repo}/";
        router.add("GET", web + "resolve/{rev}/{*path}", bind(type, &resolve));
        router.add("GET", web + "raw/{rev}/{*path}", bind(type, &raw));
        const auto refuse = [&door, type](Tool tool) {
            return [&door, type, tool](Request request) {
                return refuse_git(door, type, tool, std::move(request));
            };
        };
        router.add("GET", web + "info/refs", refuse(Tool::Git));
        router.add("POST", web + "git-upload-pack", refuse(Tool::Git));
        router.add("POST", web + "git-receive-pack", refuse(Tool::Git));
        router.add("POST", web + "info/lfs/objects/batch", refuse(Tool::Lfs));
        const std::string all = "/api/" + std::string(render_plural(type));
        const std::string one = all + "/{org}/{repo}";
        router.add("GET", one, bind(type, &info));
        router.add("GET", one + "/revision/{*rev}", bind(type, &info));
        router.add("GET", one + "/tree/{*rev}", bind(type, &tree));
        router.add("POST", one + "/paths-info/{*rev}", bind(type, &paths_info));
        router.add("GET", one + "/refs", bind(type, &refs));
        router.add("GET", one + "/commits/{*rev}", bind(type, &commits));
        router.add("GET", one + "/auth-check", bind(type, &auth_check));
        router.add("GET", one + "/xet-read-token/{*rev}", bind(type, &xet_token));
        router.add("GET", all, [&door, type](Request request) {
            return search(door, type, std::move(request));
        });
    });
    for (const auto& route : {std::pair<const char*, Handle>("manifests/{tag}", &oci_manifest),
                              std::pair<const char*, Handle>("blobs/{digest}", &oci_blob)}) {
        const auto challenge = [handle = route.second](const MirrorDoor& at,
                                                       const Request& request,
                                                       const Guest& visit) -> Answer<Reaction> {
            auto reaction = handle(at, request, visit);
            return reaction ? std::move(reaction)
                            : oci_refusal(std::move(reaction).error(), request);
        };
        router.add("GET",
                   std::string("/v2/{org}/{repo}/") + route.first,
                   bind(RepoType::Model, challenge));
    }
    router.set_fallback(
        [&door](Request request) { return door.behind.handle(std::move(request)); });
}

} // namespace locara::hub
