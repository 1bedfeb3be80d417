// Names of the Hub protocol: what a repository, a revision and a path may be, and the address of a
// file. Private to the module.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>

namespace locara::hf {

inline constexpr std::size_t kMaxRepoPartBytes = 96; // the Hub's own bound on a repository name
inline constexpr std::size_t kMaxRevisionBytes = 250;
inline constexpr std::size_t kMaxPathBytes = 1024;

/// Whether this names one commit for good: 40 lower-case hex digits.
bool is_commit(std::string_view revision);

/// `<endpoint>/<repo>/resolve/<revision>/<path>`, each part percent-encoded; a slash in the
/// revision becomes %2F. InvalidArgument, naming the part, when one could not belong to a
/// repository.
Result<std::string> make_resolve_url(std::string_view endpoint,
                                     std::string_view repo,
                                     std::string_view revision,
                                     std::string_view path);

/// `<endpoint>/api/<plural>/<repo>/<call>`, and `/<revision>` after it unless that is empty;
/// slashes in the revision become %2F. Errors: as make_resolve_url.
Result<std::string> make_api_url(std::string_view endpoint,
                                 std::string_view plural,
                                 std::string_view repo,
                                 std::string_view call,
                                 std::string_view revision);

/// InvalidArgument unless this can be a path inside a repository.
Status check_path(std::string_view path);

} // namespace locara::hf
