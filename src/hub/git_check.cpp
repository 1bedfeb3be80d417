#include "git_check.hpp"

#include <utility>

namespace locara::hub {
namespace {

// libgit2 has one type for objects of all kinds, and functions for each; the kind was looked at.
template <class Kind> const Kind* as(const Object& object) {
    return reinterpret_cast<const Kind*>(object.get());
}

} // namespace

GitCheck::GitCheck(Repository repository, HasFile has_file)
    : repository_(std::move(repository)), has_file_(std::move(has_file)) {}

Result<GitCheck> GitCheck::open(const std::filesystem::path& repository, HasFile has_file) {
    LOCARA_TRY(Repository opened, open_repository(repository));
    return GitCheck(std::move(opened), std::move(has_file));
}

Status GitCheck::check(const git_oid& target, const std::stop_token& stop) {
    waiting_.clear();
    add({target, GIT_OBJECT_ANY, target, ""});
    while (!waiting_.empty()) {
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "reading a history was stopped");
        }
        const Step step = std::move(waiting_.back());
        waiting_.pop_back();
        if (seen_.insert(step.id).second) {
            LOCARA_CHECK(read(step).context("in commit " + render_oid(&step.commit)));
        }
    }
    return {};
}

void GitCheck::add(Step step) {
    if (!seen_.contains(step.id)) {
        waiting_.push_back(std::move(step));
    }
}

Status GitCheck::read(const Step& step) {
    git_object* raw = nullptr;
    const int code = git_object_lookup(&raw, repository_.get(), &step.id, step.kind);
    const Object object(raw);
    if (code != 0) {
        return git_failure("reading " + (step.path.empty() ? "" : step.path + ", ") +
                           render_oid(&step.id));
    }
    switch (git_object_type(raw)) {
    case GIT_OBJECT_COMMIT: {
        const auto* const commit = as<git_commit>(object);
        // The parents below the folder, so that the list stays short in a long history.
        for (unsigned int i = 0; i < git_commit_parentcount(commit); ++i) {
            const git_oid& parent = *git_commit_parent_id(commit, i);
            add({parent, GIT_OBJECT_COMMIT, parent, ""});
        }
        add({*git_commit_tree_id(commit), GIT_OBJECT_TREE, step.id, ""});
        return {};
    }
    case GIT_OBJECT_TREE: {
        const auto* const tree = as<git_tree>(object);
        const std::string below = step.path.empty() ? "" : step.path + "/";
        for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
            const git_tree_entry* const entry = git_tree_entry_byindex(tree, i);
            const git_object_t kind = git_tree_entry_type(entry);
            if (kind == GIT_OBJECT_TREE || kind == GIT_OBJECT_BLOB) {
                add({*git_tree_entry_id(entry),
                     kind,
                     step.commit,
                     below + git_tree_entry_name(entry)});
            }
        }
        return {};
    }
    case GIT_OBJECT_TAG:
        add({*git_tag_target_id(as<git_tag>(object)),
             git_tag_target_type(as<git_tag>(object)),
             *git_tag_target_id(as<git_tag>(object)),
             ""});
        return {};
    default:
        break;
    }
    const auto* const blob = as<git_blob>(object);
    const auto size = static_cast<std::size_t>(git_blob_rawsize(blob));
    if (size >= kPointerLimit) {
        return {};
    }
    const auto pointer =
        LfsPointer::parse({static_cast<const char*>(git_blob_rawcontent(blob)), size});
    if (!pointer) {
        return {};
    }
    LOCARA_TRY(const bool here, has_file_(*pointer));
    return here ? Status()
                : Status(Error(ErrorCode::NotFound,
                               step.path + " is sha256:" + pointer->sha256.render() +
                                   ", which this repository has not got"));
}

} // namespace locara::hub
