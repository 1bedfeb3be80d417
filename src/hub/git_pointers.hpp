// Pointers of Git LFS among the blobs of a repository, through libgit2.
//
// Threads: as libgit2 has it, one thread at a time for a repository.
#pragma once

#include "git_handles.hpp"

#include <locara/hub/git_repo.hpp>

#include <cstring>
#include <optional>

namespace locara::hub {

/// A pointer has less bytes, and about 130 (git-lfs: docs/spec.md).
inline constexpr std::size_t kPointerLimit = 1024;

/// For sets and maps of ids: the bytes of a hash are one already.
struct HashOid {
    std::size_t operator()(const git_oid& id) const {
        std::size_t value = 0;
        std::memcpy(&value, id.id, sizeof(value));
        return value;
    }
};

struct SameOid {
    bool operator()(const git_oid& one, const git_oid& other) const {
        return git_oid_equal(&one, &other) == 1;
    }
};

/// What a blob points to; nothing if it is a file of its own, which is not read unless it is as
/// small as a pointer. `objects` are those of `repository`. Errors: as git_failure.
Result<std::optional<LfsPointer>>
read_pointer(git_repository* repository, git_odb* objects, const git_oid& id);

} // namespace locara::hub
