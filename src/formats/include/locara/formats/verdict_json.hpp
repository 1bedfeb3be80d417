// Verdicts as JSON: in reports, and between processes. Threads: plain functions.
#pragma once

#include <locara/base/json.hpp>
#include <locara/formats/verdict.hpp>

namespace locara::formats {

/// The verdict as JSON: {"verdict", "label", "rule", "reason", "format", "offset", "member",
/// "imports", "scanner", "version"}. "offset" and "member" are null where they do not apply;
/// "imports" lists {"module", "name", "opcode", "offset", "listed"} of the pickle that decided.
Json render_verdict(const Verdict& verdict);

/// The reverse, strictly: exactly these members, of these types, with a rule of rules() whose
/// answer and label are the table's. Corrupt otherwise.
Result<Verdict> parse_verdict(const Json& json);

} // namespace locara::formats
