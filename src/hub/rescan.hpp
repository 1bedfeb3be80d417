// What rescan works on, for a hub that has it open already (include/locara/hub/upkeep.hpp).
#pragma once

#include "buckets.hpp"
#include "names.hpp"
#include "verdict_store.hpp"

#include <locara/cas/cas.hpp>
#include <locara/hub/upkeep.hpp>

#include <filesystem>

namespace locara::hub {

/// Borrowed for the call.
struct RescanSources {
    const std::filesystem::path& data; ///< The hub's data folder.
    const Names& names;
    const Buckets& buckets;
    const VerdictStore& verdicts;
    const cas::Cas& chunks;
    const Clock& clock;
};

/// As the function of the same name on a data folder.
Result<RescanReport> rescan(const RescanSources& sources, const RescanOptions& options);

} // namespace locara::hub
