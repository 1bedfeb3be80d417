// Names: app ids, model ids, versions, and paths inside bundles and repositories.
//
// Every one of these comes from strangers and becomes part of a path, a URL or a host name, so each
// is a type that only `parse` makes. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

/// `publisher/name` of an app. Both parts are `[a-z0-9]+(-[a-z0-9]+)*`; the publisher has 3 to 24
/// characters, the name 2 to 32.
struct AppId {
    std::string publisher;
    std::string name;

    /// InvalidArgument with the rule that was broken.
    static Result<AppId> parse(std::string_view text);

    /// `publisher/name`, the inverse of parse.
    std::string render() const { return publisher + "/" + name; }

    /// `publisher--name`: one DNS label, shared by no other app, since no part holds two hyphens.
    std::string label() const { return publisher + "--" + name; }

    /// The inverse of label.
    static Result<AppId> parse_label(std::string_view label);

    auto operator<=>(const AppId&) const = default;
};

/// `publisher/name` of a model manifest; as AppId, but the name may hold single dots too
/// ("qwen2.5-0.5b") and have 64 characters.
struct ModelId {
    std::string publisher;
    std::string name;

    static Result<ModelId> parse(std::string_view text);

    std::string render() const { return publisher + "/" + name; }

    auto operator<=>(const ModelId&) const = default;
};

/// A semantic version without build metadata (semver.org 2.0.0), ordered by precedence.
struct Version {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t patch = 0;
    std::vector<std::string> prerelease;

    /// InvalidArgument unless it is exactly `N.N.N` or `N.N.N-pre.release`.
    static Result<Version> parse(std::string_view text);
    std::string render() const;

    std::strong_ordering operator<=>(const Version& other) const;

    bool operator==(const Version& other) const { return (*this <=> other) == 0; }
};

/// `publisher/name` or `publisher/name@version`, as people type it.
struct AppRef {
    AppId id;
    std::string version; ///< Empty: the newest.

    static Result<AppRef> parse(std::string_view text);
};

} // namespace locara::manifest
