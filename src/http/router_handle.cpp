// The coroutine of a Router: apart from the rest of it, which is fuzzed, since clang 14 cannot
// compile coroutines with the coverage that libFuzzer wants.
#include <locara/http/server.hpp>

#include <algorithm>

namespace locara::http {

boost::asio::awaitable<Response> Router::handle(Request request) const {
    const Route* const route = find(request.method, request.segments);
    if (route != nullptr) {
        request.notes->route = route->pattern;
        for (std::size_t i = 0; i < route->parts.size(); ++i) {
            const Part& part = route->parts[i];
            if (part.kind == Part::Kind::One) {
                request.params[part.text] = request.segments[i];
            } else if (part.kind == Part::Kind::Rest) {
                std::string rest = request.segments[i];
                for (std::size_t j = i + 1; j < request.segments.size(); ++j) {
                    rest += '/';
                    rest += request.segments[j];
                }
                request.params[part.text] = std::move(rest);
            }
        }
        co_return co_await route->handler(std::move(request));
    }
    std::vector<std::string> allowed;
    for (const Route& other : routes_) {
        if (matches(other, request.segments)) {
            allowed.push_back(other.method);
            if (other.method == "GET") {
                allowed.push_back("HEAD");
            }
        }
    }
    if (!allowed.empty()) {
        std::sort(allowed.begin(), allowed.end());
        allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
        std::string list;
        for (const std::string& method : allowed) {
            list += (list.empty() ? "" : ", ") + method;
        }
        Response response =
            problem(405, "found " + request.method + " " + request.path + ", allowed: " + list);
        response.headers.add("Allow", list);
        co_return response;
    }
    if (fallback_) {
        co_return co_await fallback_(std::move(request));
    }
    co_return problem(404, "there is nothing at " + request.path, "not_found");
}

} // namespace locara::http
