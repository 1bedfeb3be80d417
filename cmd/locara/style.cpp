#include "style.hpp"

#include <cstdlib>

namespace locara::cli {

namespace {

std::string_view get_variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// ECMA-48, 8.3.117 (SGR): bold and the first eight colours, which every terminal themes.
std::string_view code_of(Tone tone) {
    switch (tone) {
    case Tone::Heading:
        return "\x1b[1m";
    case Tone::Good:
        return "\x1b[32m";
    case Tone::Notice:
        return "\x1b[33m";
    case Tone::Bad:
        return "\x1b[1;31m";
    }
    return "";
}

} // namespace

Style Style::choose(std::string_view how, bool terminal) {
    Style style;
    style.on_ = how == "always" || (how == "auto" && terminal && get_variable("NO_COLOR").empty() &&
                                    get_variable("TERM") != "dumb");
    return style;
}

std::string Style::paint(Tone tone, std::string_view text) const {
    return on_ ? std::string(code_of(tone)).append(text) + "\x1b[0m" : std::string(text);
}

} // namespace locara::cli
