#include "object_rules.hpp"

#include "commit_body.hpp"
#include "content_gate.hpp"

namespace locara::hub {

ObjectRules object_rules(const Services& services, const Repo& repo) {
    const auto find = [&services, key = repo.key](const LfsPointer& pointer) {
        return services.names.find_file(key, pointer.sha256);
    };
    ObjectRules rules;
    rules.blob_limit = kInlineFileLimit;
    // As of a commit by the API: who knows a hash has not the bytes.
    rules.has_file = [&services, key = repo.key](const LfsPointer& pointer) -> Result<bool> {
        LOCARA_TRY(const auto file,
                   services.names.use_file(key, pointer.sha256, services.clock.now()));
        return file && file->size == pointer.size && services.cas.touch(file->xet).has_value();
    };
    rules.judge_blob = [&services](const std::string& path, std::string_view blob) {
        return pass_gate(services, blob, path);
    };
    rules.judge_file = [&services, find](const std::string& path,
                                         const LfsPointer& pointer) -> Status {
        LOCARA_TRY(const auto file, find(pointer));
        if (!file) {
            return Error(ErrorCode::Refused, path + " went away meanwhile");
        }
        const StoredSource content(services.cas, file->xet, file->size);
        return pass_gate(services, content, file->sha256.render(), path);
    };
    return rules;
}

Result<std::unordered_set<std::string>> blobs_of(const GitRepo& git,
                                                 const std::vector<std::string>& commits) {
    std::unordered_set<std::string> blobs;
    for (const std::string& commit : commits) {
        LOCARA_TRY(const auto entries, git.list(commit, "", GitRepo::Recursive::Yes));
        for (const GitEntry& entry : entries) {
            if (entry.kind == GitEntry::Kind::File) {
                blobs.insert(entry.oid);
            }
        }
    }
    return blobs;
}

} // namespace locara::hub
