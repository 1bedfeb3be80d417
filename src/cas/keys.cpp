#include "keys.hpp"

namespace locara::cas {

namespace {

constexpr std::size_t kDigits = 2 * xet::kHashBytes;
constexpr std::size_t kFanDigits = 2;

/// "<kind>ab/<hash>" for the hash "ab...": folders of some thousands of files and not of millions.
std::string text_of(std::string_view kind, const std::string& hash) {
    return std::string(kind) + hash.substr(0, kFanDigits) + '/' + hash;
}

Key valid(const std::string& text) {
    auto key = Key::parse(text);
    LOCARA_ASSERT(key); // hex digits and constants
    return std::move(key).value();
}

template <class Hash>
std::optional<Hash> parse_hash_key(std::string_view kind, std::string_view key) {
    if (key.size() != kind.size() + kFanDigits + 1 + kDigits) {
        return std::nullopt;
    }
    const auto hash = Hash::parse(key.substr(key.size() - kDigits));
    if (!hash || text_of(kind, hash->render()) != key) {
        return std::nullopt;
    }
    return *hash;
}

} // namespace

Key key_of(const xet::XorbHash& xorb) {
    return valid(text_of(kXorbs, xorb.render()));
}

Key key_of(const xet::FileHash& file) {
    return valid(text_of(kFiles, file.render()));
}

Key digest_key_of(const xet::FileHash& file) {
    return valid(text_of(kDigests, file.render()));
}

std::string entries_of(const xet::ChunkHash& chunk) {
    return text_of(kEntries, chunk.render()) + '/';
}

Key key_of(const Entry& entry) {
    return valid(entries_of(entry.chunk) + entry.xorb.render());
}

std::optional<xet::XorbHash> parse_xorb_key(std::string_view key) {
    return parse_hash_key<xet::XorbHash>(kXorbs, key);
}

std::optional<xet::FileHash> parse_file_key(std::string_view key) {
    return parse_hash_key<xet::FileHash>(kFiles, key);
}

std::optional<xet::FileHash> parse_digest_key(std::string_view key) {
    return parse_hash_key<xet::FileHash>(kDigests, key);
}

std::optional<Entry> parse_entry_key(std::string_view key) {
    if (key.size() <= kDigits + 1) {
        return std::nullopt;
    }
    const auto xorb = xet::XorbHash::parse(key.substr(key.size() - kDigits));
    const auto chunk =
        parse_hash_key<xet::ChunkHash>(kEntries, key.substr(0, key.size() - kDigits - 1));
    if (!xorb || !chunk || key_of(Entry{*chunk, *xorb}).render() != key) {
        return std::nullopt;
    }
    return Entry{*chunk, *xorb};
}

} // namespace locara::cas
