// Names: which ones the members of archives may have, and what an extension makes others do.
#pragma once

#include <locara/base/path.hpp>
#include <locara/formats/sniff.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace locara::formats {

/// Why a member's name is hostile (see validate_path), or nullopt. One trailing slash (a folder)
/// and one leading "./" are allowed.
std::optional<std::string> check_member_name(std::string_view name);

/// Adds a member's name, which passed check_member_name, to those of the same archive. Why they
/// cannot stand beside each other (see PathSet), or nullopt.
std::optional<std::string> add_member_name(PathSet& files, std::string_view name);

/// The lower-case extension with its dot ("model.SafeTensors" -> ".safetensors"), or empty.
std::string extension_of(std::string_view name);

/// What loaders do with a file of this extension. Contents are judged whatever the name says; this
/// tells who would be surprised by them.
struct NameMeaning {
    std::string_view extension;
    bool weights = false;       ///< It is taken for weights.
    bool code = false;          ///< Python or a shell runs it, some of them at their own start.
    std::optional<Kind> parsed; ///< Our own parsers must agree that it is this.
};

/// The row of an extension as extension_of gives it; an empty row for all others.
NameMeaning meaning_of(std::string_view extension);

/// What follows the last slash.
std::string_view base_name(std::string_view path);

} // namespace locara::formats
