// Which mirrored files give way when there are more than the quota allows.
#pragma once

#include "names.hpp"

#include <locara/hub/config.hpp>

namespace locara::hub {

struct Evicted {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

/// Forgets the files used longest ago until the rest fits the quota; those of pinned repositories
/// stay. What is read just now is read to its end. The space is given back by gc.
Result<Evicted> evict_mirrored(Names& names, const MirrorConfig& config);

} // namespace locara::hub
