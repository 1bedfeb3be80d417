#include "file_answers.hpp"

#include "content.hpp"
#include "web_page.hpp"
#include "xet_links.hpp"

#include <locara/base/percent.hpp>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::string_view kFileInfo = "application/vnd.xet-fileinfo+json";

std::string disposition(const Request& request, std::string_view path) {
    const std::size_t slash = path.rfind('/');
    const std::string name =
        percent_encode(slash == std::string_view::npos ? path : path.substr(slash + 1));
    return (request.query.flag("download") ? "attachment" : "inline") +
           std::string("; filename*=UTF-8''") + name + "; filename=\"" + name + "\"";
}

/// The way by Xet, beside the bytes.
void add_xet_headers(Response& response,
                     const Request& request,
                     const FileAt& at,
                     const StoredFile& file) {
    response.headers.add("X-Linked-Etag", "\"" + file.sha256.render() + "\"");
    response.headers.add("X-Linked-Size", std::to_string(file.size));
    response.headers.add("X-Xet-Hash", file.xet.render());
    response.headers.add("Link",
                         "<" + xet_token_url(request, at.repo, "read", at.commit) +
                             ">; rel=\"xet-auth\", <" + reconstruction_url(request, file.xet) +
                             ">; rel=\"xet-reconstruction-info\"");
}

/// The answer to a client that asks for the way instead of the bytes.
Response file_info(const Request& request, const FileAt& at, const StoredFile& file) {
    Response response =
        json_answer({{"hash", file.xet.render()},
                     {"refreshUrl", xet_token_url(request, at.repo, "read", at.commit)},
                     {"reconstructionUrl", reconstruction_url(request, file.xet)},
                     {"etag", "\"" + file.sha256.render() + "\""},
                     {"size", file.size},
                     {"contentType", content_type(at.path)}});
    response.headers.set("Content-Type", kFileInfo);
    response.headers.set("ETag", "\"" + file.sha256.render() + "\"");
    return response;
}

} // namespace

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

void add_file_headers(Response& response, const Request& request, const FileAt& file) {
    if (!file.commit.empty()) {
        response.headers.add("X-Repo-Commit", file.commit);
    }
    response.headers.add("Content-Disposition", disposition(request, file.path));
    response.headers.add("Content-Security-Policy", "default-src 'none'; sandbox");
    const bool open = file.repo.visibility == Visibility::Public && file.repo.gate == Gate::Open;
    response.headers.add("Cache-Control",
                         !open         ? "private, no-cache"
                         : file.pinned ? "public, max-age=31536000, immutable"
                                       : "no-cache");
    if (!open) {
        response.headers.add("Vary", "Authorization, Cookie");
        response.headers.add("Cross-Origin-Resource-Policy", "same-origin");
    }
}

Answer<Caller> identify_reader(const Services& services, const http::Request& request) {
    if (credentials(request)) {
        return identify(services, request);
    }
    const bool reads = request.method == "GET" || request.method == "HEAD";
    return reads && require_own_page(request) ? identify_session(services, request)
                                              : Answer<Caller>(Caller());
}

Answer<Response> close_to_others(const Request& request, Answer<Response> answer) {
    if (answer || !session_cookie(request)) {
        return answer;
    }
    Refusal refusal = std::move(answer).error();
    refusal.headers.add("Cross-Origin-Resource-Policy", "same-origin");
    return refusal;
}

Response stored_answer(const Services& services,
                       const Request& request,
                       const FileAt& at,
                       const StoredFile& file) {
    Response response;
    if (request.headers.find("Accept").value_or("").find(kFileInfo) != std::string_view::npos) {
        response = file_info(request, at, file);
    } else {
        http::Content content;
        content.body = open_content(services.cas, file.xet, file.size);
        content.content_type = content_type(at.path);
        content.etag = "\"" + file.sha256.render() + "\"";
        response = http::content_response(request, std::move(content));
    }
    add_file_headers(response, request, at);
    add_xet_headers(response, request, at, file);
    return response;
}

Response found_answer(const Services& services,
                      const Request& request,
                      const FileAt& at,
                      const FoundFile& found) {
    if (found.stored) {
        return stored_answer(services, request, at, *found.stored);
    }
    http::Content content;
    content.body = *found.blob;
    content.content_type = content_type(at.path);
    content.etag = "\"" + found.oid + "\"";
    Response response = http::content_response(request, std::move(content));
    add_file_headers(response, request, at);
    return response;
}

std::string cas_url(const http::Request& request) {
    return endpoint(request) + "/cas";
}

std::string xet_token_url(const http::Request& request,
                          const Repo& repo,
                          std::string_view kind,
                          std::string_view revision) {
    std::string url = endpoint(request) + "/api/";
    url.append(render_plural(repo.id.type)).append("/").append(repo.id.render());
    url.append("/xet-").append(kind).append("-token");
    return revision.empty() ? url : url + "/" + percent_encode(revision);
}

std::string reconstruction_url(const http::Request& request, const xet::FileHash& file) {
    return cas_url(request) + "/v1/reconstructions/" + file.render();
}

} // namespace locara::hub
