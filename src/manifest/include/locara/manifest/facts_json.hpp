// The facts of an app, and what changed in its manifest, as JSON: the one form in plan, card, shell
// and report of a check.
//
// Threads: plain functions.
#pragma once

#include <locara/base/json.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <vector>

namespace locara::manifest {

/// [{"subject", "text", "mark"}], in their order.
Json render_facts(const std::vector<Fact>& facts);

/// Where two manifests of an app differ: [{"field", "was", "now"}] by the path in locara.json
/// ("entry.prompt.fields[0].label"), in the order of paths. What one of them does not state is
/// null. `schema` and `version` do not count.
Json changed_fields(const Json& before, const Json& after);

} // namespace locara::manifest
