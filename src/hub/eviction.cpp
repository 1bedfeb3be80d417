#include "eviction.hpp"

#include "mirror.hpp"

#include <algorithm>
#include <map>

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

Result<std::uint64_t>
pinned_bytes(const Names& names, const MirrorConfig& config, std::int64_t but) {
    LOCARA_TRY(const auto files, names.list_mirrored_files());
    std::map<std::int64_t, bool> pinned = {{but, false}};
    std::uint64_t bytes = 0;
    for (const MirroredFile& file : files) {
        auto known = pinned.find(file.repo);
        if (known == pinned.end()) {
            LOCARA_TRY(const auto repo, names.find_repo(file.repo));
            const bool stays = repo && config.pins(repo->id.render_web());
            known = pinned.emplace(file.repo, stays).first;
        }
        bytes += known->second ? file.size : 0;
    }
    return bytes;
}

} // namespace locara::hub
