// The takedown list: what curators called back, and how strictly. docs/formats/catalog.md,
// "Takedown list".
//
// Threads: plain values.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::catalog {

/// Of a new entry's reason, which is read on a screen.
inline constexpr std::size_t kTakedownReasonBytes = 500;

/// How strict: each includes those before it. BlockInstall: no install, update or rollback to it.
/// BlockRun: a running app is stopped too. Nothing is ever deleted.
enum class TakedownAction { Warn, BlockInstall, BlockRun };

/// "warn", "block-install", "block-run".
std::string_view render(TakedownAction action);

struct TakedownEntry {
    std::string kind; ///< "app", "bundle", "model", "file"; others are kept and match nothing.
    std::string id;   ///< "publisher/name", "sha256:<hex>" or "org/repo@<commit>".
    std::optional<std::vector<std::string>> versions; ///< Absent: all versions.
    TakedownAction action = TakedownAction::BlockRun;
    std::string reason; ///< One line for people.
    std::string date;   ///< "2026-11-22" or "2026-11-22T19:06:28Z".

    bool operator==(const TakedownEntry&) const = default;
};

/// Whether one of two dates of entries is earlier; a day is its midnight. False if one is
/// malformed.
bool is_before(const std::string& date, const std::string& other);

/// As it stands in a list.
Json render(const TakedownEntry& entry);

/// One of the names that a thing may be called back by; `version` is "" for things without one.
struct TakedownName {
    std::string kind;
    std::string id;
    std::string version;
};

/// Of a file, wherever it lies.
TakedownName takedown_name(const crypto::Sha256Digest& file);

/// Of a model: its pinned repository (`source` is "org/repo@<commit>"), its id, its manifest, and
/// these of its files.
std::vector<TakedownName> takedown_names(const std::string& source,
                                         const manifest::ModelId& id,
                                         const manifest::Version& version,
                                         const crypto::Sha256Digest& manifest,
                                         std::span<const crypto::Sha256Digest> files);
std::vector<TakedownName> takedown_names(const manifest::ModelManifest& model,
                                         const crypto::Sha256Digest& manifest,
                                         std::span<const crypto::Sha256Digest> files);
/// With all files of all its variants.
std::vector<TakedownName> takedown_names(const manifest::ModelManifest& model,
                                         const crypto::Sha256Digest& manifest);

/// Of an app: its id, its bundle by either digest (of the archive, of the list of files), and the
/// files in it, as far as they are known: an entry names them by the digest of their list alone.
std::vector<TakedownName> takedown_names(const manifest::AppId& app,
                                         const manifest::Version& version,
                                         std::span<const crypto::Sha256Digest> bundle,
                                         std::span<const manifest::BundleFile> files);

/// The stricter of two entries.
std::optional<TakedownEntry> stricter(std::optional<TakedownEntry> one,
                                      std::optional<TakedownEntry> other);

class TakedownList {
  public:
    /// Reads a list. InvalidArgument names the JSON path, what was found and what is wanted. At
    /// most 5,000,000 bytes and 100,000 entries (TooLarge).
    static Result<TakedownList> parse(std::string_view text);

    /// The inverse of parse.
    std::string render() const;

    /// The same, of a list that is to be published: TooLarge if parse would not take it.
    Result<std::string> render_readable() const;

    /// The entry in force for a thing, or nothing: of all that match, the one with the latest date,
    /// among equals the last. `version` is compared only with entries that list versions; pass ""
    /// for things without one.
    std::optional<TakedownEntry>
    find(std::string_view kind, std::string_view id, std::string_view version = "") const;

    /// The strictest of the entries in force for these names.
    std::optional<TakedownEntry> find(std::span<const TakedownName> names) const;

    /// Takes up what `newer` says. Entries that `newer` lacks stay.
    void add(const TakedownList& newer);

    /// The entry with the latest date, of equals the last; nothing in an empty list.
    std::optional<TakedownEntry> newest() const;

    const std::vector<TakedownEntry>& entries() const { return entries_; }

    /// Adds an entry. InvalidArgument if it can never match anything (an app's id that is none, a
    /// branch where a commit is meant, a digest that is none, versions of what has none), if its
    /// reason is empty, no line (line.hpp) or longer than kTakedownReasonBytes, or its date
    /// malformed.
    Status append(TakedownEntry entry);

    bool operator==(const TakedownList&) const = default;

  private:
    std::vector<TakedownEntry> entries_;
};

} // namespace locara::catalog
