// Where the check of a submission reads from.
#pragma once

#include "names.hpp"
#include "verdict_store.hpp"

#include <locara/base/clock.hpp>
#include <locara/cas/cas.hpp>

#include <filesystem>

namespace locara::hub {

/// Borrowed.
struct ReviewSources {
    const std::filesystem::path& data; ///< The hub's data folder.
    const Names& names;
    const VerdictStore& verdicts;
    const cas::Cas& cas;
    const Clock& clock;
};

} // namespace locara::hub
