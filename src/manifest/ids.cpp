#include "words.hpp"

#include <locara/manifest/ids.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace locara::manifest {

namespace {

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// `[a-z0-9]+([<separators>][a-z0-9]+)*` with a length.
bool is_slug(std::string_view text,
             std::size_t least,
             std::size_t most,
             std::string_view separators) {
    if (text.size() < least || text.size() > most || !is_lower_alnum(text.front()) ||
        !is_lower_alnum(text.back())) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!is_lower_alnum(text[i]) &&
            (separators.find(text[i]) == std::string_view::npos || !is_lower_alnum(text[i - 1]))) {
            return false;
        }
    }
    return true;
}

constexpr std::size_t kPublisherLeast = 3;
constexpr std::size_t kPublisherMost = 24;
constexpr std::size_t kAppNameMost = 32;
constexpr std::size_t kModelNameMost = 64;

Error bad_app_id(std::string_view text) {
    return Error(ErrorCode::InvalidArgument,
                 quote(text) +
                     " is no app id; write publisher/name with lower-case letters, digits "
                     "and single hyphens (publisher 3 to 24 characters, name 2 to 32)");
}

bool is_prerelease_char(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_number(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

Result<AppId> AppId::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return bad_app_id(text);
    }
    const auto publisher = text.substr(0, slash);
    const auto name = text.substr(slash + 1);
    if (!is_slug(publisher, kPublisherLeast, kPublisherMost, "-") ||
        !is_slug(name, 2, kAppNameMost, "-")) {
        return bad_app_id(text);
    }
    return AppId{std::string(publisher), std::string(name)};
}

Result<AppId> AppId::parse_label(std::string_view label) {
    const auto hyphens = label.find("--");
    if (hyphens == std::string_view::npos) {
        return Error(ErrorCode::InvalidArgument,
                     quote(label) + " is no app label; it reads publisher--name");
    }
    return parse(std::string(label.substr(0, hyphens)) + "/" +
                 std::string(label.substr(hyphens + 2)));
}

Result<ModelId> ModelId::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) {
        const auto publisher = text.substr(0, slash);
        const auto name = text.substr(slash + 1);
        if (is_slug(publisher, kPublisherLeast, kPublisherMost, "-") &&
            is_slug(name, 2, kModelNameMost, "-.")) {
            return ModelId{std::string(publisher), std::string(name)};
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 quote(text) +
                     " is no model id; write publisher/name with lower-case letters, digits, "
                     "hyphens and dots (publisher 3 to 24 characters, name 2 to 64)");
}

Result<Version> Version::parse(std::string_view text) {
    const auto bad = [&] {
        return Error(ErrorCode::InvalidArgument,
                     quote(text) +
                         " is no version; write three numbers such as 1.0.0, or 1.0.0-beta.1");
    };
    if (text.size() > 64) {
        return bad();
    }
    Version version;
    std::string_view core = text.substr(0, text.find('-'));
    std::array<std::uint32_t*, 3> numbers = {&version.major, &version.minor, &version.patch};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto dot = i < 2 ? core.find('.') : core.size();
        if (dot == std::string_view::npos) {
            return bad();
        }
        const auto digits = core.substr(0, dot);
        if (digits.empty() || digits.size() > 9 || !is_number(digits) ||
            (digits.size() > 1 && digits[0] == '0')) {
            return bad();
        }
        std::from_chars(digits.data(), digits.data() + digits.size(), *numbers[i]);
        core.remove_prefix(std::min(dot + 1, core.size()));
    }
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) {
        return version;
    }
    for (std::size_t begin = dash + 1; begin <= text.size();) {
        const auto end = std::min(text.find('.', begin), text.size());
        const auto part = text.substr(begin, end - begin);
        if (part.empty() || !std::all_of(part.begin(), part.end(), is_prerelease_char) ||
            (is_number(part) && part.size() > 1 && part[0] == '0')) {
            return bad();
        }
        version.prerelease.emplace_back(part);
        begin = end + 1;
    }
    return version;
}

std::string Version::render() const {
    std::string out =
        std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
    for (std::size_t i = 0; i < prerelease.size(); ++i) {
        out += (i == 0 ? "-" : ".") + prerelease[i];
    }
    return out;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
    if (const auto c = major <=> other.major; c != 0) {
        return c;
    }
    if (const auto c = minor <=> other.minor; c != 0) {
        return c;
    }
    if (const auto c = patch <=> other.patch; c != 0) {
        return c;
    }
    // semver.org, rule 11: a release is later than its pre-releases.
    if (prerelease.empty() != other.prerelease.empty()) {
        return prerelease.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    }
    for (std::size_t i = 0; i < std::min(prerelease.size(), other.prerelease.size()); ++i) {
        const auto& a = prerelease[i];
        const auto& b = other.prerelease[i];
        if (a == b) {
            continue;
        }
        const bool a_number = is_number(a);
        if (a_number != is_number(b)) {
            return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
        }
        if (a_number && a.size() != b.size()) {
            return a.size() <=> b.size();
        }
        return a.compare(b) < 0 ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    return prerelease.size() <=> other.prerelease.size();
}

Result<AppRef> AppRef::parse(std::string_view text) {
    const auto at = text.find('@');
    LOCARA_TRY(auto id, AppId::parse(text.substr(0, at)));
    AppRef ref{std::move(id), {}};
    if (at != std::string_view::npos) {
        LOCARA_TRY(const auto version, Version::parse(text.substr(at + 1)));
        ref.version = version.render();
    }
    return ref;
}

} // namespace locara::manifest
