// What the gate said of files, as clients of the Hub read it.
//
// Follows the Hub's answers as huggingface_hub (hf_api.py: BlobSecurityInfo, ModelInfo) and
// @huggingface/hub (paths-info.ts, api-index-tree.ts) take them: "safe" is what the former calls
// safe. `locaraScan` is ours: everything that is known. Threads: plain functions.
#pragma once

#include "verdict_store.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/git_repo.hpp>

#include <optional>
#include <vector>

namespace locara::hub {

/// "safe" (allow), "suspicious" (flag), "unsafe" (refuse), or "unscanned".
std::string_view security_level(const std::optional<Judgement>& found);

/// A file's `securityFileStatus`: {"status", "avScan", "pickleImportScan", "locaraScan"}; those of
/// scans that were not made are null.
Json render_file_security(const std::optional<Judgement>& found);

/// A revision's `securityRepoStatus`: {"scansDone", "filesWithIssues": [{"path", "level"}]}.
Result<Json> render_repo_security(const VerdictStore& verdicts,
                                  const std::vector<GitEntry>& entries);

} // namespace locara::hub
