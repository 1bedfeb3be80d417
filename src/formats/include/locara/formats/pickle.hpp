// Pickle: finds pickles of Python, whatever the file is called, and says what they would import.
//
// Every pickle is refused by the gate; this walk tells a hostile one from one that is merely the
// wrong format. It runs the opcodes of all protocols (0 to 5) on an abstract stack and memo and
// executes nothing. Where Python would go on, the walk goes on; where an operand is not a constant
// it counts as unknown. Source: CPython Lib/pickle.py and Lib/pickletools.py (3.11).
// Threads: plain functions and values.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace locara::formats {

/// How the walk ended.
enum class PickleEnd {
    Stop,      ///< At least one whole pickle, and the last walk reached the end of the source.
    Trailing,  ///< At least one whole pickle, followed by bytes that are none.
    Malformed, ///< The first pickle ends in an error.
    Budget,    ///< Too many opcodes to look at.
};

struct PickleWalk {
    PickleEnd end = PickleEnd::Malformed;
    std::string problem;               ///< Why the last walk stopped, if it was not at the end.
    std::uint64_t end_offset = 0;      ///< Where it stopped.
    unsigned pickles = 0;              ///< Whole pickles, one after the other.
    std::uint64_t opcodes = 0;         ///< Executed in all of them.
    bool binary = false;               ///< Starts with PROTO and a protocol that there is.
    bool calls = false;                ///< Called an import that Python could make (REDUCE ...).
    bool numbered_call = false;        ///< Called an import by number (EXT1 ...).
    bool unknown_call = false;         ///< Called something else: computed, or of an odd name.
    bool patches = false;              ///< Changed an import itself (BUILD, APPEND ...).
    bool forgot = false;               ///< Had more in its memo than was kept.
    std::vector<PickleImport> imports; ///< The first 256 distinct ones.

    /// Whether an import is not listed or not known, or is changed.
    bool suspicious() const;
};

/// Walks from byte 0 to the first error or the end. Bounded: 20 million opcodes, about 64 MiB.
/// Only fails (Io) when a read fails.
Result<PickleWalk> walk_pickle(const ByteSource& source);

/// How sure one has to be, before a walk counts as a pickle.
enum class PickleContext {
    Unknown, ///< The bytes are nothing else that we know.
    Text,    ///< The bytes are text: any first letter is an opcode, so more evidence is asked.
    Known,   ///< The bytes are a valid file of another format: only calls count.
};

/// The Finding for a walk (a rule "pickle.*"), or nullopt if the bytes are no pickle.
std::optional<Finding> judge_pickle(const PickleWalk& walk, PickleContext context);

} // namespace locara::formats
