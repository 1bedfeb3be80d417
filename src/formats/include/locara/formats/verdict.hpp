// Verdict: what the formats gate says about one file, and Finding: the rule a file broke.
//
// Rule names are stable (`format.subject.detail`, for example `gguf.tensor.offset`); people and
// policies may refer to them. Reasons are sentences for people and may change.
// Threads: plain values.
#pragma once

#include <locara/base/result.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::formats {

/// Name and version of the scanner, part of every verdict. The version changes whenever a rule
/// does, so that a stored verdict tells whether it is worth asking again.
inline constexpr std::string_view kScannerName = "locara-formats";
inline constexpr std::string_view kScannerVersion = "1.0.0";

enum class Decision {
    Allow,  ///< May be listed.
    Flag,   ///< Kept, but hidden from the catalog until a curator decides. Never loaded.
    Refuse, ///< Not stored outside quarantine.
};

/// "allow", "flag" or "refuse", as in JSON.
std::string_view render(Decision decision);

/// One rule that a file breaks.
struct Finding {
    std::string rule;                    ///< Stable name, e.g. "safetensors.header.length".
    std::string reason;                  ///< What was found, what is allowed.
    std::optional<std::uint64_t> offset; ///< First byte concerned, if one can be named.
};

/// The rule of every Finding that stands for a failed read and not for the content.
inline constexpr std::string_view kRuleRead = "io.read";

/// A value, or the rule that was broken.
template <class T> using Checked = tl::expected<T, Finding>;

/// The Error for callers that want a Result: Io for kRuleRead, otherwise Corrupt, with the reason,
/// the offset and the rule in its message.
Error to_error(const Finding& finding);

struct Verdict {
    Decision decision = Decision::Refuse;
    std::string label;  ///< What the content is: "gguf", "safetensors", "pickle", "text", ...
    std::string rule;   ///< The deciding rule. For Allow: the check that passed, e.g. "gguf.valid".
    std::string reason; ///< One sentence: what was found, what is allowed, what to do.
    std::optional<std::uint64_t> offset; ///< In the file, or in `member` if that is not empty.
    std::string member;                  ///< Path inside an archive, "a.zip" levels joined by "!/".
    std::string scanner{kScannerName};
    std::string scanner_version{kScannerVersion};

    bool operator==(const Verdict&) const = default;
};

} // namespace locara::formats
