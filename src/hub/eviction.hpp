// Which mirrored files give way when there are more than the quota allows.
#pragma once

#include "names.hpp"

#include <locara/hub/config.hpp>

#include <string>

namespace locara::hub {

struct Evicted {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

/// Forgets the files used longest ago until the rest fits the quota; those of pinned repositories
/// stay. Uses are noted by the second; `newest`, the oid of the file that has just come
/// (MirroredFile::oid), is the last to go whatever its second. What is read just now is read to its
/// end. The space is given back by gc.
Result<Evicted> evict_mirrored(Names& names, const MirrorConfig& config, const std::string& newest);

/// Bytes of files that never give way, since their repositories are pinned; but for those of one.
Result<std::uint64_t>
pinned_bytes(const Names& names, const MirrorConfig& config, std::int64_t but);

} // namespace locara::hub
