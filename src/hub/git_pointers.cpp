#include "git_pointers.hpp"

namespace locara::hub {

Result<std::optional<LfsPointer>>
read_pointer(git_repository* repository, git_odb* objects, const git_oid& id) {
    std::size_t size = 0;
    git_object_t kind = GIT_OBJECT_INVALID;
    int code = git_odb_read_header(&size, &kind, objects, &id);
    if (code == 0 && size >= kPointerLimit) {
        return std::optional<LfsPointer>();
    }
    git_blob* raw = nullptr;
    code = code == 0 ? git_blob_lookup(&raw, repository, &id) : code;
    const Blob blob(raw);
    if (code != 0) {
        return git_failure("reading file " + render_oid(&id));
    }
    return LfsPointer::parse(
        {static_cast<const char*>(git_blob_rawcontent(raw)), git_blob_rawsize(raw)});
}

} // namespace locara::hub
