// Doors: what is done with a file, a model or an app at each place where it comes in, goes out or
// is used.
//
// Verdicts (formats::Verdict) and takedown entries know nothing of where they are asked; a door
// knows nothing of rules. This table joins the two, and every door asks it. docs/formats-gate.md,
// "What each door does", shows the same table; a test compares them.
// Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/catalog/takedown.hpp>
#include <locara/formats/verdict.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::policy {

enum class Door : std::uint8_t {
    Upload,        ///< A commit, push or upload to a hub.
    Serve,         ///< A hub gives away what it has: files of its repositories, its bundles.
    Mirror,        ///< A hub fetches a file from upstream for a client.
    ServeMirrored, ///< It gives that file away again.
    Seed,          ///< What a hub begins with: no curator is there.
    Review,        ///< An app's files, and those its models pin: lint, publish, a hub's review.
    Catalog,       ///< A model that a catalog is to list.
    Install,       ///< install, pull; weights that a manifest is made of.
    Adopt,         ///< Weights that another program has.
    App,           ///< The files of an app that a curator let in: install, start.
    Load,          ///< An app starts or runs, an engine opens weights.
};
inline constexpr std::size_t kDoors = 11;

enum class Class : std::uint8_t {
    Passed,       ///< The gate allows it.
    Flagged,      ///< The gate flags it.
    WrongFormat,  ///< Refused, only as a format that is not loaded.
    Refused,      ///< Refused for anything else.
    Unjudged,     ///< Refused since nobody could look: a scanner is down, a read failed.
    Unseen,       ///< No verdict is on record, where the door goes by the record.
    Warned,       ///< Called back with "warn".
    BlockInstall, ///< Called back with "block-install".
    BlockRun,     ///< Called back with "block-run".
};
inline constexpr std::size_t kClasses = 9;

enum class Answer : std::uint8_t {
    Admit,
    Warn,     ///< Admitted, and whoever asked is told.
    Curator,  ///< Let in, but listed only when a curator accepts it by name.
    Operator, ///< Let in if the operator lists the format (`pass_formats`), else refused.
    Skip,     ///< Not what the door is for: left alone, no word.
    Later,    ///< Not now, and not for good: ErrorCode::Unavailable.
    Refuse,   ///< ErrorCode::Refused.
    NotAsked, ///< The door does not see this class.
};

/// "upload", "mirror", ..., "serve-mirrored".
std::string_view render(Door door);
/// "passed", "wrong-format", ..., "block-run".
std::string_view render(Class what);
/// "admit", "warn", ...; NotAsked is "-".
std::string_view render(Answer answer);

namespace doors {
using enum Answer;
// clang-format off
inline constexpr std::array<std::array<Answer, kClasses>, kDoors> kTable = {{
    //                  Passed Flagged  WrongFormat Refused Unjudged Unseen    Warned    BlockInstall BlockRun
    /* Upload        */ {Admit, Admit,   Refuse,   Refuse, Refuse, NotAsked, Admit,    Refuse,   Refuse},
    /* Serve         */ {Admit, Admit,   Refuse,   Refuse, Later,  Admit,    Admit,    Refuse,   Refuse},
    /* Mirror        */ {Admit, Admit,   Operator, Refuse, Refuse, NotAsked, Admit,    Refuse,   Refuse},
    /* ServeMirrored */ {Admit, Admit,   Admit,    Refuse, Later,  Admit,    Admit,    Refuse,   Refuse},
    /* Seed          */ {Admit, Refuse,  Refuse,   Refuse, Refuse, NotAsked, NotAsked, NotAsked, NotAsked},
    /* Review        */ {Admit, Curator, Refuse,   Refuse, Later,  Admit,    Admit,    Refuse,   Refuse},
    /* Catalog       */ {Admit, Refuse,  Refuse,   Refuse, Later,  Admit,    Warn,     Refuse,   Refuse},
    /* Install       */ {Admit, Refuse,  Refuse,   Refuse, Refuse, NotAsked, Warn,     Refuse,   Refuse},
    /* Adopt         */ {Admit, Skip,    Refuse,   Refuse, Refuse, NotAsked, Admit,    Refuse,   Refuse},
    /* App           */ {Admit, Admit,   Refuse,   Refuse, Refuse, NotAsked, NotAsked, NotAsked, NotAsked},
    /* Load          */ {Admit, Refuse,  Refuse,   Refuse, Refuse, NotAsked, Warn,     Warn,     Refuse},
}};
// clang-format on
} // namespace doors

constexpr Answer answer(Door door, Class what) {
    return doors::kTable[static_cast<std::size_t>(door)][static_cast<std::size_t>(what)];
}

Class class_of(const formats::Verdict& verdict);
Class class_of(const catalog::TakedownEntry& entry);

Answer answer(Door door, const formats::Verdict& verdict);

/// Admit for what nobody called back.
Answer answer(Door door, const std::optional<catalog::TakedownEntry>& taken);

/// Ok for what is let in, with a warning or a curator to come. Unavailable where the answer is
/// Later, else Refused: "WHAT is refused: REASON (RULE)".
Status check(Door door, std::string_view what, const formats::Verdict& verdict);

/// The same for what may be called back: "WHAT was called back on DATE: REASON".
Status check(Door door, std::string_view what, const std::optional<catalog::TakedownEntry>& taken);

} // namespace locara::policy
