// Content of repositories: resolve gives files, raw gives what git holds.
#include "file_answers.hpp"
#include "place.hpp"
#include "routes.hpp"

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::uint64_t kBlobLimit = 64U << 20U;

FileAt at(const Place& place) {
    return {place.repo, place.commit, place.path, place.pinned};
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
    add_file_headers(response, request, at(place));
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
    return stored_answer(services, request, at(place), *file);
}

Answer<Response> resolve(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place,
               locate(services, request, type, web_revision_at(type), Action::Read));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    return file.lfs ? serve_stored(services, request, place, *file.lfs)
                    : serve_blob(request, place, file);
}

Answer<Response> raw(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place,
               locate(services, request, type, web_revision_at(type), Action::Read));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    return serve_blob(request, place, file);
}

} // namespace

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
