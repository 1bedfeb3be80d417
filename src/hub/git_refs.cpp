#include "git_refs.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <map>
#include <sstream>
#include <system_error>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRefBytes = 4096;
constexpr std::size_t kPackedBytes = 256U << 20U;

using Refs = std::map<std::string, std::optional<git_oid>>;

std::optional<git_oid> parse_target(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    const auto id = parse_oid(text);
    return id ? std::optional(*id) : std::nullopt;
}

/// Adds what lies in a folder, and returns the folders in it. What is removed meanwhile, as empty
/// folders are with the last ref in them, is not there.
Result<std::vector<fs::path>>
read_folder(const fs::path& repository, const fs::path& folder, Refs& refs) {
    std::vector<fs::path> folders;
    std::error_code error;
    fs::directory_iterator at(folder, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        std::error_code gone;
        const fs::file_type type = at->symlink_status(gone).type();
        if (type == fs::file_type::directory) {
            folders.push_back(at->path());
        } else if (type != fs::file_type::not_found && at->path().extension() != ".lock") {
            const auto text = read_file(at->path(), kRefBytes);
            if (!text && text.error().code() == ErrorCode::NotFound) {
                continue;
            }
            refs.emplace(at->path().lexically_relative(repository).string(),
                         text ? parse_target(*text) : std::nullopt);
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return Error(ErrorCode::Io, "listing " + folder.string() + ": " + error.message());
    }
    return folders;
}

/// Adds what git packed, "ID NAME" a line, unless a file of its own says otherwise. A line "^ID"
/// says where the tag before it leads.
Status read_packed(const fs::path& repository, Refs& refs) {
    const auto text = read_file(repository / "packed-refs", kPackedBytes);
    if (!text) {
        return text.error().code() == ErrorCode::NotFound ? Status() : Status(text.error());
    }
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        const bool peeled = line.starts_with('^');
        if (line.starts_with('#') || (peeled && parse_target(line.substr(1)))) {
            continue;
        }
        const std::size_t space = line.find(' ');
        const auto target = parse_target(line.substr(0, space));
        if (!target || space == std::string::npos || line.compare(space + 1, 5, "refs/") != 0) {
            return Error(ErrorCode::Io, "packed-refs is not as git writes it");
        }
        refs.emplace(line.substr(space + 1), target);
    }
    return {};
}

} // namespace

Result<std::vector<RefFile>> read_refs(const fs::path& repository) {
    Refs refs;
    std::vector<fs::path> waiting = {repository / "refs"};
    while (!waiting.empty()) {
        const fs::path folder = waiting.back();
        waiting.pop_back();
        LOCARA_TRY(const auto below, read_folder(repository, folder, refs));
        waiting.insert(waiting.end(), below.begin(), below.end());
    }
    LOCARA_CHECK(read_packed(repository, refs));
    std::vector<RefFile> all;
    for (const auto& [name, target] : refs) {
        all.push_back({name, target});
    }
    return all;
}

Result<std::string> read_head(const fs::path& repository) {
    constexpr std::string_view kBegin = "ref: ";
    LOCARA_TRY(std::string head, read_file(repository / "HEAD", kRefBytes));
    if (!head.starts_with("ref: refs/")) {
        return Error(ErrorCode::Io, "HEAD names no branch; a start of the hub mends it");
    }
    head.erase(0, kBegin.size());
    if (head.ends_with('\n')) {
        head.pop_back();
    }
    return head;
}

Status check_head(const fs::path& repository, const std::vector<RefFile>& refs) {
    LOCARA_TRY(const std::string head, read_head(repository));
    const bool there = std::any_of(
        refs.begin(), refs.end(), [&head](const RefFile& ref) { return ref.name == head; });
    return there ? Status()
                 : Status(Error(ErrorCode::Io, "HEAD names " + head + ", which is missing"));
}

Status push_refs(git_revwalk* walk, std::string_view prefix) {
    git_repository* const repository = git_revwalk_repository(walk);
    const fs::path folder = git_repository_path(repository);
    LOCARA_TRY(const auto refs, read_refs(folder));
    LOCARA_CHECK(check_head(folder, refs));
    for (const RefFile& ref : refs) {
        if (!ref.name.starts_with(prefix)) {
            continue;
        }
        if (!ref.target) {
            return Error(ErrorCode::Io, ref.name + " holds no object's id");
        }
        if (git_revwalk_push(walk, &*ref.target) != 0) {
            return git_failure(ref.name);
        }
    }
    return {};
}

} // namespace locara::hub
