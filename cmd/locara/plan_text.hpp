// A plan in words, and as JSON: what people agree to before anything is fetched.
#pragma once

#include "style.hpp"

#include <locara/base/json.hpp>
#include <locara/runtime/install.hpp>

#include <optional>
#include <string>

namespace locara::cli {

/// "nothing but what you type | network: none".
std::string describe_touches(const manifest::Capabilities& capabilities);

/// The plan as `locara install` shows it, several lines without a newline at the end.
std::string render_plan(const runtime::Plan& plan, const Style& style = Style());

/// The object `plan` of locara.install/1.
Json plan_json(const runtime::Plan& plan);

/// What may be done with a model over its derivation, fact by fact; the member `license` of a
/// model.
Json license_json(const runtime::PlannedModel& model);

/// What was accepted: the member `receipts`.
Json receipts_json(const std::vector<runtime::Receipt>& receipts);

/// Of what was called back {"action", "reason", "date"}, else null: the member `takedown`.
Json takedown_json(const std::optional<catalog::TakedownEntry>& taken);

/// "[called back: block-run] ", or nothing: before what an app is, in lists.
std::string takedown_mark(const std::optional<catalog::TakedownEntry>& taken);

/// Of what policy.toml refuses {"reason"}, else null: the member `policy`. One that cannot be read
/// refuses everything.
Json policy_json(const Result<policy::Decision>& said);

/// "[refused by policy] ", or nothing.
std::string policy_mark(const Result<policy::Decision>& said);

} // namespace locara::cli
