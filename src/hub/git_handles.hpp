// libgit2's objects with owners, and its errors and ids as ours. For the sources that call it.
//
// Threads: as libgit2 has it, one thread at a time for a repository and what comes of it.
#pragma once

#include <locara/base/result.hpp>

#include <git2.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// The owner of a libgit2 object.
template <class T, void (*Free)(T*)> struct Free_ {
    void operator()(T* object) const { Free(object); }
};

template <class T, void (*Free)(T*)> using Owned = std::unique_ptr<T, Free_<T, Free>>;

using Repository = Owned<git_repository, git_repository_free>;
using Commit = Owned<git_commit, git_commit_free>;
using Tree = Owned<git_tree, git_tree_free>;
using TreeEntry = Owned<git_tree_entry, git_tree_entry_free>;
using Blob = Owned<git_blob, git_blob_free>;
using Object = Owned<git_object, git_object_free>;
using Reference = Owned<git_reference, git_reference_free>;
using References = Owned<git_reference_iterator, git_reference_iterator_free>;
using Signature = Owned<git_signature, git_signature_free>;
using ObjectDatabase = Owned<git_odb, git_odb_free>;
using Diff = Owned<git_diff, git_diff_free>;
using Patch = Owned<git_patch, git_patch_free>;
using Transaction = Owned<git_transaction, git_transaction_free>;
using Walk = Owned<git_revwalk, git_revwalk_free>;
using Index = Owned<git_index, git_index_free>;

/// Starts libgit2 at the first call. Before anything else of it.
void start_git();

/// A bare repository. Io also if there is none: a repository that is known has its folder.
Result<Repository> open_repository(const std::filesystem::path& path);

/// What libgit2 says about the call that failed just now: NoSpace for a full disk, else Io. An
/// object that is missing is a fault of the disk too; who asks for what may be absent looks at the
/// code first.
Error git_failure(std::string_view what);

/// Whether a call that answered `code` missed an object, and not a name.
bool is_lost_object(int code);

/// The rule for names of one revision (locara/base/path.hpp, PathSet) for all that is in an index,
/// folder by folder: InvalidArgument, naming two that a file system could mix up.
Status check_names(git_index* index);

/// The paths in an index that this rule is about, each with the one that it is mixed up with, of at
/// most `most` pairs; sorted. `first` is what check_names says.
struct MixedNames {
    std::vector<std::string> paths;
    Status first;
};

MixedNames find_mixed_names(git_index* index, std::size_t most);

/// 40 hex digits, and back: InvalidArgument for anything else.
std::string render_oid(const git_oid* oid);
Result<git_oid> parse_oid(std::string_view text);

} // namespace locara::hub
