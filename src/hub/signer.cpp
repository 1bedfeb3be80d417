#include "signer.hpp"

#include <locara/base/file.hpp>
#include <locara/crypto/hmac.hpp>

#include <charconv>

namespace locara::hub {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMostSpans = 64;
constexpr std::string_view kTokenStart = "lxt";

template <class Number> std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size()
               ? std::optional(value)
               : std::nullopt;
}

/// Cuts what stands before `mark` off the front; all of it when there is no mark.
std::string_view cut(std::string_view& text, char mark) {
    const std::size_t at = text.find(mark);
    const std::string_view front = text.substr(0, at);
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
    return front;
}

/// "0-9,20-29": ends closed, as in a Range header.
std::string render_spans(const std::vector<Span>& spans) {
    std::string text;
    for (const Span& span : spans) {
        text += (text.empty() ? "" : ",") + std::to_string(span.begin) + "-" +
                std::to_string(span.end - 1);
    }
    return text;
}

std::optional<std::vector<Span>> parse_spans(std::string_view text) {
    std::vector<Span> spans;
    while (!text.empty()) {
        std::string_view one = cut(text, ',');
        const auto first = parse_number<std::uint64_t>(cut(one, '-'));
        const auto last = parse_number<std::uint64_t>(one);
        if (!first || !last || *last < *first || spans.size() == kMostSpans) {
            return std::nullopt;
        }
        spans.push_back({*first, *last + 1});
    }
    return spans;
}

std::string render_expiry(TimePoint time) {
    return std::to_string(time.time_since_epoch().count());
}

std::optional<TimePoint> parse_expiry(std::string_view text) {
    const auto seconds = parse_number<std::int64_t>(text);
    return seconds ? std::optional(TimePoint(std::chrono::seconds(*seconds))) : std::nullopt;
}

Error not_signed() {
    return Error(ErrorCode::Forbidden, "this URL is not one that this hub has signed");
}

std::string render_upload(const crypto::Sha256Digest& oid,
                          std::string_view repo,
                          std::string_view size,
                          std::string_view expires) {
    std::string text = oid.render();
    return text.append("\n").append(repo).append("\n").append(size).append("\n").append(expires);
}

Error no_token() {
    return Error(ErrorCode::Unauthorized, "this is no valid Xet token; ask for a new one");
}

} // namespace

Result<Signer> Signer::open(const std::filesystem::path& key_file) {
    auto text = read_file(key_file, 4096);
    if (!text && text.error().code() == ErrorCode::NotFound) {
        text = random_hex(kKeyBytes);
        LOCARA_CHECK(write_file_atomically(key_file, as_bytes(*text), 0600));
    }
    if (!text) {
        return std::move(text).error();
    }
    const auto key = parse_hex(*text);
    if (!key || key->size() != kKeyBytes) {
        return Error(ErrorCode::Corrupt,
                     key_file.string() +
                         " is no key of ours; remove it, and a new one is made (what was handed "
                         "out in the last hour is then void)");
    }
    return Signer(Secret(std::move(*text)));
}

std::string Signer::sign(std::string_view use, std::string_view text) const {
    std::string message(use);
    message += '\n';
    message += text;
    return crypto::hmac_sha256(as_bytes(key_.reveal()), as_bytes(message)).render();
}

Secret Signer::derive(std::string_view use) const {
    const auto code = crypto::hmac_sha256(as_bytes(key_.reveal()), as_bytes(use));
    return Secret(std::string(as_text(code.bytes)));
}

std::string Signer::make_token(const XetClaims& claims) const {
    const std::string body = std::string(kTokenStart) + "." + std::to_string(claims.repo) + "." +
                             (claims.role == XetRole::Write ? "w" : "r") + "." +
                             std::to_string(claims.account) + "." + render_expiry(claims.expires);
    return body + "." + sign("xet token", body);
}

Result<XetClaims> Signer::parse_token(std::string_view token, TimePoint now) const {
    const std::size_t dot = token.rfind('.');
    if (dot == std::string_view::npos) {
        return no_token();
    }
    std::string_view body = token.substr(0, dot);
    if (!Secret(sign("xet token", body)).equals(token.substr(dot + 1))) {
        return no_token();
    }
    XetClaims claims;
    const std::string_view start = cut(body, '.');
    const auto repo = parse_number<std::int64_t>(cut(body, '.'));
    const std::string_view role = cut(body, '.');
    const auto account = parse_number<std::int64_t>(cut(body, '.'));
    const auto expires = parse_expiry(body);
    if (start != kTokenStart || !repo || (role != "r" && role != "w") || !account || !expires) {
        return no_token();
    }
    if (*expires <= now) {
        return Error(ErrorCode::Unauthorized, "this Xet token has expired; ask for a new one");
    }
    claims.repo = *repo;
    claims.role = role == "w" ? XetRole::Write : XetRole::Read;
    claims.expires = *expires;
    claims.account = *account;
    return claims;
}

std::string Signer::make_query(const xet::XorbHash& xorb,
                               const std::vector<Span>& spans,
                               TimePoint expires) const {
    const std::string ranges = render_spans(spans);
    const std::string expiry = render_expiry(expires);
    return "ranges=" + ranges + "&exp=" + expiry +
           "&sig=" + sign("xorb url", xorb.render() + "\n" + ranges + "\n" + expiry);
}

Result<std::vector<Span>> Signer::parse_query(const xet::XorbHash& xorb,
                                              std::string_view ranges,
                                              std::string_view expires,
                                              std::string_view signature,
                                              TimePoint now) const {
    std::string text = xorb.render() + "\n";
    text.append(ranges).append("\n").append(expires);
    const auto spans = parse_spans(ranges);
    const auto expiry = parse_expiry(expires);
    if (!Secret(sign("xorb url", text)).equals(signature) || !spans || !expiry) {
        return not_signed();
    }
    if (*expiry <= now) {
        return Error(ErrorCode::Forbidden,
                     "this URL has expired; ask for the reconstruction again");
    }
    return *spans;
}

std::string Signer::make_upload_query(const LfsUpload& upload) const {
    const std::string repo = std::to_string(upload.repo);
    const std::string size = std::to_string(upload.size);
    const std::string expires = render_expiry(upload.expires);
    return "repo=" + repo + "&size=" + size + "&exp=" + expires +
           "&sig=" + sign("lfs upload", render_upload(upload.oid, repo, size, expires));
}

Result<LfsUpload> Signer::parse_upload_query(const crypto::Sha256Digest& oid,
                                             std::string_view repo,
                                             std::string_view size,
                                             std::string_view expires,
                                             std::string_view signature,
                                             TimePoint now) const {
    const auto key = parse_number<std::int64_t>(repo);
    const auto bytes = parse_number<std::uint64_t>(size);
    const auto expiry = parse_expiry(expires);
    const std::string code = sign("lfs upload", render_upload(oid, repo, size, expires));
    if (!Secret(code).equals(signature) || !key || !bytes || !expiry) {
        return not_signed();
    }
    if (*expiry <= now) {
        return Error(ErrorCode::Forbidden, "this URL has expired; ask the LFS batch call again");
    }
    return LfsUpload{*key, oid, *bytes, *expiry};
}

} // namespace locara::hub
