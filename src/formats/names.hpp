// Names of members of archives: what the threat model, section 4, allows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace locara::formats {

/// Why a member's name is hostile, or nullopt. One trailing slash (a folder) is allowed.
std::optional<std::string> check_member_name(std::string_view name);

/// The lower-case extension with its dot ("model.SafeTensors" -> ".safetensors"), or empty.
std::string extension_of(std::string_view name);

/// What follows the last slash.
std::string_view base_name(std::string_view path);

} // namespace locara::formats
