// Words that cards may use of a fixed list: the ids of tasks and of languages.
//
// Tasks are those of the Hugging Face Hub (npm @huggingface/tasks 0.21.54, pipelines.ts); languages
// are codes of ISO 639 as its cards take them (https://huggingface.co/docs/hub/model-cards).
// Threads: plain functions.
#pragma once

#include <string_view>

namespace locara::hub {

/// Whether this is the id of a task: "text-generation".
bool is_task(std::string_view id);

/// Whether this is the id of a language: a code of ISO 639-1 ("en"), three small letters as ISO
/// 639-2 and -3 have them ("nds"; which of them are given out is not looked up), "code" or
/// "multilingual".
bool is_language(std::string_view id);

} // namespace locara::hub
