#include "line_budget.hpp"

#include <algorithm>
#include <string_view>

namespace locara::hub {
namespace {

constexpr std::uint64_t kLeastLines = 20;

/// The size of a blob, without reading it; 0 for what is none, or is not here.
std::uint64_t blob_size(git_odb* objects, const git_oid& id) {
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    const bool found = git_oid_is_zero(&id) == 0 &&
                       git_odb_read_header(&size, &type, objects, &id) == 0 &&
                       type == GIT_OBJECT_BLOB;
    return found ? size : 0;
}

Result<std::uint64_t> count_lines(git_repository* repository, const git_oid& id) {
    git_blob* raw = nullptr;
    const int code = git_blob_lookup(&raw, repository, &id);
    const Blob blob(raw);
    if (code != 0) {
        return git_failure("reading a file to compare");
    }
    const std::string_view text(static_cast<const char*>(git_blob_rawcontent(raw)),
                                static_cast<std::size_t>(git_blob_rawsize(raw)));
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

} // namespace

Result<LineBudget::Verdict> LineBudget::take(git_repository* repository,
                                             const std::vector<git_oid>& versions) {
    git_odb* raw = nullptr;
    if (git_repository_odb(&raw, repository) != 0) {
        return git_failure("reading files to compare");
    }
    const ObjectDatabase objects(raw);
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
    std::vector<git_oid> there;
    for (const git_oid& id : versions) {
        const std::uint64_t size = blob_size(raw, id);
        if (size > kComparedFileBytes) {
            return Verdict::TooLarge;
        }
        if (size > 0) {
            there.push_back(id);
        }
        bytes += size;
    }
    if (bytes > bytes_ || lines_ < kLeastLines) {
        return Verdict::Spent;
    }
    bytes_ -= bytes; // They are read, whatever comes of it.
    for (const git_oid& id : there) {
        LOCARA_TRY(const std::uint64_t more, count_lines(repository, id));
        if (more > kComparedFileLines) {
            return Verdict::TooLarge;
        }
        lines += more;
    }
    lines = std::max(lines, kLeastLines);
    if (lines > lines_) {
        return Verdict::Spent;
    }
    lines_ -= lines;
    return Verdict::Compare;
}

} // namespace locara::hub
