// An effective license as JSON: the one form in plan, card, report of a check and a hub's answers.
//
// Threads: a plain function.
#pragma once

#include <locara/base/json.hpp>
#include <locara/manifest/effective_license.hpp>

#include <string_view>

namespace locara::manifest {

/// {"id", "licenses", "commercial", "redistribution", "derivatives", "attribution", "share_alike",
/// "use_restrictions", "gated", "facts": [{"fact", "answer", "license", "clause", "from"}],
/// "conflicts"}. `id` is the license as the manifest has it. What is unknown has the strict answer
/// in the members that are true or false, and says "unknown" in its fact.
Json render_license(std::string_view id, const EffectiveLicense& license);

} // namespace locara::manifest
