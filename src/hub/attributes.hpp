// Lines of .gitattributes: which files git holds only a pointer to.
#pragma once

#include <string>
#include <string_view>

namespace locara::hub {

/// A line that gives what the pattern fits to Git LFS. Spaces are written as git-lfs writes them.
std::string lfs_rule(std::string_view pattern);

/// The pattern that fits exactly this path.
std::string exact_pattern(std::string_view path);

/// The rules of a new repository: the usual formats of weights and archives.
std::string default_attributes();

} // namespace locara::hub
