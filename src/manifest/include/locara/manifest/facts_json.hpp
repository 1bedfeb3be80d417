// The facts of an app as JSON: the one form in plan, card, shell and report of a check.
//
// Threads: a plain function.
#pragma once

#include <locara/base/json.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <vector>

namespace locara::manifest {

/// [{"subject", "text", "mark"}], in their order.
Json render_facts(const std::vector<Fact>& facts);

} // namespace locara::manifest
