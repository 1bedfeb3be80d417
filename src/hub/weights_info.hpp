// What the headers of a repository's weights say, as its information has it: `gguf` and
// `safetensors`. The headers were read by the gate, in its sandbox; here only what it said.
//
// Follows the Hub's answers as huggingface_hub (hf_api.py: ModelInfo.gguf, SafeTensorsInfo) and
// huggingface.js (packages/tasks/src/model-data.ts) take them. Threads: plain functions.
#pragma once

#include "verdict_store.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/git_repo.hpp>

#include <vector>

namespace locara::hub {

struct WeightsInfo {
    /// {"total", "architecture", "context_length", "chat_template", "bos_token", "eos_token"},
    /// those that the file says; null without one.
    Json gguf;
    Json safetensors; ///< {"parameters": {TYPE: N}, "total"}; null without one.
};

/// Of the first weights of each format, by path, that are whole: one file, or all files of a split
/// one. Weights that were not judged yet, or did not pass, say nothing.
Result<WeightsInfo> read_weights_info(const VerdictStore& verdicts,
                                      const std::vector<GitEntry>& entries);

} // namespace locara::hub
