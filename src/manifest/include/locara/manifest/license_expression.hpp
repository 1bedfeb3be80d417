// LicenseExpression: "Apache-2.0", "MIT OR GPL-2.0-only WITH Classpath-exception-2.0".
//
// SPDX license expressions (SPDX specification 2.3, annex D): AND, OR, WITH in capitals, and
// parentheses; AND binds tighter than OR. ("MIT or later" is no expression: nobody means a choice
// between MIT and a license called "later".) Ids are not looked up here: the Hub's own ids
// ("llama3", "openrail++") are ids too. DocumentRef is not read. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

/// Most bytes of an expression, most ids in it, deepest nesting of parentheses.
inline constexpr std::size_t kLicenseExpressionBytes = 256;
inline constexpr std::size_t kLicenseExpressionIds = 32;
inline constexpr std::size_t kLicenseExpressionDepth = 8;

struct LicenseExpression {
    enum class Kind { Id, And, Or };

    Kind kind = Kind::Id;
    std::string id;                       ///< Id: as written.
    std::string exception;                ///< Id: what follows WITH, or empty.
    std::vector<LicenseExpression> parts; ///< And, Or: two or more, none of the same kind.

    /// InvalidArgument, with the place, if it is no expression or exceeds a limit.
    static Result<LicenseExpression> parse(std::string_view text);

    /// The inverse: one space between words, only the parentheses that are needed.
    std::string render() const;
};

} // namespace locara::manifest
