// The target of a request, and which route it leads to. What is taken was decoded once, leads
// nowhere up and stays the same when it is written anew; a route is found as somebody finds it who
// reads the patterns by himself.
#include "../target.hpp"

#include <locara/base/percent.hpp>
#include <locara/http/server.hpp>

#include <algorithm>

using namespace locara;

namespace {

// Of each shape that the hub's routes have (src/hub/openapi.cpp).
constexpr const char* kPatterns[] = {
    "/",
    "/{org}/{repo}",
    "/{org}/{repo}/resolve/{*rev}",
    "/{org}/{repo}/info/lfs/objects/{oid}",
    "/datasets/{org}/{repo}",
    "/datasets/{org}/{repo}/resolve/{*rev}",
    "/api/models",
    "/api/models/{org}/{repo}",
    "/api/models/{org}/{repo}/tree/{*rev}",
    "/api/{kind}/{org}/{repo}",
    "/cas/xorbs/{hash}",
    "/catalog/{*path}",
};

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('/', begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

/// The parts of a pattern as letters, the most specific first: a literal, {one}, {*rest}.
std::string shape_of(std::string_view pattern) {
    std::string shape;
    for (const std::string& part : split(pattern.substr(1))) {
        shape += part.rfind("{*", 0) == 0 ? 'c' : part.rfind('{', 0) == 0 ? 'b' : 'a';
    }
    return pattern == "/" ? "" : shape;
}

bool fits(std::string_view pattern, const std::vector<std::string>& segments) {
    const std::string shape = shape_of(pattern);
    const std::vector<std::string> parts = split(pattern.substr(1));
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i == segments.size() || (shape[i] == 'a' && parts[i] != segments[i]) ||
            (shape[i] == 'b' && segments[i].empty())) {
            return false;
        }
        if (shape[i] == 'c') {
            return true;
        }
    }
    return segments.size() == shape.size();
}

const http::Router& router() {
    static const http::Router all = [] {
        http::Router made;
        std::uint64_t number = 0;
        for (const char* const pattern : kPatterns) {
            http::RouteOptions options;
            options.body_limit = ++number; // Tells which one was found.
            made.add("GET", pattern, {}, options);
        }
        return made;
    }();
    return all;
}

void check_route(const http::Request& request) {
    const std::uint64_t found = router().body_rule(request, 0).limit;
    const char* const chosen = found == 0 ? nullptr : kPatterns[found - 1];
    LOCARA_ASSERT(chosen == nullptr || fits(chosen, request.segments));
    for (const char* const pattern : kPatterns) {
        LOCARA_ASSERT(!fits(pattern, request.segments) ||
                      (chosen != nullptr && shape_of(chosen) <= shape_of(pattern)));
    }
}

http::Request parse(const std::string& target, bool& good) {
    http::Request request;
    request.method = "GET";
    request.target = target;
    const Status parsed = http::parse_target(request);
    good = parsed.has_value();
    LOCARA_ASSERT(good || parsed.error().code() == ErrorCode::InvalidArgument);
    LOCARA_ASSERT(request.path == target.substr(0, target.find('?')));
    return request;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string target(reinterpret_cast<const char*>(data), size);
    bool good = false;
    const http::Request request = parse(target, good);
    if (!good) {
        return 0;
    }
    const std::string raw = request.path.substr(1);
    const std::vector<std::string> parts = split(raw);
    LOCARA_ASSERT(request.segments.size() == (raw.empty() ? 0 : parts.size()));
    std::string again;
    for (std::size_t i = 0; i < request.segments.size(); ++i) {
        const std::string& segment = request.segments[i];
        LOCARA_ASSERT(segment != "." && segment != "..");
        LOCARA_ASSERT(segment.find('%') == std::string::npos ||
                      parts[i].find("%25") != std::string::npos); // Decoded, and only once.
        LOCARA_ASSERT(parts[i].find('%') != std::string::npos || parts[i] == segment);
        again += "/" + percent_encode(segment);
    }
    again += request.segments.empty() ? "/?" : "?";
    for (const auto& [key, value] : request.query.fields()) {
        again += percent_encode(key) + "=" + percent_encode(value) + "&";
        LOCARA_ASSERT(request.query.find(key) && !request.query.all(key).empty());
    }
    const http::Request same = parse(again, good);
    LOCARA_ASSERT(good && same.segments == request.segments);
    LOCARA_ASSERT(same.query.fields() == request.query.fields());
    check_route(request);
    return 0;
}
