#include "code_points.hpp"

#include <locara/base/line.hpp>

namespace locara {

namespace {

enum class LineFeeds { Refused, Fine };

Status check(std::string_view text, LineFeeds feeds, const char* wanted) {
    for (std::size_t at = 0; at < text.size();) {
        const auto code = next_code_point(text, at);
        if (feeds == LineFeeds::Fine && code == U'\n') {
            continue;
        }
        const char* const what = code ? find_unseen(*code) : "what is not UTF-8";
        if (what != nullptr) {
            return Error(ErrorCode::InvalidArgument,
                         "it holds " + std::string(what) + "; " + wanted + " is wanted");
        }
    }
    return {};
}

} // namespace

Status check_line(std::string_view text) {
    return check(text, LineFeeds::Refused, "one line of plain text");
}

Status check_lines(std::string_view text) {
    return check(text, LineFeeds::Fine, "plain text, which may have line feeds,");
}

Status check_filled_line(std::string_view text) {
    LOCARA_CHECK(check_line(text));
    for (std::size_t at = 0; at < text.size();) {
        if (!is_blank(*next_code_point(text, at))) {
            return {};
        }
    }
    return Error(ErrorCode::InvalidArgument, "it is empty; one line of plain text is wanted");
}

std::string clean_line(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        const auto code = next_code_point(text, at);
        if (!code) {
            at = begin + 1;
        }
        if (code && find_unseen(*code) == nullptr) {
            out += text.substr(begin, at - begin);
        } else {
            out += '?';
        }
    }
    return out;
}

std::string cut_line(std::string text, std::size_t bytes) {
    constexpr std::string_view kMore = "...";
    LOCARA_ASSERT(bytes >= kMore.size());
    if (text.size() <= bytes) {
        return text;
    }
    std::size_t end = bytes - kMore.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end; // in the middle of a character
    }
    text.resize(end);
    return text.append(kMore);
}

std::string quote_line(std::string_view text) {
    constexpr std::size_t kBytes = 60;
    return '"' + cut_line(clean_line(text), kBytes) + '"';
}

} // namespace locara
