// What a draft says and what it changes: for the person whose key is to sign it, and who should not
// have to take the hub's word for it. docs/formats/catalog.md, "Signing elsewhere".
//
// A draft is compared with an earlier version of its role. That one comes along in the draft's file
// or is given by the signer; either way it is only what it claims to be if somebody's signature
// stands under it, so a review says which of the signer's own keys do.
//
// Threads: plain values and functions.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::catalog {

enum class Change { Same, Added, Removed, Changed };

/// " ", "+", "-", "~".
char mark(Change change);

/// "same", "added", "removed", "changed".
std::string_view render(Change change);

struct ReviewedTarget {
    Change change = Change::Same;
    std::string name;    ///< Of any bytes, as everything in a review: clean it before it is shown.
    std::string version; ///< As its path says; "" where it says none.
    std::string sha256;  ///< "" if none is listed.
    std::string was;     ///< The SHA-256 before, where that changed.
};

struct ReviewedKey {
    Change change = Change::Same;
    /// Computed from the key, whatever id the draft gives it; of a kind of key that we cannot
    /// verify, the given one and a remark.
    std::string id;
};

/// Who may sign a role and, if it is delegated, for which paths.
struct ReviewedRole {
    Change change = Change::Same;
    std::string name;
    std::uint64_t threshold = 0;
    std::optional<std::uint64_t> threshold_was; ///< If it changed.
    std::vector<ReviewedKey> keys;
    std::vector<std::string> paths;
    std::optional<std::vector<std::string>> paths_were; ///< If they, or their order, changed.
};

struct ReviewedEntry {
    Change change = Change::Same; ///< Never Changed.
    TakedownEntry entry;
};

struct DraftReview {
    DraftInfo info;
    std::optional<std::uint64_t> since;  ///< The version compared with; none: all is "added".
    std::vector<std::string> since_mine; ///< Keys of the signer whose signatures on it are good,
    std::size_t keys_open = 0;           ///< of so many that were asked,
    std::size_t keys_closed = 0;         ///< and so many that could not be.
    std::vector<ReviewedTarget> targets; ///< What changed first, then by name.
    std::vector<ReviewedRole> roles;     ///< Of root and targets.
    std::vector<ReviewedEntry> takedown; ///< Of takedown: what changed first, else in its order.
};

/// Compares a draft with `since`, or with what came along in it. `mine` are the signer's keys.
/// Corrupt if either is malformed, if they are not of one role, or if the takedown list is not the
/// one that the draft names. Refused if a draft of takedown came without its list.
Result<DraftReview> review_draft(const Draft& draft, const Draft* since, const OwnKeys& mine);

/// Whether a signer should sign it: as check_lifetime; Refused too if its version does not follow
/// the one that it was compared with, since a version pushed too high can never be taken back.
Status check_signable(const DraftReview& review, TimePoint now);

/// The keys that sign_draft would use for a role.
Result<OwnKeys> signers_in(const std::filesystem::path& keys_dir,
                           std::string_view role,
                           const std::optional<Secret>& passphrase);

/// The file in which a draft travels: the TUF metadata, and beside it `for_signers` with what it is
/// to be compared with. parse_draft_file also takes metadata without that. Corrupt if malformed,
/// or larger than the limit.
constexpr std::uint64_t kDraftFileLimitBytes = 20'000'000;
std::string render_draft_file(const Draft& draft);
Result<Draft> parse_draft_file(std::string_view role, std::string_view bytes);

/// A review as JSON: one element of `drafts` in docs/hub.md.
Json render(const DraftReview& review);

} // namespace locara::catalog
