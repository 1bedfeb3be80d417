// The argument list that makes bubblewrap build the namespaces of a profile.
#pragma once

#include <locara/base/result.hpp>
#include <locara/sandbox/profile.hpp>

#include <string>
#include <vector>

namespace locara::sandbox {

/// Descriptors that bubblewrap and the program behind it get, under these numbers.
struct Channels {
    int seccomp = -1; ///< The filter, read by bubblewrap.
    int info = -1;    ///< bubblewrap writes {"child-pid": N}.
    int status = -1;  ///< locara-sandbox-init writes its report.
};

/// Checks the profile against the host (NotFound, InvalidArgument) and renders the command line.
Result<std::vector<std::string>>
bubblewrap_command(const Profile& profile, const Tools& tools, const Channels& channels);

/// What to do about bubblewrap's own last words, as a sentence that ends an error message.
std::string bubblewrap_advice(const std::string& last_words);

} // namespace locara::sandbox
