// What another hub says is in a commit: its tree, page by page, taken apart and put together again.
//
// The form is that of GET /api/{ts}/{ns}/{name}/tree/{rev} of the Hugging Face Hub. What comes from
// outside is checked: paths as in a repository of ours, ids of 40 hex digits, sizes below 2^63.
// Threads: plain values; a finished Listing may be read from any.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/xet/hash.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Entries of one commit: more are TooLarge.
inline constexpr std::size_t kListingEntries = 200'000;
/// Text of all its pages, and of a listing that is kept.
inline constexpr std::size_t kListingBytes = 128U << 20U;
inline constexpr std::size_t kListingPathBytes = 1024;

class Listing {
  public:
    /// Adds a page. Corrupt, naming the entry and what is wrong with it; TooLarge.
    Status add_page(std::string_view json);

    /// All entries, in the order they came: folders before what is in them.
    const std::vector<GitEntry>& entries() const { return entries_; }

    /// The entry at a path; absence is normal.
    const GitEntry* find(const std::string& path) const;

    /// What lies in a folder ("" is the root), of every depth or directly.
    std::vector<GitEntry> below(const std::string& folder, GitRepo::Recursive recursive) const;

    /// As one page that add_page takes.
    std::string render() const;

  private:
    std::vector<GitEntry> entries_;
    std::map<std::string, std::size_t> by_path_;
};

/// An entry of a tree as clients get it; with a Xet hash where the file may be had that way.
Json render_entry(const GitEntry& entry, const std::optional<xet::FileHash>& xet);

} // namespace locara::hub
