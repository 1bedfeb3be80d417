// Takedowns that wait for their key: weights that the catalog pins, and bundles of apps in it, that
// the gate refuses by now.
//
// The takedown list is signed by who is on call, never by a hub by itself: its key is none that an
// intruder may have, and a wrong signature of an antivirus would stop every client. So a hub finds
// what is to be called back and says so (log, metric, `locara-hub takedown pending`); one command
// of whoever has the key publishes it. Nothing is kept for that: what waits is what catalog,
// verdicts and takedown list say together. Threads: as upkeep.hpp.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/formats/verdict.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace locara::hub {

struct PendingTakedown {
    catalog::TakedownEntry entry; ///< Of kind "file" or "bundle", to block what runs, dated now.
    std::vector<std::string> pinned_by; ///< Model or app and version, "acme/tiny 1.0.0"; sorted.
    formats::Verdict verdict;           ///< Why.
};

/// {"kind", "id", "reason", "label", "rule", "pinned_by"}, for programs.
Json render(const PendingTakedown& one);

/// Files, then bundles, each by id. What the takedown list has an entry about was decided on, also
/// by a warning, and does not wait. NotFound without a hub in `data`; Corrupt if its catalog cannot
/// be read.
Result<std::vector<PendingTakedown>> list_pending_takedowns(const std::filesystem::path& data,
                                                            const Clock& clock);

/// What the catalog lists now and `entry` is about, by its own names, its bundle's or those of its
/// files: "the app ana/notes 1.0.0", "the model ...", sorted. Errors: Corrupt if what it lists
/// cannot be read.
Result<std::vector<std::string>> find_in_catalog(const std::filesystem::path& tree,
                                                 const catalog::Repository& repository,
                                                 const catalog::TakedownEntry& entry);

} // namespace locara::hub
