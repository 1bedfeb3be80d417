// Which names branches and tags may have.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>

namespace locara::hub {

inline constexpr std::string_view kHeads = "refs/heads/";
inline constexpr std::string_view kTags = "refs/tags/";
inline constexpr std::string_view kPins = "refs/locara/pins/"; ///< See GitRepo::pin.
inline constexpr std::string_view kMainRef = "refs/heads/main";

/// Checks a full name: below refs/heads/ or refs/tags/; what follows is a name by git's own rules
/// and by those for paths (base/path.hpp), at most 200 bytes, and cannot be taken for another
/// revision: no HEAD, nothing that begins with refs/, no 40 hex digits. InvalidArgument says which.
Status check_ref_name(const std::string& name);

/// Whether one of two refs would have to be a folder for the other, as "a" for "a/b", or they are
/// different and the same on a file system that ignores case: a clone there could have only one.
bool ref_names_collide(const std::string& a, const std::string& b);

} // namespace locara::hub
