#include <locara/base/ascii.hpp>
#include <locara/base/json.hpp>
#include <locara/base/percent.hpp>
#include <locara/http/message.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace locara::http {
namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

/// Calls `visit` with each trimmed element of a comma-separated list until it answers true.
template <class Visit> bool any_element(std::string_view list, Visit visit) {
    while (true) {
        const std::size_t comma = list.find(',');
        if (visit(trim(list.substr(0, comma)))) {
            return true;
        }
        if (comma == std::string_view::npos) {
            return false;
        }
        list.remove_prefix(comma + 1);
    }
}

/// A name or value of a query, where a '+' is a space.
Result<std::string> decode_form(std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return percent_decode(spaced);
}

std::optional<std::uint64_t> parse_number(std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
        return std::nullopt;
    }
    return value;
}

std::string_view without_weakness(std::string_view etag) {
    if (etag.substr(0, 2) == "W/") {
        etag.remove_prefix(2);
    }
    return etag;
}

} // namespace

bool holds_token(std::string_view list, std::string_view token) {
    return any_element(
        list, [token](std::string_view element) { return equals_ignoring_case(element, token); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const Field& field : fields_) {
        if (equals_ignoring_case(field.first, name)) {
            return field.second;
        }
    }
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(), [name](const Field& field) {
            return equals_ignoring_case(field.first, name);
        }));
}

void Headers::add(std::string name, std::string_view value) {
    std::string clean(value);
    for (char& c : clean) {
        if (c == '\r' || c == '\n' || c == '\0') {
            c = ' ';
        }
    }
    fields_.emplace_back(std::move(name), std::move(clean));
}

void Headers::set(std::string name, std::string_view value) {
    remove(name);
    add(std::move(name), value);
}

void Headers::remove(std::string_view name) {
    fields_.erase(std::remove_if(fields_.begin(),
                                 fields_.end(),
                                 [name](const Field& field) {
                                     return equals_ignoring_case(field.first, name);
                                 }),
                  fields_.end());
}

Result<std::vector<std::string>> split_path(std::string_view raw_path) {
    std::vector<std::string> segments;
    if (raw_path.empty()) {
        return segments;
    }
    while (true) {
        const std::size_t slash = raw_path.find('/');
        LOCARA_TRY(std::string segment, percent_decode(raw_path.substr(0, slash)));
        if (segment == "." || segment == "..") {
            return Error(ErrorCode::InvalidArgument,
                         "the path holds a segment '" + segment + "'; send the path it stands for");
        }
        segments.push_back(std::move(segment));
        if (slash == std::string_view::npos) {
            return segments;
        }
        raw_path.remove_prefix(slash + 1);
    }
}

Result<Query> Query::parse(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const std::size_t end = text.find('&');
        const std::string_view field = text.substr(0, end);
        if (!field.empty()) {
            const std::size_t equals = field.find('=');
            LOCARA_TRY(std::string key, decode_form(field.substr(0, equals)));
            std::string value;
            if (equals != std::string_view::npos) {
                LOCARA_TRY(value, decode_form(field.substr(equals + 1)));
            }
            query.fields_.emplace_back(std::move(key), std::move(value));
        }
        if (end == std::string_view::npos) {
            break;
        }
        text.remove_prefix(end + 1);
    }
    return query;
}

std::optional<std::string_view> Query::find(std::string_view key) const {
    for (const auto& field : fields_) {
        if (field.first == key) {
            return field.second;
        }
    }
    return std::nullopt;
}

std::vector<std::string> Query::all(std::string_view key) const {
    std::vector<std::string> values;
    for (const auto& field : fields_) {
        if (field.first == key) {
            values.push_back(field.second);
        }
    }
    return values;
}

bool Query::flag(std::string_view key) const {
    const auto value = find(key);
    return value && (value->empty() || *value == "true" || *value == "True" || *value == "1");
}

const std::string& Request::param(std::string_view name) const {
    const auto found = params.find(name);
    LOCARA_ASSERT(found != params.end());
    return found->second;
}

std::string_view reason_phrase(int status) {
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 422:
        return "Unprocessable Content";
    case 424:
        return "Failed Dependency";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 507:
        return "Insufficient Storage";
    default:
        return "Unknown";
    }
}

Response text_response(int status, std::string_view content_type, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", content_type);
    response.body = std::move(body);
    return response;
}

Response json_response(int status, std::string json) {
    return text_response(status, "application/json; charset=utf-8", std::move(json));
}

Response problem(int status, std::string_view detail, std::string_view code) {
    Json body = {{"type", "about:blank"},
                 {"title", reason_phrase(status)},
                 {"status", status},
                 {"detail", detail},
                 {"error", detail}}; // Where clients of the Hugging Face Hub look.
    if (!code.empty()) {
        body["code"] = code;
    }
    // The detail may quote outside bytes that are no UTF-8.
    std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    Response response = text_response(status, "application/problem+json", std::move(text));
    std::string words(detail);
    std::replace_if(
        words.begin(), words.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    response.headers.add("X-Error-Message", words);
    return response;
}

Response problem(const Error& error) {
    const bool ours = error.code() == ErrorCode::Internal || error.code() == ErrorCode::Io;
    return problem(http_status(error.code()),
                   ours ? std::string("something went wrong on our side; the log has the details "
                                      "under this request id")
                        : error.describe(),
                   render(error.code()));
}

int http_status(ErrorCode code) {
    switch (code) {
    case ErrorCode::NotFound:
        return 404;
    case ErrorCode::Corrupt:
        return 422;
    case ErrorCode::InvalidArgument:
        return 400;
    case ErrorCode::Unauthorized:
        return 401;
    case ErrorCode::Forbidden:
    case ErrorCode::Refused:
        return 403;
    case ErrorCode::Conflict:
        return 409;
    case ErrorCode::Busy:
        return 503;
    case ErrorCode::TooLarge:
        return 413;
    case ErrorCode::NoSpace:
        return 507;
    case ErrorCode::Timeout:
        return 504;
    case ErrorCode::Cancelled:
    case ErrorCode::Unavailable:
    case ErrorCode::Offline:
        return 503;
    case ErrorCode::Unsupported:
        return 501;
    case ErrorCode::Io:
    case ErrorCode::Internal:
        return 500;
    }
    return 500;
}

namespace {

/// A position in a range, which may have any number of digits (RFC 9110, section 14.1.2): what does
/// not fit lies behind the end of all that is.
std::optional<std::uint64_t> parse_position(std::string_view text) {
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
        return parse_number(text).value_or(std::numeric_limits<std::uint64_t>::max());
    }
    return std::nullopt;
}

/// One range of a header ("0-99", "100-", "-7") against `size` bytes; nothing when malformed.
std::optional<ByteRange> resolve_one(std::string_view spec, std::uint64_t size) {
    const std::size_t dash = spec.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view first_text = spec.substr(0, dash);
    const std::string_view last_text = spec.substr(dash + 1);
    if (first_text.empty()) {
        const auto suffix = parse_position(last_text);
        if (!suffix) {
            return std::nullopt;
        }
        if (*suffix == 0 || size == 0) {
            return ByteRange{ByteRange::Kind::Unsatisfiable, 0, 0};
        }
        const std::uint64_t length = std::min(*suffix, size);
        return ByteRange{ByteRange::Kind::Part, size - length, length};
    }
    const auto first = parse_position(first_text);
    if (!first) {
        return std::nullopt;
    }
    std::uint64_t last = size == 0 ? 0 : size - 1;
    if (!last_text.empty()) {
        const auto given = parse_position(last_text);
        if (!given || *given < *first) {
            return std::nullopt;
        }
        last = std::min(*given, last);
    }
    if (*first >= size) {
        return ByteRange{ByteRange::Kind::Unsatisfiable, 0, 0};
    }
    return ByteRange{ByteRange::Kind::Part, *first, last - *first + 1};
}

/// What follows "bytes=", if the header is about bytes.
std::optional<std::string_view> range_list(std::optional<std::string_view> header) {
    constexpr std::string_view kUnit = "bytes=";
    if (!header || header->size() <= kUnit.size() ||
        !equals_ignoring_case(header->substr(0, kUnit.size()), kUnit)) {
        return std::nullopt;
    }
    return trim(header->substr(kUnit.size()));
}

} // namespace

ByteRange resolve_range(std::optional<std::string_view> header, std::uint64_t size) {
    const ByteRange whole{ByteRange::Kind::Whole, 0, size};
    const auto list = range_list(header);
    if (!list || list->find(',') != std::string_view::npos) {
        return whole;
    }
    return resolve_one(*list, size).value_or(whole);
}

std::optional<std::vector<ByteRange>>
resolve_ranges(std::optional<std::string_view> header, std::uint64_t size, std::size_t most) {
    auto list = range_list(header);
    if (!list) {
        return std::nullopt;
    }
    std::vector<ByteRange> ranges;
    for (std::size_t count = 1;; ++count) {
        const std::size_t comma = list->find(',');
        const auto range = resolve_one(trim(list->substr(0, comma)), size);
        if (!range || count > most) {
            return std::nullopt;
        }
        if (range->kind == ByteRange::Kind::Part) {
            ranges.push_back(*range);
        }
        if (comma == std::string_view::npos) {
            return ranges;
        }
        list->remove_prefix(comma + 1);
    }
}

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
    if (etag.empty()) {
        return false;
    }
    return any_element(if_none_match, [etag](std::string_view element) {
        return element == "*" || without_weakness(element) == without_weakness(etag);
    });
}

namespace {

std::uint64_t size_of(const Content& content) {
    if (const auto* const text = std::get_if<std::string>(&content.body)) {
        return text->size();
    }
    if (const auto* const file = std::get_if<FileBody>(&content.body)) {
        return file->length;
    }
    return std::get<RangedBody>(content.body).length;
}

/// Makes `size` bytes from `offset` on the body of an answer.
void set_body(Response& response, Content content, std::uint64_t offset, std::uint64_t size) {
    if (auto* const text = std::get_if<std::string>(&content.body)) {
        const bool whole = size == text->size();
        response.body = whole ? std::move(*text) : text->substr(offset, size);
    } else if (const auto* const file = std::get_if<FileBody>(&content.body)) {
        response.body = FileBody{file->file, file->offset + offset, size};
    } else {
        response.body = std::get<RangedBody>(content.body).open(offset, size);
    }
}

} // namespace

Response content_response(const Request& request, Content content) {
    const std::uint64_t size = size_of(content);
    Response response;
    if (!content.etag.empty()) {
        response.headers.add("ETag", content.etag);
    }
    response.headers.add("Accept-Ranges", "bytes");
    const auto if_none_match = request.headers.find("If-None-Match");
    if (if_none_match && etag_matches(*if_none_match, content.etag)) {
        response.status = 304;
        return response;
    }

    auto range_header = request.headers.find("Range");
    const auto if_range = request.headers.find("If-Range");
    if (if_range && *if_range != content.etag) {
        range_header.reset(); // Another version than the client has: it gets the whole of this one.
    }
    if (request.method == "HEAD") {
        range_header.reset(); // RFC 9110, 14.2: only GET has ranges.
    }
    const ByteRange range = resolve_range(range_header, size);
    if (range.kind == ByteRange::Kind::Unsatisfiable && size != 0) {
        Response refusal = problem(
            416, "the range lies behind the end of these " + std::to_string(size) + " bytes");
        refusal.headers.add("Content-Range", "bytes */" + std::to_string(size));
        refusal.headers.add("Accept-Ranges", "bytes");
        return refusal;
    }
    response.headers.add("Content-Type", content.content_type);
    if (range.kind == ByteRange::Kind::Unsatisfiable) {
        response.headers.add("Content-Range", "bytes */0");
    }
    if (range.kind == ByteRange::Kind::Part) {
        response.status = 206;
        response.headers.add("Content-Range",
                             "bytes " + std::to_string(range.offset) + "-" +
                                 std::to_string(range.offset + range.length - 1) + "/" +
                                 std::to_string(size));
    }
    const bool part = range.kind == ByteRange::Kind::Part;
    set_body(response, std::move(content), part ? range.offset : 0, part ? range.length : size);
    return response;
}

} // namespace locara::http
