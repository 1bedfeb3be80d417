// License: what the text of a license says, as facts with the clause they come from.
//
// One table (license_table.cpp) of every id that the Hugging Face Hub documents for cards and of
// the common SPDX ids. It is no legal advice: each fact was read in the text and names the clause;
// where the text could not be read, or is not one text, the fact is unknown. docs/licenses.md is
// made from it. Unknown is never taken for freedom: see effective_license.hpp. Threads: constant
// data.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace locara::manifest {

enum class Answer { No, Yes, Unknown };

/// The first three are permissions (No restricts), the others are obligations (Yes restricts).
enum class FactKind {
    CommercialUse,
    Redistribution,  ///< Passing the work on unchanged.
    Derivatives,     ///< Making changed versions and passing them on.
    Attribution,     ///< The maker must be named, or notices or the license text kept.
    ShareAlike,      ///< What is made from it must be passed on under the same license.
    UseRestrictions, ///< Some fields of use are forbidden.
    Gated,           ///< The source asks for an account and consent. No license text says so: it is
                     ///< a fact of a repository, which its manifest declares.
};

inline constexpr std::array kFactKinds = {FactKind::CommercialUse,
                                          FactKind::Redistribution,
                                          FactKind::Derivatives,
                                          FactKind::Attribution,
                                          FactKind::ShareAlike,
                                          FactKind::UseRestrictions,
                                          FactKind::Gated};

/// Facts that texts of licenses state: all but Gated.
inline constexpr std::size_t kTextFacts = kFactKinds.size() - 1;

/// "commercial-use", "redistribution", "derivatives", "attribution", "share-alike",
/// "use-restrictions", "gated".
std::string_view render(FactKind kind);

/// "no", "yes", "unknown".
std::string_view render(Answer answer);

/// 0: leaves free; 1: unknown; 2: restricts.
int strictness(FactKind kind, Answer answer);

struct LicenseFact {
    Answer answer = Answer::Unknown;
    std::string_view clause; ///< Empty: the text has no such clause, or nothing is known.
};

struct License {
    std::string_view id;      ///< SPDX id where there is one, else the Hub's.
    std::string_view name;    ///< For people.
    std::string_view aliases; ///< Other ids for the same text, separated by spaces.
    std::string_view url;     ///< Where the text is.
    std::array<LicenseFact, kTextFacts> facts;

    /// Not for Gated.
    const LicenseFact& fact(FactKind kind) const { return facts[static_cast<std::size_t>(kind)]; }

    /// Nothing is known of it: the id stands for no one text, or the text could not be read.
    bool is_unknown() const;
};

/// The whole table.
std::span<const License> licenses();

/// By id or alias, without regard to case; nullptr if the table does not know it.
const License* find_license(std::string_view id);

/// The table as a Markdown table, for docs/licenses.md.
std::string render_license_table();

} // namespace locara::manifest
