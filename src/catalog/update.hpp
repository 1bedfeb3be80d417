// One update of a catalog, TUF 1.0.34, sections 5.3 to 5.7: what is fetched, checked and kept, in
// which order. Both clients are made of it: Client, which takes a catalog as a whole, and
// PlainClient, which keeps to the files and steps of TUF's own clients.
//
// Threads: plain values and functions.
#pragma once

#include "metadata.hpp"

#include <locara/catalog/fetcher.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace locara::catalog {

/// The bytes of a file, nothing if there is none, an error if it cannot be read.
Result<std::optional<std::string>> find_file(const std::filesystem::path& path,
                                             std::uint64_t limit_bytes);

/// Says in our words what the fetcher could not bring.
Error fetch_failed(Error error, std::string_view what, std::uint64_t limit_bytes);

/// The digest under which a target is served and kept: "sha256" if listed, else "sha512", else "".
std::string name_digest(const Target& target);

/// The address of a target, or Corrupt if its name cannot be one.
Result<std::string> address_of_target(const Target& target, bool consistent_snapshot);

/// Fetches a target into the file `dest`: written beside it, checked, synced, renamed.
Status fetch_target_file(Fetcher& fetcher,
                         const Target& target,
                         bool consistent_snapshot,
                         const std::filesystem::path& dest);

/// Hands the bytes of a regular file to `sink`. NotFound, TooLarge, Io, the sink's error.
Status stream_file(const std::filesystem::path& path,
                   std::uint64_t limit_bytes,
                   const std::function<Status(ByteView)>& sink);

/// Whether a file holds a target's bytes.
bool holds_target(const std::filesystem::path& path, const Target& target);

/// The name of a role's file in a repository: "12.apps.json".
std::string
metadata_file_name(std::string_view role, std::uint64_t version, bool consistent_snapshot);

/// One run of TUF 5.3 to 5.6. Fixed time, steps in order, each persisted when it verified.
class Update {
  public:
    /// Where the newest verified bytes of a role are kept. The file need not be there, its folder
    /// must.
    using FileOf = std::function<std::filesystem::path(std::string_view role)>;

    /// Told of each root that verified, before it counts.
    using RootKeeper = std::function<Status(std::uint64_t version, std::string_view bytes)>;

    /// `fetcher` must outlive this.
    Update(FileOf file_of,
           Fetcher& fetcher,
           TimePoint now,
           Expiry rule = Expiry::Strict,
           RootKeeper keep_root = nullptr)
        : file_of_(std::move(file_of)), fetcher_(fetcher), now_(now), rule_(rule),
          keep_root_(std::move(keep_root)) {}

    /// Steps of section 5.3. `root` and `bytes` follow each step that was persisted, also when a
    /// later one fails.
    Status update_root(Root& root, std::string& bytes);

    Result<Timestamp> update_timestamp(const Root& root);
    Result<Snapshot> update_snapshot(const Root& root, const Timestamp& timestamp);
    Result<Delegations::Loaded> update_targets(const Root& root,
                                               const std::string& role,
                                               const MetaFile& meta,
                                               const RoleKeys& keys,
                                               std::string_view parent);

    /// The verified bytes of every role that was used.
    std::map<std::string, std::string>& bytes() { return bytes_; }

  private:
    Result<std::optional<std::string>> stored(std::string_view role) const;
    Result<std::string>
    fetch(std::string_view role, const std::string& file, std::optional<std::uint64_t> length = {});
    Status persist(std::string_view role, std::string_view bytes) const;
    Status forget(std::string_view role) const;
    Status check_expiry(std::string_view role, TimePoint expires) const;

    FileOf file_of_;
    Fetcher& fetcher_;
    TimePoint now_;
    Expiry rule_;
    RootKeeper keep_root_;
    std::map<std::string, std::string> bytes_;
};

} // namespace locara::catalog
