#include "credentials.hpp"
#include "mirror_routes.hpp"
#include "routes.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using http::Request;
using http::Response;

/// The target of a request with another id as its segment `at`. Without a host: the Python client
/// takes a redirect that has one for the end of its way.
std::string redirected(const Request& request, std::size_t at, const RepoId& id) {
    std::size_t begin = 1;
    for (std::size_t i = 0; i < at; ++i) {
        begin = request.target.find('/', begin) + 1;
    }
    const std::size_t end =
        std::min(request.target.find_first_of("/?", begin), request.target.size());
    return request.target.substr(0, begin) + id.render() + request.target.substr(end);
}

/// Nothing for what is not upstream's.
Answer<std::optional<RepoId>>
find_alias(const MirrorDoor& door, const std::string& name, RepoType type, Reach reach) {
    if (!is_repo_part(name) || is_reserved_space(name)) {
        return std::optional<RepoId>();
    }
    LOCARA_TRY(const bool own, door.services.names.is_own_space(name));
    if (own) {
        return std::optional<RepoId>();
    }
    LOCARA_TRY(RepoId id, door.mirror.find_alias(type, name, reach));
    return std::optional(std::move(id));
}

asio::awaitable<Response>
enter(const MirrorDoor& door, RepoType type, std::size_t at, Request request) {
    const std::string name = request.param("name");
    Reach reach = Reach::Here;
    const auto work = [&] { return find_alias(door, name, type, reach); };
    auto id = co_await http::run_blocking(door.here, work);
    if (!id && is_wanting(id.error())) {
        reach = Reach::Upstream;
        id = co_await http::run_blocking(door.upstream, work);
    }
    if (id && !*id) {
        co_return co_await door.behind.handle(std::move(request));
    }
    Refusal refusal =
        id ? Refusal(307, "", name + " is " + (*id)->render()) : Refusal(std::move(id).error());
    if (refusal.code == "RepoNotFound") { // Upstream was asked without the caller's token.
        refusal.status = credentials(request) ? 404 : 401;
    }
    if (id) {
        refusal.headers.add("Location", redirected(request, at, **id));
    }
    co_return render_refusal(refusal, request, door.services.log);
}

} // namespace

void add_alias_routes(http::Router& router, const MirrorDoor& door) {
    for (const RepoType type : {RepoType::Model, RepoType::Dataset}) { // Spaces had none.
        const auto add = [&](const char* method, const std::string& pattern, std::size_t at) {
            router.add(method, pattern, [&door, type, at](Request request) {
                return enter(door, type, at, std::move(request));
            });
        };
        const std::string web = "/" + std::string(web_prefix(type)) + "{name}/";
        const std::size_t web_at = web_revision_at(type) - 3;
        add("GET", web + "resolve/{rev}/{*path}", web_at);
        add("GET", web + "raw/{rev}/{*path}", web_at);
        const std::string api = "/api/" + std::string(render_plural(type)) + "/{name}";
        add("GET", api, 2);
        for (const char* const call : {"revision", "tree", "commits", "xet-read-token"}) {
            add("GET", api + "/" + call + "/{*rev}", 2);
        }
        add("POST", api + "/paths-info/{*rev}", 2);
        for (const std::string_view call : kCallsWithoutRevision) {
            add("GET", api + "/" + std::string(call), 2);
        }
    }
    router.set_fallback(
        [&door](Request request) { return door.behind.handle(std::move(request)); });
}

} // namespace locara::hub
