// The keys of the chunk store, as docs/formats/cas.md has them.
#pragma once

#include <locara/base/result.hpp>
#include <locara/cas/backend.hpp>
#include <locara/xet/hash.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace locara::cas {

inline constexpr std::string_view kXorbs = "xorbs/";
inline constexpr std::string_view kFiles = "files/";
inline constexpr std::string_view kEntries = "chunks/";
inline constexpr std::string_view kDigests = "sha256/";
inline constexpr std::string_view kQuarantine = "quarantine/";

Key key_of(const xet::XorbHash& xorb);
Key key_of(const xet::FileHash& file);

/// Of the SHA-256 that was computed from a file's bytes.
Key digest_key_of(const xet::FileHash& file);

/// Says that a xorb has a chunk that may be asked for globally.
struct Entry {
    xet::ChunkHash chunk;
    xet::XorbHash xorb;
};

Key key_of(const Entry& entry);

/// What the keys of all entries of a chunk begin with.
std::string entries_of(const xet::ChunkHash& chunk);

/// The inverses of key_of; nothing for any other text.
std::optional<xet::XorbHash> parse_xorb_key(std::string_view key);
std::optional<xet::FileHash> parse_file_key(std::string_view key);
std::optional<xet::FileHash> parse_digest_key(std::string_view key);
std::optional<Entry> parse_entry_key(std::string_view key);

} // namespace locara::cas
