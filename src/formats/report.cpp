// Whole folders, and the report on them.
#include "names.hpp"

#include <locara/base/path.hpp>
#include <locara/formats/scan.hpp>
#include <locara/formats/verdict_json.hpp>

#include <algorithm>
#include <system_error>

#include <fcntl.h>

namespace locara::formats {

namespace fs = std::filesystem;

namespace {

/// What is wrong with the name of a file below a folder, as of a path of a revision. Git keeps its
/// own files in ".git" of a clone; they are no part of the revision, only their content counts.
std::optional<Finding> check_name(PathSet& files, const std::string& path) {
    if (path.starts_with(".git/")) {
        return std::nullopt;
    }
    if (const auto valid = validate_path(path); !valid) {
        return Finding{"name.hostile", valid.error().message(), {}};
    }
    if (const auto added = files.add(path); !added) {
        return Finding{"name.collision", added.error().message(), {}};
    }
    return std::nullopt;
}

Status scan_folder(const fs::path& given,
                   const fs::path& real,
                   const Judge& judge,
                   std::vector<ScanItem>& items) {
    std::error_code error;
    std::vector<fs::path> found;
    auto iterator = fs::recursive_directory_iterator(real, error);
    for (; !error && iterator != fs::end(iterator); iterator.increment(error)) {
        const auto status = iterator->symlink_status(error);
        if (!error && !fs::is_directory(status)) {
            found.push_back(iterator->path());
        }
    }
    if (error) {
        return Error(
            ErrorCode::Io, "cannot walk " + given.string() + ": " + error.message(), error.value());
    }
    std::sort(found.begin(), found.end());
    PathSet files;
    for (const fs::path& file : found) {
        const fs::path below = file.lexically_relative(real);
        Verdict verdict = judge_file(file, judge);
        if (auto finding = check_name(files, below.string())) {
            Verdict named = make_verdict(verdict.format, std::move(*finding));
            if (is_worse(named, verdict)) {
                verdict = std::move(named);
            }
        }
        items.push_back({(given / below).string(), std::move(verdict)});
    }
    return {};
}

} // namespace

Result<std::vector<ScanItem>> scan_paths(std::span<const fs::path> paths, const Judge& given) {
    const Judge judge =
        given ? given : [](const Fd& fd, std::string_view name) { return scan_fd(fd, name); };
    std::vector<ScanItem> items;
    for (const fs::path& path : paths) {
        std::error_code error;
        const fs::path real = fs::canonical(path, error); // a path given by hand may be a link
        if (error) {
            return Error(error == std::errc::no_such_file_or_directory ||
                                 error == std::errc::not_a_directory
                             ? ErrorCode::NotFound
                             : ErrorCode::Io,
                         "cannot scan " + path.string() + ": " + error.message(),
                         error.value());
        }
        if (fs::is_directory(real, error)) {
            LOCARA_CHECK(scan_folder(path, real, judge, items));
        } else {
            // Judged by the name that was given: caches keep content under other names.
            const auto fd = open_file(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
            items.push_back({path.string(),
                             fd ? judge(*fd, path.filename().string()) : judge_file(real, judge)});
        }
    }
    return items;
}

Json render_scan_report(std::span<const ScanItem> items) {
    Json files = Json::array();
    for (const ScanItem& item : items) {
        Json file = {{"path", item.path}};
        file.update(render_verdict(item.verdict));
        files.push_back(std::move(file));
    }
    return {{"schema", "locara.scan/1"}, {"files", std::move(files)}};
}

} // namespace locara::formats
