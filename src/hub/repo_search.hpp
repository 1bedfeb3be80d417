// Lists of repositories: which of them a query asks for, and in what order.
//
// Follows GET /api/models and its siblings of the Hugging Face Hub (huggingface_hub:
// HfApi.list_models; @huggingface/hub: listModels). Threads: plain functions.
#pragma once

#include "answers.hpp"

#include <locara/http/message.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Texts under a key of a query: repeated, with brackets ("key[]") or joined by commas.
std::vector<std::string> listed(const http::Request& request, std::string_view key);

/// InvalidArgument for bounds and a direction that are none, which would find nothing, or all.
Status check_search(const http::Request& request);

/// Whether a repository, as it is described to clients, has all that the query asks for: `search`
/// (parts of the id), `filter` (tags), `pipeline_tag`, `library`, `license`, `language`; `gguf` and
/// `gated`, each true or false; `apps` that load its files, by name; `num_parameters`, with
/// "min:6B" and "max:7B"; `models` and `datasets` that its card lists, and `linked`, that it lists
/// any. Nothing fits `inference` and `inference_provider`. Keys that are not known are passed over.
bool fits(const http::Request& request, const Json& repo);

/// Puts them in the order of `sort` (id, createdAt, lastModified, downloads, likes, usedStorage,
/// ...): the largest first, ids from a to z; `direction` 1 and -1 say it. Without `sort` they stay.
/// InvalidArgument for a key that nothing has.
Status sort_by_query(const http::Request& request, std::vector<Json>& repos);

/// Leaves only `_id`, `id` and the named keys.
void keep_only(Json& repo, const std::vector<std::string>& keys);

/// Leaves of a described repository what a list shows of it: what `expand` names, all with `full`,
/// else what is short.
void shape_for_list(const http::Request& request, Json& repo);

/// The tags of some repositories by what they are about, each once, as
/// GET /api/models-tags-by-type gives them: {"license": [{"id", "label", "type"}], ...}.
Json tags_by_type(const std::vector<Json>& repos);

} // namespace locara::hub
