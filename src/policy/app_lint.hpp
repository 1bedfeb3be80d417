// What an app's page will miss when it runs: addresses of others, which its Content-Security-Policy
// stops, and powers that its manifest does not ask for. Words to its author, no wall: the walls are
// the runtime's, and code can always hide what it does from a search for words.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/result.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::policy {

/// At most so many addresses are told of one file, and so many bytes of it are read.
constexpr std::size_t kLintWarningLimit = 8;
constexpr std::size_t kLintLimitBytes = 8U << 20U;

/// One sentence for each foreign address that the text fetches or shows, and for each power that it
/// uses and the manifest lacks, in their order in the table. `path` decides whether it is markup,
/// style or script; of other files nothing is said.
std::vector<std::string>
lint_text(std::string_view path, std::string_view text, const manifest::AppManifest& app);

/// The same of an open file. Errors: Io.
Result<std::vector<std::string>>
lint_file(const Fd& fd, std::string_view path, const manifest::AppManifest& app);

} // namespace locara::policy
