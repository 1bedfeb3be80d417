#include "git_handles.hpp"

#include <locara/base/path.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <unordered_set>

namespace locara::hub {
namespace {

constexpr int kFull[] = {ENOSPC, EDQUOT};

} // namespace

void start_git() {
    static const bool started = [] {
        // Without the configuration of the machine or the user: what a commit is must not depend
        // on where it is made.
        git_libgit2_init();
        for (const auto level : {GIT_CONFIG_LEVEL_SYSTEM,
                                 GIT_CONFIG_LEVEL_GLOBAL,
                                 GIT_CONFIG_LEVEL_XDG,
                                 GIT_CONFIG_LEVEL_PROGRAMDATA}) {
            git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
        }
        // A commit that was answered for must survive a loss of power.
        git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
        // It would map whole packs at once, and count as this process's memory.
        constexpr std::size_t kWindow = 4U << 20U;
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, kWindow);
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, 4 * kWindow);
        return true;
    }();
    static_cast<void>(started);
}

Result<Repository> open_repository(const std::filesystem::path& path) {
    start_git();
    git_repository* raw = nullptr;
    if (git_repository_open_bare(&raw, path.c_str()) != 0) {
        return git_failure("opening the git repository " + path.string());
    }
    return Repository(raw);
}

Error git_failure(std::string_view what) {
    const git_error* const last = git_error_last();
    const std::string detail =
        last != nullptr && last->message != nullptr ? last->message : "no reason given";
    // It says what the system said, and no more of the errno.
    const bool full = std::any_of(std::begin(kFull), std::end(kFull), [&detail](int number) {
        return detail.ends_with(std::generic_category().message(number));
    });
    return Error(full ? ErrorCode::NoSpace : ErrorCode::Io, std::string(what) + ": " + detail);
}

bool is_lost_object(int code) {
    const git_error* const last = git_error_last();
    return code == GIT_ENOTFOUND && last != nullptr && last->klass == GIT_ERROR_ODB;
}

MixedNames find_mixed_names(git_index* index, std::size_t most) {
    struct Folder {
        PathSet set;
        std::vector<std::string> names;
    };

    std::map<std::string, Folder> folders;
    std::unordered_set<std::string> seen;
    std::set<std::string> mixed;
    std::size_t pairs = 0;
    MixedNames found;
    const auto add = [&](const std::string& above, const std::string& name) {
        Folder& folder = folders[above];
        Status added = folder.set.add(name).context("in folder '" + above + "'");
        if (added) {
            folder.names.push_back(name);
            return;
        }
        const auto other =
            std::find_if(folder.names.begin(), folder.names.end(), [&](const std::string& one) {
                PathSet both;
                return both.add(one) && !both.add(name);
            });
        mixed.insert(above + name);
        mixed.insert(above + (other == folder.names.end() ? name : *other));
        if (pairs++ == 0) {
            found.first = std::move(added);
        }
    };
    for (std::size_t i = 0; i < git_index_entrycount(index) && pairs < most; ++i) {
        const std::string path = git_index_get_byindex(index, i)->path;
        std::size_t begin = 0; // Of a part.
        while (begin <= path.size() && pairs < most) {
            const std::size_t end = std::min(path.find('/', begin), path.size());
            if (seen.insert(path.substr(0, end)).second) {
                add(path.substr(0, begin), path.substr(begin, end - begin));
            }
            begin = end + 1;
        }
    }
    found.paths.assign(mixed.begin(), mixed.end());
    return found;
}

Status check_names(git_index* index) {
    return find_mixed_names(index, 1).first;
}

std::string render_oid(const git_oid* oid) {
    char text[GIT_OID_HEXSZ + 1];
    git_oid_tostr(text, sizeof text, oid);
    return text;
}

Result<git_oid> parse_oid(std::string_view text) {
    git_oid oid{};
    if (text.size() != GIT_OID_HEXSZ ||
        text.find_first_not_of("0123456789abcdef") != std::string_view::npos ||
        git_oid_fromstrn(&oid, text.data(), text.size()) != 0) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + std::string(text) + "' is no commit id of 40 hexadecimal digits");
    }
    return oid;
}

} // namespace locara::hub
