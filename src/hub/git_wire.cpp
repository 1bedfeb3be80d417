#include "git_wire.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::size_t kHead = 4;
constexpr std::size_t kOid = 40;

bool is_oid(std::string_view text) {
    return text.size() == kOid &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The length that four hexadecimal digits say.
Result<std::size_t> parse_length(std::string_view digits) {
    std::size_t length = 0;
    for (const char c : digits) {
        const int value = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (value < 0) {
            return Error(ErrorCode::InvalidArgument, "what git sends must be pkt-lines");
        }
        length = length * 16 + static_cast<std::size_t>(value);
    }
    return length;
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) {
            words.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

} // namespace

std::string render_pkt(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::size_t length = text.size() + kHead;
    LOCARA_ASSERT(length <= kPktLimit);
    std::string out;
    for (int shift = 12; shift >= 0; shift -= 4) {
        out += kDigits[(length >> static_cast<unsigned>(shift)) & 0xfU];
    }
    return out.append(text);
}

std::string render_band(Band band, std::string_view text) {
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), kPktLimit - kHead - 1))) {
        std::string line(1, static_cast<char>(band));
        out += render_pkt(line.append(text.substr(0, kPktLimit - kHead - 1)));
    }
    return out;
}

std::string render_error(std::string_view why) {
    return render_pkt("ERR " + std::string(why));
}

Result<std::vector<std::string>> parse_wants(std::string_view body) {
    constexpr std::string_view kWant = "want ";
    std::vector<std::string> wants;
    while (!body.empty()) {
        LOCARA_TRY(const std::size_t length, parse_length(body.substr(0, kHead)));
        // Flush, delimiter and end of answer (gitprotocol-v2) are lengths that no line can have.
        const std::size_t whole = length < kHead - 1 ? kHead : length;
        if (whole < kHead || whole > kPktLimit || whole > body.size()) {
            return Error(ErrorCode::InvalidArgument,
                         "a pkt-line of a fetch has length " + std::to_string(length) + ", and " +
                             std::to_string(body.size()) + " bytes are left");
        }
        const std::string_view line = body.substr(kHead, whole - kHead);
        body.remove_prefix(whole);
        if (line.starts_with(kWant)) {
            std::string id = ascii_lower(line.substr(kWant.size(), kOid));
            if (!is_oid(id)) {
                return Error(ErrorCode::InvalidArgument, "a fetch wants what is no id of git's");
            }
            wants.push_back(std::move(id));
        }
    }
    return wants;
}

bool PushRequest::can(std::string_view ability) const {
    return std::find(abilities.begin(), abilities.end(), ability) != abilities.end();
}

Result<std::optional<PushRequest>> PushParser::take(ByteView& bytes) {
    while (!bytes.empty()) {
        // First the four digits, then what they say.
        std::size_t wanted = kHead;
        if (partial_.size() >= kHead) {
            LOCARA_TRY(wanted, parse_length(std::string_view(partial_).substr(0, kHead)));
        }
        const std::size_t count = std::min(wanted - partial_.size(), bytes.size());
        partial_.append(as_text(bytes.first(count)));
        bytes = bytes.subspan(count);
        if (partial_.size() < kHead) {
            break;
        }
        LOCARA_TRY(const std::size_t length,
                   parse_length(std::string_view(partial_).substr(0, kHead)));
        if (length == 0) {
            partial_.clear();
            return std::optional(std::move(request_));
        }
        if (length <= kHead || length > kPktLimit) {
            return Error(ErrorCode::InvalidArgument,
                         "a pkt-line of a push has length " + std::to_string(length) +
                             ", it must be 5 to " + std::to_string(kPktLimit));
        }
        if (partial_.size() == length) {
            const std::string line = std::move(partial_);
            partial_.clear();
            LOCARA_CHECK(take_line(std::string_view(line).substr(kHead)));
        }
    }
    return std::optional<PushRequest>();
}

Status PushParser::take_line(std::string_view line) {
    if (line.back() == '\n') {
        line.remove_suffix(1);
    }
    constexpr std::string_view kShallow = "shallow ";
    if (line.substr(0, kShallow.size()) == kShallow && is_oid(line.substr(kShallow.size()))) {
        // The history of what is pushed must be whole here, wherever the client's own begins.
        return ++shallow_ <= kPushShallowLimit
                   ? Status()
                   : Status(Error(ErrorCode::TooLarge,
                                  "a push names more than " + std::to_string(kPushShallowLimit) +
                                      " shallow commits"));
    }
    if (line.substr(0, 9) == "push-cert") {
        return Error(ErrorCode::Unsupported, "signed pushes are not taken");
    }
    return take_command(line);
}

Status PushParser::take_command(std::string_view line) {
    if (request_.commands.size() >= kPushCommandLimit) {
        return Error(ErrorCode::TooLarge,
                     "one push changes at most " + std::to_string(kPushCommandLimit) + " refs");
    }
    const std::size_t nul = line.find('\0');
    if (nul != std::string_view::npos && request_.commands.empty()) {
        request_.abilities = split_words(line.substr(nul + 1));
        for (const std::string& ability : request_.abilities) {
            if (ability.rfind("object-format=", 0) == 0 && ability != "object-format=sha1") {
                return Error(ErrorCode::Unsupported, "repositories here name objects by SHA-1");
            }
        }
    }
    line = line.substr(0, nul);
    constexpr std::size_t kName = 2 * (kOid + 1);
    if (line.size() <= kName || !is_oid(line.substr(0, kOid)) || line[kOid] != ' ' ||
        !is_oid(line.substr(kOid + 1, kOid)) || line[kName - 1] != ' ') {
        return Error(ErrorCode::InvalidArgument, "a command of a push must be OLD NEW REF");
    }
    request_.commands.push_back({std::string(line.substr(0, kOid)),
                                 std::string(line.substr(kOid + 1, kOid)),
                                 std::string(line.substr(kName))});
    return {};
}

} // namespace locara::hub
