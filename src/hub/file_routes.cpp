// Content of repositories: resolve gives files, raw gives what git holds.
#include "content.hpp"
#include "place.hpp"
#include "routes.hpp"
#include "xet_links.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::uint64_t kBlobLimit = 64U << 20U;
constexpr std::string_view kFileInfo = "application/vnd.xet-fileinfo+json";

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

/// What every answer about a file carries, whatever its body is.
void add_common_headers(Response& response, const Request& request, const Place& place) {
    response.headers.add("X-Repo-Commit", place.commit);
    response.headers.add("Content-Disposition", disposition(request, place.path));
    response.headers.add("Content-Security-Policy", "default-src 'none'; sandbox");
    const bool open = place.repo.visibility == Visibility::Public;
    response.headers.add("Cache-Control",
                         !open          ? "private, no-cache"
                         : place.pinned ? "public, max-age=31536000, immutable"
                                        : "no-cache");
}

Answer<GitEntry> find_entry(const Place& place) {
    LOCARA_TRY(const auto entry, place.git.find(place.commit, place.path));
    if (!entry || entry->kind == GitEntry::Kind::Directory) {
        return no_such_entry(place.commit);
    }
    return *entry;
}

/// A file that git itself holds.
Answer<Response> serve_blob(const Request& request, const Place& place, const GitEntry& file) {
    http::Content content;
    LOCARA_TRY(content.body, place.git.read_blob(file.oid, kBlobLimit));
    content.content_type = content_type(place.path);
    content.etag = "\"" + file.oid + "\"";
    Response response = http::content_response(request, std::move(content));
    add_common_headers(response, request, place);
    return response;
}

/// The way by Xet, beside the bytes.
void add_xet_headers(Response& response,
                     const Request& request,
                     const Place& place,
                     const StoredFile& file) {
    response.headers.add("X-Linked-Etag", "\"" + file.sha256.render() + "\"");
    response.headers.add("X-Linked-Size", std::to_string(file.size));
    response.headers.add("X-Xet-Hash", file.xet.render());
    response.headers.add("Link",
                         "<" + xet_token_url(request, place.repo, "read", place.commit) +
                             ">; rel=\"xet-auth\", <" + reconstruction_url(request, file.xet) +
                             ">; rel=\"xet-reconstruction-info\"");
}

/// The answer to a client that asks for the way instead of the bytes.
Response file_info(const Request& request, const Place& place, const StoredFile& file) {
    Response response =
        json_answer({{"hash", file.xet.render()},
                     {"refreshUrl", xet_token_url(request, place.repo, "read", place.commit)},
                     {"reconstructionUrl", reconstruction_url(request, file.xet)},
                     {"etag", "\"" + file.sha256.render() + "\""},
                     {"size", file.size},
                     {"contentType", content_type(place.path)}});
    response.headers.set("Content-Type", kFileInfo);
    response.headers.set("ETag", "\"" + file.sha256.render() + "\"");
    return response;
}

/// A file whose pointer git holds.
Answer<Response> serve_stored(const Services& services,
                              const Request& request,
                              const Place& place,
                              const LfsPointer& pointer) {
    LOCARA_TRY(const auto file, services.names.find_file(place.repo.key, pointer.sha256));
    if (!file) {
        return Error(ErrorCode::Internal,
                     place.repo.id.render() + " names sha256:" + pointer.sha256.render() +
                         ", which is not among its files");
    }
    Response response;
    if (request.headers.find("Accept").value_or("").find(kFileInfo) != std::string_view::npos) {
        response = file_info(request, place, *file);
    } else {
        http::Content content;
        content.body = open_content(services.cas, file->xet, file->size);
        content.content_type = content_type(place.path);
        content.etag = "\"" + file->sha256.render() + "\"";
        response = http::content_response(request, std::move(content));
    }
    add_common_headers(response, request, place);
    add_xet_headers(response, request, place, *file);
    return response;
}

Answer<Response> resolve(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, web_revision_at(type)));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    return file.lfs ? serve_stored(services, request, place, *file.lfs)
                    : serve_blob(request, place, file);
}

Answer<Response> raw(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, locate(services, request, type, web_revision_at(type)));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    return serve_blob(request, place, file);
}

} // namespace

std::string cas_url(const http::Request& request) {
    return endpoint(request) + "/cas";
}

std::string xet_token_url(const http::Request& request,
                          const Repo& repo,
                          std::string_view kind,
                          std::string_view revision) {
    std::string url = endpoint(request) + "/api/";
    url.append(render_plural(repo.id.type)).append("/").append(repo.id.render());
    url.append("/xet-").append(kind).append("-token/");
    return url + percent_encode(revision);
}

std::string reconstruction_url(const http::Request& request, const xet::FileHash& file) {
    return cas_url(request) + "/v1/reconstructions/" + file.render();
}

void add_file_routes(Routes& routes, const Services& services) {
    for_each_type([&](RepoType type, const std::string& prefix) {
        const std::string repo = prefix + "{org}/{repo}/";
        routes.get(repo + "resolve/{rev}/{*path}", [&services, type](const Request& request) {
            return resolve(services, request, type);
        });
        routes.get(repo + "raw/{rev}/{*path}", [&services, type](const Request& request) {
            return raw(services, request, type);
        });
    });
}

} // namespace locara::hub
