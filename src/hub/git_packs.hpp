// The packs of a repository: each push leaves one, each commit by the API some loose objects. Many
// of them become one here.
//
// Nothing that the repository has is ever gone meanwhile, at no call that a kill may follow:
//   1. git writes one pack of all objects, those that no ref leads to as well (who knows an id may
//      ask for it), under a temporary name; then the folder is synced.
//   2. git removes the loose objects that are in a pack.
//   3. A later call removes each pack all of whose objects are in a newer, larger one that has been
//      there since before `limit`. Who opened the repository before that one came has long ended.
// A call that was cut off is made good by the next.
// Processes: beside any number that read and write, one consolidation at a time, and no
// remove_git_leftovers.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <stop_token>

namespace locara::hub {

struct PackOptions {
    TimePoint limit;           ///< A pack written since then replaces no others yet.
    std::size_t packs = 8;     ///< With more than so many, all become one;
    std::size_t loose = 256;   ///< and with more loose objects.
    bool only_look = false;    ///< Says what step 3 would free; changes nothing.
    std::stop_token stop = {}; ///< Asked to stop, the answer is Cancelled.
};

struct PackReport {
    bool packed = false;             ///< Steps 1 and 2 were made.
    std::uint64_t removed_packs = 0; ///< By step 3.
    std::uint64_t freed_bytes = 0;   ///< Allocated for what steps 2 and 3 removed.
};

/// Steps 3, 1 and 2, as far as each is due. Errors: Unavailable (no git), Io, Corrupt, Cancelled.
Result<PackReport> consolidate_packs(const std::filesystem::path& repository,
                                     const PackOptions& options);

} // namespace locara::hub
