// Content of repositories: resolve gives files, raw gives what git holds.
#include "content_gate.hpp"
#include "file_answers.hpp"
#include "place.hpp"
#include "routes.hpp"
#include "warm_files.hpp"

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
Answer<FoundFile> read_blob(const Place& place, const GitEntry& file) {
    FoundFile found{file.oid, {}, {}};
    LOCARA_TRY(found.blob, place.git.read_blob(file.oid, kBlobLimit));
    return found;
}

/// A file whose pointer git holds.
Answer<FoundFile> find_stored(const Services& services, const Place& place, const GitEntry& file) {
    FoundFile found{file.oid, {}, {}};
    LOCARA_TRY(found.stored, services.names.find_file(place.repo.key, file.lfs->sha256));
    if (!found.stored) {
        return no_such_entry(place.commit,
                             "the content of " + place.path +
                                 " is here no more: it was deleted, or squashed away");
    }
    return found;
}

Answer<Response>
resolve(const Services& services, WarmFiles& warm, const Request& request, RepoType type) {
    const WarmFiles::Before before = warm.before();
    LOCARA_TRY(const Caller caller, identify_reader(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::Read));
    LOCARA_TRY(const Place place, locate_in(services, request, repo, web_revision_at(type)));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    LOCARA_CHECK(check_served(services, place.repo.key, content_id(file)));
    LOCARA_TRY(const FoundFile found,
               file.lfs ? find_stored(services, place, file) : read_blob(place, file));
    if (!caller ||
        credentials(request)) { // What is kept is found again by the token, not a cookie.
        warm.keep(before, request, caller, place, found);
    }
    return found_answer(services, request, at(place), found);
}

Answer<Response> raw(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify_reader(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::Read));
    LOCARA_TRY(const Place place, locate_in(services, request, repo, web_revision_at(type)));
    LOCARA_TRY(const GitEntry file, find_entry(place));
    LOCARA_CHECK(check_served(services, place.repo.key, file.oid));
    LOCARA_TRY(const FoundFile found, read_blob(place, file));
    return found_answer(services, request, at(place), found);
}

} // namespace

void add_resolve_routes(Routes& routes, const Services& services, WarmFiles& warm) {
    for_each_type([&](RepoType type, const std::string& prefix) {
        routes.get(prefix + "{org}/{repo}/resolve/{rev}/{*path}",
                   [&services, &warm, type](const Request& request) {
                       return close_to_others(request, resolve(services, warm, request, type));
                   });
    });
}

void add_file_routes(Routes& routes, const Services& services) {
    for_each_type([&](RepoType type, const std::string& prefix) {
        routes.get(prefix + "{org}/{repo}/raw/{rev}/{*path}",
                   [&services, type](const Request& request) {
                       return close_to_others(request, raw(services, request, type));
                   });
    });
}

} // namespace locara::hub
