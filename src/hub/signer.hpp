// Signer: what the hub hands out and takes back without keeping anything: Xet tokens, the URLs of
// byte ranges of xorbs, and those that take one file by Git LFS.
//
// All are plain text with an HMAC-SHA-256 under a key in the data folder. A token names one
// repository and what may be done; a URL names one xorb and the ranges that may be read, or one
// repository and the file that it takes. All end by themselves.
// Threads: const after open; use it from any.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// How long tokens and URLs live. Clients renew a minute ahead.
inline constexpr std::chrono::seconds kXetTokenLife = std::chrono::hours(1);
inline constexpr std::chrono::seconds kDataUrlLife = std::chrono::hours(1);

/// What may be done with the files of a repository; writing implies reading.
enum class XetRole { Read, Write };

struct XetClaims {
    std::int64_t repo = 0; ///< Repo::key
    XetRole role = XetRole::Read;
    TimePoint expires;
    std::int64_t account = 0; ///< Account::key of who asked for it; 0 for nobody.
};

/// Bytes [begin, end) of a xorb's object.
struct Span {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    bool operator==(const Span&) const = default;
};

/// One file that a repository takes by Git LFS.
struct LfsUpload {
    std::int64_t repo = 0; ///< Repo::key
    crypto::Sha256Digest oid;
    std::uint64_t size = 0;
    TimePoint expires;
};

class Signer {
  public:
    /// Reads the key file, or makes it (0600, 32 random bytes). Corrupt if it is no key.
    static Result<Signer> open(const std::filesystem::path& key_file);

    /// Printable, without '/', '+' or '='.
    std::string make_token(const XetClaims& claims) const;

    /// Unauthorized when it is none of ours or has expired.
    Result<XetClaims> parse_token(std::string_view token, TimePoint now) const;

    /// The query ("ranges=0-9,20-29&exp=...&sig=...") that opens these spans of a xorb.
    std::string
    make_query(const xet::XorbHash& xorb, const std::vector<Span>& spans, TimePoint expires) const;

    /// The spans that a query's values open. Forbidden when the signature is not ours for this
    /// xorb, or the time is over.
    Result<std::vector<Span>> parse_query(const xet::XorbHash& xorb,
                                          std::string_view ranges,
                                          std::string_view expires,
                                          std::string_view signature,
                                          TimePoint now) const;

    /// The query ("repo=7&size=100&exp=...&sig=...") that lets the file in.
    std::string make_upload_query(const LfsUpload& upload) const;

    /// What a query's values let in at the path of `oid`. Forbidden as parse_query.
    Result<LfsUpload> parse_upload_query(const crypto::Sha256Digest& oid,
                                         std::string_view repo,
                                         std::string_view size,
                                         std::string_view expires,
                                         std::string_view signature,
                                         TimePoint now) const;

    /// 32 bytes for another use of this key, from which it cannot be told.
    Secret derive(std::string_view use) const;

  private:
    explicit Signer(Secret key) : key_(std::move(key)) {}

    /// Codes for different uses never stand for one another.
    std::string sign(std::string_view use, std::string_view text) const;

    Secret key_;
};

} // namespace locara::hub
