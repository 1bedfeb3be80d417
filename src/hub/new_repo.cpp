#include "new_repo.hpp"

#include "content_gate.hpp"
#include "disk_use.hpp"
#include "given.hpp"

#include <locara/base/secret.hpp>
#include <locara/hub/config.hpp>
#include <locara/hub/repositories.hpp>

#include <algorithm>
#include <system_error>

namespace locara::hub {

Answer<std::optional<Visibility>> parse_visibility(const Json& body) {
    LOCARA_TRY(const auto closed, given_truth(body, "private"));
    const auto word = body.find("visibility");
    if (word != body.end() && !word->is_null()) {
        for (const Visibility known : {Visibility::Public, Visibility::Private}) {
            const bool said =
                word->is_string() && word->get_ref<const std::string&>() == render(known);
            if (said && closed && *closed != (known == Visibility::Private)) {
                return bad_request("visibility and private contradict each other; send one");
            }
            if (said) {
                return std::optional(known);
            }
        }
        constexpr std::size_t kShown = 64;
        const std::string found = word->dump(-1, ' ', false, Json::error_handler_t::replace);
        return bad_request("visibility: found " + found.substr(0, kShown) +
                           R"(, allowed are "public" and "private")");
    }
    return closed ? std::optional(*closed ? Visibility::Private : Visibility::Public)
                  : std::optional<Visibility>();
}

Answer<std::monostate> require_settings(const Json& body,
                                        std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : body.items()) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            std::string names;
            for (const std::string_view name : known) {
                names += (names.empty() ? "" : ", ") + std::string(name);
            }
            constexpr std::size_t kShown = 64;
            return bad_request("this hub has no setting '" + key.substr(0, kShown) + "', but " +
                               names);
        }
    }
    return std::monostate();
}

Status check_visibility(const RepoConfig& rules, RepoType type, Visibility visibility) {
    if (visibility == Visibility::Private || rules.may_be_public(type)) {
        return {};
    }
    const std::string kind(type == RepoType::Space ? "app" : render(type));
    return Error(ErrorCode::Forbidden,
                 "this hub is no public registry of " + kind +
                     "s: make it private, or have its operator add \"" + kind +
                     "\" to `public` of [repos] in hub.toml");
}

Result<Visibility>
choose_visibility(const Services& services, const RepoId& id, std::optional<Visibility> asked) {
    if (asked) {
        LOCARA_CHECK(check_visibility(services.rules, id.type, *asked));
        return *asked;
    }
    if (!services.rules.may_be_public(id.type)) {
        return Visibility::Private;
    }
    return services.organizations.default_visibility(id.space);
}

std::string repo_url(const http::Request& request, const RepoId& id) {
    return endpoint(request) + "/" + id.render_web();
}

http::Response already_there(const http::Request& request, const RepoId& id) {
    const std::string message =
        "You already created this " + std::string(render(id.type)) + " repo: " + id.render();
    http::Response response = json_answer({{"error", message}, {"url", repo_url(request, id)}});
    response.status = 409;
    response.headers.add("X-Error-Message", message);
    return response;
}

Result<Repo> create_repo(const Services& services, Repo repo, const GitSnapshot& first) {
    // What the hub wrote itself too: content without a verdict would have that of whoever brings it
    // elsewhere, under a bad name.
    for (const GitFile& file : first.files) {
        if (!LfsPointer::parse(file.content)) { // Its content was judged, or will be.
            LOCARA_CHECK(pass_gate(services, file.content, file.path));
        }
    }
    return create_repo(services.names, services.repos, std::move(repo), first);
}

Result<Repo>
create_repo(Names& names, const std::filesystem::path& repos, Repo repo, const GitSnapshot& first) {
    // What was mirrored under this name gives way: the namespace is the hub's own now.
    LOCARA_TRY(const auto mirrored, names.find_repo(repo.id));
    if (mirrored && mirrored->origin != Origin::Here) {
        LOCARA_CHECK(names.remove_repo(mirrored->key));
    }
    repo.internal = random_hex(12);
    const std::filesystem::path folder = repo_folder(repos, repo.internal);
    LOCARA_TRY(GitRepo git, GitRepo::create(folder));
    LOCARA_TRY(const std::string commit, git.write_snapshot(first));
    LOCARA_CHECK(git.move_ref("refs/heads/main", std::nullopt, commit));
    auto added = names.add_repo(repo);
    if (!added) {
        std::error_code ignored; // A folder that no name refers to does no harm.
        std::filesystem::remove_all(folder, ignored);
    }
    return added;
}

Result<RemovedSpace>
remove_repo(Names& names, const std::filesystem::path& repos, const Repo& repo) {
    const std::filesystem::path folder = repo_folder(repos, repo.internal);
    RemovedSpace space{allocated_bytes(folder), 0};
    LOCARA_TRY(const auto files, names.list_files(repo.key));
    for (const StoredFile& file : files) {
        space.reclaimable += file.size;
    }
    LOCARA_CHECK(names.remove_repo(repo.key));
    std::error_code ignored; // What no name refers to does no harm; the store's gc takes the rest.
    std::filesystem::remove_all(folder, ignored);
    return space;
}

Json render(const RemovedSpace& space) {
    return {{"freedBytes", space.freed}, {"reclaimableBytes", space.reclaimable}};
}

} // namespace locara::hub
