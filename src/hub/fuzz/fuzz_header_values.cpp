// One value, as each header that is read of a request: ranges, conditions, who asks, by what name
// and scheme the hub was found.
#include "../answers.hpp"
#include "../credentials.hpp"

#include <locara/base/bytes.hpp>

#include <algorithm>

using namespace locara;

namespace {

constexpr std::uint64_t kSizes[] = {0, 1, 10, 1000, 1ULL << 40U, ~0ULL};
constexpr std::size_t kMost = 8;
constexpr std::string_view kEtag = "\"0123456789abcdef\"";

std::string render(const http::ByteRange& range) {
    return "bytes=" + std::to_string(range.offset) + "-" +
           std::to_string(range.offset + range.length - 1);
}

bool is_part(const http::ByteRange& range, std::uint64_t size) {
    return range.kind == http::ByteRange::Kind::Part && range.length > 0 && range.offset < size &&
           range.length <= size - range.offset;
}

void check_ranges(std::string_view value) {
    using Kind = http::ByteRange::Kind;
    for (const std::uint64_t size : kSizes) {
        const auto one = http::resolve_range(value, size);
        const auto all = http::resolve_ranges(value, size, kMost);
        if (one.kind == Kind::Part) {
            LOCARA_ASSERT(is_part(one, size));
            const auto again = http::resolve_range(render(one), size);
            LOCARA_ASSERT(again.offset == one.offset && again.length == one.length);
            LOCARA_ASSERT(all && all->size() == 1 && all->front().offset == one.offset &&
                          all->front().length == one.length);
        }
        LOCARA_ASSERT(one.kind != Kind::Whole || one.length == size);
        LOCARA_ASSERT(one.kind != Kind::Unsatisfiable || (all && all->empty()));
        LOCARA_ASSERT(!all || (all->size() <= kMost &&
                               std::all_of(all->begin(), all->end(), [size](const auto& range) {
                                   return is_part(range, size);
                               })));
    }
}

/// What is sent of a text is what its headers say.
void check_content(const http::Request& request) {
    http::Content content;
    const std::string whole = "0123456789";
    content.body = whole;
    content.etag = kEtag;
    const http::Response response = http::content_response(request, std::move(content));
    const auto& body = std::get<std::string>(response.body);
    const std::string range(response.headers.find("Content-Range").value_or(""));
    if (response.status == 206) {
        const std::size_t at = whole.find(body);
        LOCARA_ASSERT(!body.empty() && at != std::string::npos);
        LOCARA_ASSERT(range == "bytes " + std::to_string(at) + "-" +
                                   std::to_string(at + body.size() - 1) + "/10");
    } else if (response.status == 416) {
        LOCARA_ASSERT(range == "bytes */10");
    } else {
        LOCARA_ASSERT(range.empty() && (response.status == 304 || response.status == 200));
        LOCARA_ASSERT(body == (response.status == 200 ? whole : ""));
    }
}

void check_conditions(std::string_view value) {
    const bool matches = http::etag_matches(value, kEtag);
    LOCARA_ASSERT(http::etag_matches(value, "W/" + std::string(kEtag)) == matches);
    const std::string more = std::string(value) + ", " + std::string(kEtag);
    LOCARA_ASSERT(http::etag_matches(more, kEtag));
    LOCARA_ASSERT(!http::etag_matches(value, ""));
    LOCARA_ASSERT(http::holds_token(std::string(value) + ",Close", "close"));
    std::string upper(value);
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    LOCARA_ASSERT(http::holds_token(value, "close") == http::holds_token(upper, "close"));
}

std::optional<std::string> credentials_in(const std::string& header) {
    http::Request request;
    request.headers.add("Authorization", header);
    return hub::credentials(request);
}

std::optional<std::string> cookie_in(const std::string& header) {
    http::Request request;
    request.headers.add("Cookie", header);
    return hub::session_cookie(request);
}

void check_who_asks(const std::string& value) {
    LOCARA_ASSERT(credentials_in(value).has_value()); // A header is never taken for none.
    if (!value.empty()) {
        LOCARA_ASSERT(credentials_in("bearer " + value) == value);
    }
    LOCARA_ASSERT(credentials_in("Basic " + render_base64(as_bytes("user:" + value))) == value);
    const auto cookie = cookie_in(value);
    LOCARA_ASSERT(!cookie || cookie->find(';') == std::string::npos);
    if (value.find(';') == std::string::npos) {
        LOCARA_ASSERT(cookie_in("a=b; token=" + value + "; c=d") == value);
        LOCARA_ASSERT(!cookie_in("token_=" + value));
    }
}

/// Links hold nothing of a name that could end them, or lead elsewhere than to a host.
void check_links(const http::Request& request) {
    const std::string here = hub::endpoint(request);
    const std::string start = hub::is_secure(request) ? "https://" : "http://";
    LOCARA_ASSERT(here.rfind(start, 0) == 0 && here.size() > start.size());
    LOCARA_ASSERT(here.find_first_of("/\"'<>@?#\\ %", start.size()) == std::string::npos);
    LOCARA_ASSERT(std::all_of(here.begin(), here.end(), [](char c) { return c > 0x20; }));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    http::Request request;
    request.method = "GET";
    const std::string_view sent(reinterpret_cast<const char*>(data), size);
    for (const char* const name : {"Range",
                                   "If-Range",
                                   "If-None-Match",
                                   "Authorization",
                                   "Cookie",
                                   "Host",
                                   "X-Forwarded-Proto",
                                   "Content-Type"}) {
        request.headers.add(name, sent);
    }
    const std::string value(*request.headers.find("range")); // No line can end in it.
    LOCARA_ASSERT(value.size() == size);
    LOCARA_ASSERT(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    check_ranges(value);
    check_content(request);
    request.headers.remove("If-Range");
    check_content(request);
    request.headers.remove("If-None-Match");
    check_content(request);
    check_conditions(value);
    check_who_asks(value);
    check_links(request);
    LOCARA_ASSERT(!hub::is_form(request) ||
                  value.rfind("application/x-www-form-urlencoded", 0) == 0);
    return 0;
}
