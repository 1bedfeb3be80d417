#include "old_ids.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace locara::hub {
namespace {

/// What follows an id in the API's paths, and in those of files and pages. A call that has nothing
/// behind it ("refs") is that of a repository "gpt2/refs".
constexpr std::array<std::string_view, 15> kApiCalls = {
    "auth-check",
    "branch",
    "commit",
    "commits",
    "compare",
    "discussions",
    "lfs-files",
    "paths-info",
    "preupload",
    "revision",
    "super-squash",
    "tag",
    "tree",
    "xet-read-token",
    "xet-write-token",
};
constexpr std::array<std::string_view, 6> kWebCalls = {
    "blob", "commit", "discussions", "raw", "resolve", "tree"};
constexpr std::array<std::string_view, 3> kKinds = {"models", "datasets", "spaces"};

template <class List> bool holds(const List& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

} // namespace

bool is_by_old_id(const http::Request& request) {
    const auto& parts = request.segments;
    if (parts.size() < 3) {
        return false;
    }
    if (parts[0] == "api") {
        return holds(kKinds, parts[1]) && (parts.size() == 3 || holds(kApiCalls, parts[3]));
    }
    const bool has_kind = parts[0] != "models" && holds(kKinds, parts[0]);
    const std::size_t at = has_kind ? 2 : 1;
    return holds(kWebCalls, parts[at]);
}

} // namespace locara::hub
