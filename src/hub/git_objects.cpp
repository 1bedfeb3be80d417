#include "git_objects.hpp"

#include "git_handles.hpp"

namespace locara::hub {

Status for_each_object(const std::filesystem::path& repository,
                       const std::function<void(const std::string& oid)>& take) {
    LOCARA_TRY(const Repository opened, open_repository(repository));
    git_odb* raw = nullptr;
    int code = git_repository_odb(&raw, opened.get());
    const ObjectDatabase objects(raw);
    if (code == 0) {
        code = git_odb_foreach(
            raw,
            [](const git_oid* oid, void* to) {
                (*static_cast<const std::function<void(const std::string&)>*>(to))(render_oid(oid));
                return 0;
            },
            const_cast<void*>(static_cast<const void*>(&take)));
    }
    return code == 0 ? Status() : Status(git_failure("listing the objects"));
}

} // namespace locara::hub
