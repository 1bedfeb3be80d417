// Markdown of strangers. What comes out has only tags and attributes that are made on purpose, and
// each tag ends where it should.
#include "markdown.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

namespace {

using namespace locara;

bool is_known(std::string_view tag) {
    constexpr std::string_view kTags[] = {
        "a",     "blockquote", "br", "code", "del",   "em", "h2", "h3",  "h4",
        "h5",    "h6",         "hr", "img",  "li",    "ol", "p",  "pre", "strong",
        "table", "tbody",      "td", "th",   "thead", "tr", "ul"};
    return std::find(std::begin(kTags), std::end(kTags), tag) != std::end(kTags);
}

/// Whether an attribute is one of ours, and its address leads where it may.
bool is_known(std::string_view name, std::string_view value) {
    if (name == "href" || name == "src") {
        for (const std::string_view begin :
             {"https://", "http://", "mailto:", "/base/", "/", "#"}) {
            if (ascii_lower(value.substr(0, begin.size())) == begin) {
                return value.substr(0, 2) != "//" &&
                       (name == "href" || begin == "/base/" || begin == "/" || begin == "#");
            }
        }
        return false;
    }
    return name == "rel" || name == "align" || name == "alt" || name == "start";
}

constexpr std::size_t kCellLimit = 20'000; // As the documents say.

void check(std::string_view html) {
    std::size_t cells = 0;
    std::vector<std::string_view> open;
    for (std::size_t at = html.find('<'); at != std::string_view::npos; at = html.find('<', at)) {
        const std::size_t end = html.find('>', at);
        LOCARA_ASSERT(end != std::string_view::npos);
        std::string_view inside = html.substr(at + 1, end - at - 1);
        at = end;
        if (inside.substr(0, 1) == "/") {
            LOCARA_ASSERT(!open.empty() && open.back() == inside.substr(1));
            open.pop_back();
            continue;
        }
        const std::size_t name_end = std::min(inside.find(' '), inside.size());
        const std::string_view tag = inside.substr(0, name_end);
        LOCARA_ASSERT(is_known(tag));
        cells += tag == "td" || tag == "th" ? 1 : 0;
        if (tag != "br" && tag != "hr" && tag != "img") {
            open.push_back(tag);
        }
        inside.remove_prefix(name_end);
        while (!inside.empty()) {
            const std::size_t equals = inside.find("=\"");
            LOCARA_ASSERT(equals != std::string_view::npos && inside.front() == ' ');
            const std::size_t quote = inside.find('"', equals + 2);
            LOCARA_ASSERT(quote != std::string_view::npos);
            LOCARA_ASSERT(is_known(inside.substr(1, equals - 1),
                                   inside.substr(equals + 2, quote - equals - 2)));
            inside.remove_prefix(quote + 1);
        }
    }
    LOCARA_ASSERT(open.empty() && cells <= kCellLimit);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const char* const base : {"", "/base/"}) {
        if (const auto html = hub::render_markdown(text, base)) {
            check(*html);
        }
    }
    check(hub::show_markdown(text));
    return 0;
}
