// The formats gate: one verdict per file.
//
// Content decides; the name only raises suspicion (a text called .gguf is flagged, a pickle is a
// pickle under any name). Weights are checked in full (safetensors, GGUF), archives are opened
// within a budget and every member is judged by the same rules, everything that can carry code is
// refused. What cannot be read or does not fit the budget is never allowed.
//
// These functions parse hostile bytes: the module `gate` calls them in a sandboxed process, and
// what comes from outside goes through it. Threads: plain functions; safe at once on distinct
// sources.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>
#include <locara/formats/weights_facts.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::formats {

/// What one file may cost. Defaults are those of the threat model.
struct ScanBudget {
    std::chrono::milliseconds time{5000}; ///< for archives and pickles; headers take far less
    std::uint64_t memory_bytes = 128U << 20U;
    unsigned levels = 8; ///< archives in archives
    std::uint64_t members = 4'096;
    std::uint64_t ratio = 200; ///< unpacked to packed, once past 1 MiB
    std::uint64_t unpacked_bytes = 4ULL << 30U;
};

/// Looks at content beside the rules of this module, as YARA does. Asked about each file, and each
/// member of an archive, that is not refused already and is no archive itself.
class ContentScanner {
  public:
    virtual ~ContentScanner() = default;

    /// The worst rule that the first `bytes` bytes of the content break. What is behind them is
    /// inert.
    virtual std::optional<Finding> look(const ByteSource& content, std::uint64_t bytes) = 0;

    /// For Verdict::scanner and Verdict::scanner_version.
    virtual std::string name() const = 0;
    virtual std::string version() const = 0;
};

/// Judges a source. `name` is the last part of the path it is known by, or empty.
/// `also` is borrowed for the call; nullptr: nobody else looks.
Verdict scan_source(const ByteSource& source,
                    std::string_view name,
                    const ScanBudget& budget = {},
                    ContentScanner* also = nullptr);

/// Judges an open regular file. Reads by pread; the descriptor stays the caller's.
Verdict scan_fd(const Fd& fd,
                std::string_view name,
                const ScanBudget& budget = {},
                ContentScanner* also = nullptr);

/// A verdict, with what other scanners want to know.
struct Examination {
    Verdict verdict;
    /// Of weights that pass: where the tensors start. What comes behind is inert.
    std::optional<std::uint64_t> tensors_at;
    /// Of weights that pass: what their header says.
    std::optional<WeightsFacts> facts = std::nullopt;

    bool operator==(const Examination&) const = default;
};

/// As scan_source and scan_fd.
Examination examine_source(const ByteSource& source,
                           std::string_view name,
                           const ScanBudget& budget = {},
                           ContentScanner* also = nullptr);
Examination examine_fd(const Fd& fd,
                       std::string_view name,
                       const ScanBudget& budget = {},
                       ContentScanner* also = nullptr);

/// Who judges an open file that is known by this name: scan_fd, or the gate in its sandbox.
using Judge = std::function<Verdict(const Fd& fd, std::string_view name)>;

/// Opens without following a symlink at the last part, and judges. A file that cannot be opened or
/// is not regular is refused with a rule "io.*": no verdict is never "allow".
Verdict scan_file(const std::filesystem::path& path, const ScanBudget& budget = {});

/// The same with another judge of what was opened.
Verdict judge_file(const std::filesystem::path& path, const Judge& judge);

struct ScanItem {
    std::string path; ///< as given; below a folder that was given: that folder plus the rest
    Verdict verdict;
};

/// Judges each path; folders are walked to their files, by name, without following symlinks (which
/// are refused). Below a folder the names count too, as those of one revision: "name.hostile" and
/// "name.collision". NotFound if a given path does not exist; everything else is a verdict.
/// Without a judge scan_fd judges, in this process.
Result<std::vector<ScanItem>> scan_paths(std::span<const std::filesystem::path> paths,
                                         const Judge& judge = nullptr);

/// The report of `locara scan --json`: {"schema": "locara.scan/1", "files": [{"path", ...}]}, with
/// the members of render_verdict behind the path. Texts that are not UTF-8 have their bad bytes
/// replaced when the report is rendered.
Json render_scan_report(std::span<const ScanItem> items);

} // namespace locara::formats
