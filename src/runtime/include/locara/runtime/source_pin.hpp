// Pinning what a GGUF is converted from: the safetensors of a repository at one commit, with its
// configuration, tokenizer and card. For `locara model build`.
//
// Threads: plain functions.
#pragma once

#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/hf/client.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <stop_token>
#include <string>
#include <string_view>

namespace locara::runtime {

/// The name of the variant that pin_sources makes, and what `--base` calls it.
inline constexpr const char* kSourcesVariant = "safetensors";

/// The manifest `text` with one variant in place of its own, kSourcesVariant of the repository
/// `source`: the files that `wanted` is converted from, and behind them that of `wanted` itself, by
/// which policies see both formats; it is not fetched. The terms are those of the manifest.
/// Errors: NotFound (the commit has no safetensors), Unsupported (configuration or tokenizer are
/// missing, or a file without a digest is too large to hash), Corrupt (the list of shards, or the
/// hub has another commit), and those of hf::Client. Progress: task "pin", item = path.
Result<std::string> pin_sources(hf::Client& client,
                                std::string_view text,
                                const manifest::Source& source,
                                const manifest::Variant& wanted,
                                ProgressSink& progress = null_progress(),
                                const std::stop_token& stop = {});

} // namespace locara::runtime
