// What the record of reviews says of apps, and what the catalog lists of them. Both are to agree.
//
// A catalog changes by commands that note what they do, and by what was signed on other machines
// and imported. A bundle is known by the digest of its files (docs/formats/locapp.md), which the
// report of the newest check has: packed again, its archive may be another. Apps that nobody
// submitted, those of a seed, are in no record.
//
// Threads: as Reviews.
#pragma once

#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/hub/reviews.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// The catalog's entry of a submission's app and version.
struct ListedEntry {
    std::string bundle; ///< "sha256:<hex>" of the bundle's files.
    bool same = false;  ///< Whether it is the bundle that the submission's newest check packed.
};

/// Nothing if the catalog does not list that version. `tree` is the folder of `repository`. Errors:
/// Corrupt or NotFound if the entry, or the report, is not what it is to be.
Result<std::optional<ListedEntry>> find_entry(const Reviews& reviews,
                                              const Submission& submission,
                                              const std::filesystem::path& tree,
                                              const catalog::Repository& repository);

/// Notes what a change of the catalog from elsewhere means: approved submissions whose entry came
/// since `before` are published, published ones whose entry went are yanked. Returns those that
/// moved. `who` and `why` are of the steps; a yank always has a why. An entry of another bundle
/// than the approved one moves nothing. Errors as find_entry.
Result<std::vector<Submission>> follow_catalog(Reviews& reviews,
                                               const std::vector<catalog::Target>& before,
                                               const std::filesystem::path& tree,
                                               const catalog::Repository& repository,
                                               const std::string& who,
                                               const std::string& why);

/// Where the two say different things, a line for people each. Rejections by a check are left out:
/// they tell that the catalog had that version already. Errors as find_entry.
Result<std::vector<std::string>> find_disagreements(const Reviews& reviews,
                                                    const std::filesystem::path& tree,
                                                    const catalog::Repository& repository);

/// Conflict, naming them, while the catalog in a data folder lists apps or models of a publisher:
/// whoever got the name next would get their users. Errors: Corrupt if it cannot be read.
Status check_lists_nothing_of(const std::filesystem::path& data, const std::string& publisher);

} // namespace locara::hub
