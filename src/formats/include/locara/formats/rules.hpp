// Rules: everything the formats gate can say, in one table.
//
// A check names the rule that a file breaks; the table gives the answer and the label. The same
// table, with the test that shows each rule, is in docs/formats-gate.md, and a test holds the two
// against each other. Threads: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace locara::formats {

enum class Decision {
    Allow,  ///< May be listed.
    Flag,   ///< Kept, but hidden from the catalog until a curator decides. Never loaded.
    Refuse, ///< Not stored outside quarantine.
};

/// "allow", "flag" or "refuse", as in JSON.
std::string_view render(Decision decision);

/// What is the matter with a file, in one word for people and policies. From harmless to worst:
/// of several members of an archive the worst one gives the answer.
enum class Label : std::uint8_t {
    Ok,          ///< Nothing.
    Unknown,     ///< Bytes of no known format.
    Mismatch,    ///< The name promises something else than the content is.
    Active,      ///< A document that may do something when it is opened.
    Code,        ///< Source code, or a reference to code that a loader would fetch.
    Secret,      ///< A key or token that its owner did not mean to publish.
    WrongFormat, ///< A format that is not loaded. Nothing in it is known to do harm.
    Malformed,   ///< Not what its format asks for.
    Opaque,      ///< Cannot be looked into.
    OverBudget,  ///< Takes more time or memory than a file may.
    Unreadable,  ///< Could not be read.
    BadName,     ///< A name that some system reads as something else.
    Executable,  ///< A program.
    Polyglot,    ///< Two formats in one file.
    Malicious,   ///< Would run code of its maker's choice, or reach outside its place.
};

/// "ok", "unknown", ..., "wrong-format", ..., "malicious", as in JSON.
std::string_view render(Label label);

struct Rule {
    std::string_view name; ///< `subject.detail`, stable.
    Decision decision = Decision::Refuse;
    Label label = Label::Malformed;
    std::string_view meaning; ///< One line for people, without full stop.
};

/// All rules, those of one subject together.
std::span<const Rule> rules();

/// The rule of this name, nullptr if there is none.
const Rule* find_rule(std::string_view name);

} // namespace locara::formats
