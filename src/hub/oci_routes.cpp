#include "content_gate.hpp"
#include "file_answers.hpp"
#include "oci_answers.hpp"
#include "place.hpp"
#include "routes.hpp"

#include <locara/base/percent.hpp>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

/// What a repository of this hub has at main.
struct Found {
    Place place;
    std::vector<GitEntry> entries;
};

Answer<Found> look(const Services& services, const Request& request) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, RepoType::Model, Action::Read));
    LOCARA_TRY(Place place, open_place(services, repo, "main"));
    LOCARA_TRY(auto entries, place.git.list(place.commit, "", GitRepo::Recursive::Yes));
    return Found{std::move(place), std::move(entries)};
}

Answer<Response> manifest(const Services& services, const Request& request) {
    LOCARA_TRY(const Found found, look(services, request));
    LOCARA_TRY(const OciModel model, find_oci_model(found.entries, request.param("tag")));
    return oci_manifest_answer(request, model);
}

Answer<Response> blob(const Services& services, const Request& request) {
    LOCARA_TRY(const Found found, look(services, request));
    LOCARA_TRY(OciBlob blob, find_oci_blob(found.entries, request.param("digest")));
    if (!blob.file) {
        return oci_config_answer(request, std::move(blob.config));
    }
    const Repo& repo = found.place.repo;
    LOCARA_CHECK(check_served(services, repo.key, content_id(*blob.file)));
    LOCARA_TRY(const auto stored, services.names.find_file(repo.key, blob.file->lfs->sha256));
    if (!stored) {
        return no_such_entry(found.place.commit);
    }
    const FileAt at{repo, found.place.commit, blob.file->path, false};
    Response response = stored_answer(services, request, at, *stored);
    add_oci_blob_headers(response, request, found.place.commit, *blob.file);
    return response;
}

/// Where ollama is led to when it must say who asks, signed with a key of its own: this hub knows
/// access tokens alone.
Answer<Response> token(const Request&) {
    return Refusal(403,
                   "",
                   "this repository is not for everybody, or not there, and this hub does not know "
                   "ollama's keys: download it with a token (hf download, locara pull)");
}

} // namespace

Response oci_manifest_answer(const Request& request, const OciModel& model) {
    if (request.headers.find("User-Agent").value_or("").starts_with("llama-cpp")) {
        return json_answer(model.render_files());
    }
    http::Content content;
    content.body = model.render();
    content.content_type = kOciManifestType;
    return http::content_response(request, std::move(content));
}

Response oci_config_answer(const Request& request, std::string config) {
    http::Content content;
    content.body = std::move(config);
    content.content_type = "application/vnd.docker.container.image.v1+json";
    Response response = http::content_response(request, std::move(content));
    response.headers.set("Location", endpoint(request) + request.path);
    return response;
}

void add_oci_blob_headers(Response& response,
                          const Request& request,
                          const std::string& commit,
                          const GitEntry& file) {
    response.headers.set("Docker-Content-Digest", "sha256:" + file.lfs->sha256.render());
    response.headers.set("Location",
                         endpoint(request) + "/" + request.param("org") + "/" +
                             request.param("repo") + "/resolve/" + commit + "/" +
                             percent_encode(file.path, "/"));
}

Refusal oci_refusal(Refusal refusal, const Request& request) {
    if (refusal.status == 401) {
        const std::string at = endpoint(request);
        refusal.headers.set("WWW-Authenticate",
                            "Bearer realm=\"" + at + "/v2/token\",service=\"" +
                                at.substr(at.find("//") + 2) + "\",scope=\"repository:" +
                                request.param("org") + "/" + request.param("repo") + ":pull\"");
    }
    return refusal;
}

void add_oci_routes(Routes& routes, const Services& services) {
    const auto add = [&](const std::string& pattern, auto handle) {
        routes.get(pattern, [&services, handle](const Request& request) -> Answer<http::Response> {
            auto answer = handle(services, request);
            return answer ? std::move(answer) : oci_refusal(std::move(answer).error(), request);
        });
    };
    add("/v2/{org}/{repo}/manifests/{tag}", &manifest);
    add("/v2/{org}/{repo}/blobs/{digest}", &blob);
    routes.get("/v2/token", &token);
}

} // namespace locara::hub
