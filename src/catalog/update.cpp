#include "update.hpp"

#include "part_file.hpp"
#include "paths.hpp"

#include <locara/base/file.hpp>
#include <locara/base/percent.hpp>

#include <algorithm>
#include <cerrno>

#include <unistd.h>

namespace locara::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kFileNameLimit = 240; // NAME_MAX less suffixes

Error rollback(std::string_view what, std::uint64_t found, std::uint64_t stored) {
    return Error(ErrorCode::Corrupt,
                 std::string(what) + " went back from version " + std::to_string(stored) +
                     " to version " + std::to_string(found) +
                     "; an old catalog is being replayed, so nothing was taken");
}

bool keys_changed(const Root& before, const Root& after, std::string_view role) {
    return before.roles.find(role)->second.identities() !=
           after.roles.find(role)->second.identities();
}

std::string versioned(std::string_view role, const MetaFile& meta, const Root& root) {
    return metadata_file_name(role, meta.version, root.consistent_snapshot);
}

/// Section 5.5.5, for the targets roles that a snapshot lists.
Status check_nothing_went_back(const Snapshot& before, const Snapshot& after) {
    for (const auto& [file, meta] : before.files) {
        const auto now = after.files.find(file);
        if (now == after.files.end()) {
            return Error(ErrorCode::Corrupt,
                         "snapshot version " + std::to_string(after.version) + " no longer lists " +
                             file + ", which version " + std::to_string(before.version) +
                             " did; a part of the catalog was left out, so nothing was taken");
        }
        if (now->second.version < meta.version) {
            return rollback(file + " in the snapshot", now->second.version, meta.version);
        }
    }
    return {};
}

} // namespace

Result<std::optional<std::string>> find_file(const fs::path& path, std::uint64_t limit_bytes) {
    auto bytes = read_file(path, limit_bytes);
    if (bytes) {
        return std::optional<std::string>(*std::move(bytes));
    }
    if (bytes.error().code() == ErrorCode::NotFound) {
        return std::optional<std::string>();
    }
    return std::move(bytes).error();
}

Error fetch_failed(Error error, std::string_view what, std::uint64_t limit_bytes) {
    switch (error.code()) {
    case ErrorCode::NotFound:
        return Error(ErrorCode::Unavailable,
                     "the hub has no " + std::string(what) +
                         "; try again, check the hub's address, or tell its operator");
    case ErrorCode::TooLarge:
        return Error(ErrorCode::Corrupt,
                     "the hub's " + std::string(what) + " is longer than the " +
                         std::to_string(limit_bytes) +
                         " bytes allowed; reading stopped there and nothing was taken");
    default:
        return std::move(error).add_context("fetching the hub's " + std::string(what));
    }
}

std::string name_digest(const Target& target) {
    for (const auto* algorithm : {"sha256", "sha512"}) {
        if (const auto hash = target.hashes.find(algorithm); hash != target.hashes.end()) {
            return hash->second;
        }
    }
    return "";
}

Result<std::string> address_of_target(const Target& target, bool consistent_snapshot) {
    const std::string digest = name_digest(target);
    if (digest.empty()) {
        return Error(ErrorCode::Corrupt,
                     "the file '" + target.name +
                         "' is listed with unknown hash algorithms only; sha256 or sha512 is "
                         "wanted");
    }
    if (!is_relative_path(target.name)) {
        return Error(ErrorCode::Corrupt,
                     "the catalog lists '" + target.name.substr(0, 80) +
                         "', which is no relative path without empty, . or .. parts");
    }
    return target_address(target.name, consistent_snapshot ? digest : "");
}

Status fetch_target_file(Fetcher& fetcher,
                         const Target& target,
                         bool consistent_snapshot,
                         const fs::path& dest) {
    LOCARA_TRY(const std::string address, address_of_target(target, consistent_snapshot));
    LOCARA_TRY(PartFile part, PartFile::create(dest));
    TargetCheck check(target);
    auto streamed = fetcher.stream(address, target.length, [&](ByteView bytes) -> Status {
        LOCARA_CHECK(check.update(bytes));
        return write_all(part.fd(), bytes).context("writing " + dest.string());
    });
    if (!streamed) {
        // Our own words (a wrong byte, a full disk) and the transport's come the same way.
        return fetch_failed(std::move(streamed).error(), address, target.length);
    }
    LOCARA_CHECK(check.finish());
    return part.move_to(dest);
}

bool holds_target(const fs::path& path, const Target& target) {
    TargetCheck check(target);
    return stream_file(path, target.length, [&](ByteView bytes) { return check.update(bytes); }) &&
           check.finish();
}

std::string
metadata_file_name(std::string_view role, std::uint64_t version, bool consistent_snapshot) {
    const std::string file = percent_encode(role) + ".json";
    return consistent_snapshot ? std::to_string(version) + "." + file : file;
}

Status Update::check_expiry(std::string_view role, TimePoint expires) const {
    return verify_unexpired(role, expires, now_, rule_);
}

Status Update::update_root(Root& root, std::string& bytes) {
    for (std::size_t step = 0; step < kRootStepLimit; ++step) {
        const std::string file = std::to_string(root.version + 1) + ".root.json";
        auto next_bytes = fetcher_.fetch("metadata/" + file, kRootLimitBytes);
        if (!next_bytes && next_bytes.error().code() == ErrorCode::NotFound) {
            break;
        }
        if (!next_bytes) {
            return fetch_failed(std::move(next_bytes).error(), file, kRootLimitBytes);
        }
        LOCARA_TRY(Root next, check_next_root(*next_bytes, root));
        if (keys_changed(root, next, "timestamp") || keys_changed(root, next, "snapshot")) {
            // Before the new root is stored: a crash in between repeats this step.
            LOCARA_CHECK(forget("timestamp"));
            LOCARA_CHECK(forget("snapshot"));
        }
        if (keep_root_) {
            LOCARA_CHECK(keep_root_(next.version, *next_bytes));
        }
        LOCARA_CHECK(persist("root", *next_bytes));
        root = std::move(next);
        bytes = *std::move(next_bytes);
    }
    return check_expiry("root", root.expires);
}

Result<Timestamp> Update::update_timestamp(const Root& root) {
    LOCARA_TRY(const auto stored_bytes, stored("timestamp"));
    std::optional<Timestamp> stored_timestamp;
    if (stored_bytes) {
        if (auto checked = check_timestamp(*stored_bytes, root)) {
            stored_timestamp = *std::move(checked);
        }
    }
    LOCARA_TRY(auto bytes, fetch("timestamp", "timestamp.json"));
    LOCARA_TRY(auto timestamp, check_timestamp(bytes, root));
    if (stored_timestamp) {
        if (timestamp.version < stored_timestamp->version) {
            return rollback("timestamp", timestamp.version, stored_timestamp->version);
        }
        if (timestamp.version == stored_timestamp->version) {
            bytes_["timestamp"] = *stored_bytes;
            LOCARA_CHECK(check_expiry("timestamp", stored_timestamp->expires));
            return *std::move(stored_timestamp);
        }
        if (timestamp.snapshot.version < stored_timestamp->snapshot.version) {
            return rollback("the snapshot that the timestamp names",
                            timestamp.snapshot.version,
                            stored_timestamp->snapshot.version);
        }
    }
    LOCARA_CHECK(check_expiry("timestamp", timestamp.expires));
    LOCARA_CHECK(persist("timestamp", bytes));
    bytes_["timestamp"] = std::move(bytes);
    return timestamp;
}

Result<Snapshot> Update::update_snapshot(const Root& root, const Timestamp& timestamp) {
    LOCARA_TRY(const auto stored_bytes, stored("snapshot"));
    std::optional<Snapshot> stored_snapshot;
    if (stored_bytes) {
        if (auto checked = check_snapshot(*stored_bytes, root, nullptr)) {
            stored_snapshot = *std::move(checked);
        }
        if (stored_snapshot && check_snapshot(*stored_bytes, root, &timestamp.snapshot)) {
            bytes_["snapshot"] = *stored_bytes;
            LOCARA_CHECK(check_expiry("snapshot", stored_snapshot->expires));
            return *std::move(stored_snapshot);
        }
    }
    const MetaFile& meta = timestamp.snapshot;
    LOCARA_TRY(auto bytes, fetch("snapshot", versioned("snapshot", meta, root), meta.length));
    LOCARA_TRY(auto snapshot, check_snapshot(bytes, root, &meta));
    if (stored_snapshot) {
        LOCARA_CHECK(check_nothing_went_back(*stored_snapshot, snapshot));
    }
    LOCARA_CHECK(check_expiry("snapshot", snapshot.expires));
    LOCARA_CHECK(persist("snapshot", bytes));
    bytes_["snapshot"] = std::move(bytes);
    return snapshot;
}

Result<Delegations::Loaded> Update::update_targets(const Root& root,
                                                   const std::string& role,
                                                   const MetaFile& meta,
                                                   const RoleKeys& keys,
                                                   std::string_view parent) {
    if (percent_encode(role).size() > kFileNameLimit) {
        return Error(ErrorCode::Corrupt,
                     "the catalog delegates to a role with a name of " +
                         std::to_string(role.size()) + " bytes, too long for a file name");
    }
    LOCARA_TRY(const auto stored_bytes, stored(role));
    if (stored_bytes) {
        if (auto content = check_targets(*stored_bytes, role, meta, keys, parent)) {
            LOCARA_CHECK(check_expiry(role, content->expires));
            bytes_[role] = *stored_bytes;
            return Delegations::Loaded{*stored_bytes, *std::move(content)};
        }
    }
    LOCARA_TRY(auto bytes, fetch(role, versioned(role, meta, root), meta.length));
    LOCARA_TRY(auto content, check_targets(bytes, role, meta, keys, parent));
    LOCARA_CHECK(check_expiry(role, content.expires));
    LOCARA_CHECK(persist(role, bytes));
    bytes_[role] = bytes;
    return Delegations::Loaded{std::move(bytes), std::move(content)};
}

Result<std::optional<std::string>> Update::stored(std::string_view role) const {
    auto bytes = find_file(file_of_(role), limit_of(role));
    if (!bytes && bytes.error().code() == ErrorCode::TooLarge) {
        return std::optional<std::string>(); // nothing that we wrote
    }
    return bytes;
}

Result<std::string>
Update::fetch(std::string_view role, const std::string& file, std::optional<std::uint64_t> length) {
    const std::uint64_t limit = std::min(length.value_or(limit_of(role)), limit_of(role));
    auto bytes = fetcher_.fetch("metadata/" + file, limit);
    if (!bytes) {
        return fetch_failed(std::move(bytes).error(), "metadata/" + file, limit);
    }
    return bytes;
}

Status Update::persist(std::string_view role, std::string_view bytes) const {
    return write_file_atomically(file_of_(role), as_bytes(bytes));
}

Status Update::forget(std::string_view role) const {
    const fs::path path = file_of_(role);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return Error::from_errno("cannot remove " + path.string(), errno);
    }
    return {};
}

} // namespace locara::catalog
