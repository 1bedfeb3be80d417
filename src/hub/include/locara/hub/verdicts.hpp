// What the gate said of a hub's files, as it is kept: for commands and reports. Threads: as
// upkeep.hpp.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/formats/verdict.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// A verdict as it is kept.
struct Judgement {
    formats::Verdict verdict;
    /// Who judged: gate::Gate::scanners() at that time. Empty when it was not the whole set, an
    /// antivirus being down: such a verdict is shown, and never taken for another one.
    std::string scanners;
    TimePoint made;
    std::string facts; ///< What the headers of weights say, as JSON; empty of other files.
};

struct FileVerdict {
    std::string path;
    std::uint64_t size = 0;
    std::string content;            ///< SHA-256 of a large file (64 hex digits), or git's id (40).
    std::optional<Judgement> found; ///< Nothing if it was not judged yet.
};

struct RevisionVerdicts {
    std::string repo;               ///< "models/acme/tiny"
    std::string commit;             ///< Empty for a bucket.
    std::vector<FileVerdict> files; ///< In the order of git's trees, or by path.
};

/// What is kept of each file of a repository ("acme/tiny", "datasets/acme/notes", ...) at a
/// revision; buckets have none. NotFound for a hub, repository or revision that is not there;
/// Unsupported for a mirrored repository, whose trees are upstream.
Result<RevisionVerdicts> list_verdicts(const std::filesystem::path& data,
                                       const std::string& repo,
                                       const std::string& revision);

} // namespace locara::hub
