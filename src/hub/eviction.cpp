#include "eviction.hpp"

#include "mirror.hpp"

#include <algorithm>

namespace locara::hub {

Result<Evicted>
evict_mirrored(Names& names, const MirrorConfig& config, const std::string& newest) {
    Evicted evicted;
    if (config.quota_bytes == 0) {
        return evicted;
    }
    LOCARA_TRY(std::uint64_t used, names.mirrored_bytes());
    if (used <= config.quota_bytes) {
        return evicted;
    }
    LOCARA_TRY(auto files, names.list_mirrored_files());
    std::stable_partition(files.begin(), files.end(), [&newest](const MirroredFile& file) {
        return file.oid != newest;
    });
    for (const MirroredFile& file : files) {
        if (used <= config.quota_bytes) {
            break;
        }
        LOCARA_TRY(const auto repo, names.find_repo(file.repo));
        if (repo && config.pins(repo->id.render_web())) {
            continue;
        }
        LOCARA_CHECK(names.remove_mirrored_file(file));
        used -= file.size;
        evicted.bytes += file.size;
        ++evicted.files;
    }
    return evicted;
}

} // namespace locara::hub
