// Verdict: what the formats gate says about one file, and Finding: the rule a file broke.
//
// Rule names are stable (`format.subject.detail`, for example `gguf.tensor.offset`); people and
// policies may refer to them. Reasons are sentences for people and may change.
// Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/formats/rules.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::formats {

/// Name and version of the scanner, part of every verdict. The version changes whenever a rule
/// does, so that a stored verdict tells whether it is worth asking again.
inline constexpr std::string_view kScannerName = "locara-formats";
inline constexpr std::string_view kScannerVersion = "2.6.0";

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

/// What a pickle may take from Python. Module and name are "?" where they are not constants.
struct PickleImport {
    std::string module;
    std::string name;
    std::string opcode;       ///< "GLOBAL", "INST", "STACK_GLOBAL", "EXT1", ...
    std::uint64_t offset = 0; ///< Of that opcode.
    bool listed = false;      ///< On the short list of what harmless weights need.

    bool operator==(const PickleImport&) const = default;
};

struct Verdict {
    Decision decision = Decision::Refuse;
    Label label = Label::Unreadable;
    std::string format; ///< What the content is: "gguf", "safetensors", "pickle", "text", ...
    std::string rule;   ///< The deciding rule, of rules(). For Allow: the check that passed.
    std::string reason; ///< One sentence: what was found, what is allowed, what to do.
    std::optional<std::uint64_t> offset; ///< In the file, or in `member` if that is not empty.
    std::string member;                  ///< Path inside an archive, levels joined by "!/".
    std::vector<PickleImport> imports;   ///< Of the pickle that decided, else empty.
    std::string scanner{kScannerName};
    std::string scanner_version{kScannerVersion};

    bool operator==(const Verdict&) const = default;
};

/// The verdict on content of this format that breaks (or passes) the Finding's rule. A rule that
/// is not in the table is refused.
Verdict make_verdict(std::string format, Finding finding);

/// Whether `a` says something worse than `b`: by decision, then by label, then what is made of
/// pickles before anything else: no policy may let these pass as merely another format.
bool is_worse(const Verdict& a, const Verdict& b);

} // namespace locara::formats
