#include <locara/http/server.hpp>

#include <algorithm>

namespace locara::http {
namespace {

/// A GET route answers HEAD.
bool method_fits(std::string_view route, std::string_view request) {
    return route == request || (route == "GET" && request == "HEAD");
}

} // namespace

void Router::add(std::string_view method,
                 std::string_view pattern,
                 Handler handler,
                 RouteOptions options) {
    LOCARA_ASSERT(!pattern.empty() && pattern.front() == '/');
    Route route{std::string(method), std::string(pattern), {}, std::move(handler), options};
    std::string_view rest = pattern.substr(1);
    while (!rest.empty()) { // "/" has no part, as the path "/" has no segment.
        LOCARA_ASSERT(route.parts.empty() || route.parts.back().kind != Part::Kind::Rest);
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        if (part.size() > 2 && part.front() == '{' && part.back() == '}') {
            const bool many = part[1] == '*';
            route.parts.push_back(
                {many ? Part::Kind::Rest : Part::Kind::One,
                 std::string(part.substr(many ? 2 : 1, part.size() - (many ? 3 : 2)))});
        } else {
            route.parts.push_back({Part::Kind::Literal, std::string(part)});
        }
        if (slash == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(slash + 1);
    }
    // Literal before {name} before {*name}, compared from the left; equal ones keep their order.
    const auto more_specific = [](const Route& a, const Route& b) {
        return std::lexicographical_compare(
            a.parts.begin(),
            a.parts.end(),
            b.parts.begin(),
            b.parts.end(),
            [](const Part& x, const Part& y) { return x.kind < y.kind; });
    };
    routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, more_specific),
                   std::move(route));
}

bool Router::matches(const Route& route, const std::vector<std::string>& segments) {
    const auto& parts = route.parts;
    const bool open = !parts.empty() && parts.back().kind == Part::Kind::Rest;
    if (open ? segments.size() < parts.size() : segments.size() != parts.size()) {
        return false;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].kind == Part::Kind::Literal && parts[i].text != segments[i]) {
            return false;
        }
        if (parts[i].kind == Part::Kind::One && segments[i].empty()) {
            return false;
        }
    }
    return true;
}

const Router::Route* Router::find(std::string_view method,
                                  const std::vector<std::string>& segments) const {
    for (const Route& route : routes_) {
        if (method_fits(route.method, method) && matches(route, segments)) {
            return &route;
        }
    }
    return nullptr;
}

std::vector<Router::Entry> Router::list() const {
    std::vector<Entry> entries;
    for (const Route& route : routes_) {
        entries.push_back({route.method, route.pattern});
    }
    return entries;
}

BodyRule Router::body_rule(const Request& head, std::uint64_t otherwise) const {
    const Route* const route = find(head.method, head.segments);
    BodyRule rule;
    rule.limit = route != nullptr ? route->options.body_limit.value_or(otherwise) : otherwise;
    rule.delivery = route != nullptr ? route->options.delivery : Delivery::Whole;
    return rule;
}

} // namespace locara::http
