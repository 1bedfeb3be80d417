#include "paths.hpp"

#include <locara/base/percent.hpp>

namespace locara::catalog {

namespace {

/// Matches `c` against the set that starts behind the `[` at `open`. Returns the index behind the
/// closing bracket, or npos if there is none (the bracket then stands for itself).
std::size_t match_set(std::string_view pattern, std::size_t open, char c, bool& matched) {
    std::size_t i = open + 1;
    const bool negated = i < pattern.size() && pattern[i] == '!';
    i += negated ? 1 : 0;
    const std::size_t first = i;
    bool found = false;
    while (i < pattern.size() && (pattern[i] != ']' || i == first)) {
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            found = found || (pattern[i] <= c && c <= pattern[i + 2]);
            i += 3;
        } else {
            found = found || pattern[i] == c;
            i += 1;
        }
    }
    if (i >= pattern.size()) {
        return std::string_view::npos;
    }
    matched = found != negated;
    return i + 1;
}

/// One part, no `/` on either side. Greedy with one point to return to, which is enough for globs.
bool matches_part(std::string_view pattern, std::string_view part) {
    std::size_t p = 0;
    std::size_t s = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_at = 0;
    while (s < part.size()) {
        bool step = false;
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_at = s;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '[') {
            bool matched = false;
            const std::size_t behind = match_set(pattern, p, part[s], matched);
            if (behind == std::string_view::npos) {
                matched = part[s] == '[';
            }
            step = matched;
            if (step) {
                p = behind == std::string_view::npos ? p + 1 : behind;
            }
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == part[s])) {
            step = true;
            ++p;
        }
        if (step) {
            ++s;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            s = ++star_at;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

std::string_view take_part(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    return part;
}

std::size_t count_slashes(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) {
        count += c == '/' ? 1 : 0;
    }
    return count;
}

} // namespace

bool matches_pattern(std::string_view pattern, std::string_view path) {
    std::size_t parts = count_slashes(pattern) + 1;
    if (parts != count_slashes(path) + 1) {
        return false;
    }
    for (; parts > 0; --parts) {
        if (!matches_part(take_part(pattern), take_part(path))) {
            return false;
        }
    }
    return true;
}

std::string escape_path(std::string_view path) {
    return percent_encode(path, "/!$&'()*+,;=:@"); // pchar
}

bool is_relative_path(std::string_view path) {
    if (path.empty() || path.back() == '/') {
        return false;
    }
    while (!path.empty()) {
        const std::string_view part = take_part(path);
        if (part.empty() || part == "." || part == "..") {
            return false;
        }
    }
    return true;
}

std::string target_address(std::string_view name, std::string_view digest) {
    const std::size_t slash = name.rfind('/');
    const std::size_t file = slash == std::string_view::npos ? 0 : slash + 1;
    std::string path(name.substr(0, file));
    if (!digest.empty()) {
        path.append(digest).append(".");
    }
    path.append(name.substr(file));
    return "targets/" + escape_path(path);
}

} // namespace locara::catalog
