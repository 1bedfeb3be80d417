// Signature keys: Ed25519 to sign and verify; ECDSA P-256 and RSA-PSS to verify what others signed.
//
// Follows RFC 8032 and the key objects of TUF 1.0.34, section 4.2. Done by OpenSSL. Private keys
// are files that only their owner may read; they are never rendered otherwise.
//
// Threads: keys are immutable and may be used from several threads at once.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace locara::crypto {

/// A public key in the words of TUF: "ed25519"/"ed25519" with 64 hex digits, or
/// "ecdsa"/"ecdsa-sha2-nistp256" and "rsa"/"rsassa-pss-sha256" with a PEM SubjectPublicKeyInfo.
/// The older key type name "ecdsa-sha2-nistp256" is taken too.
class PublicKey {
  public:
    /// Errors: Unsupported (another type or scheme), InvalidArgument (the value is no such key;
    /// RSA below 2048 or above 16384 bits; another curve).
    static Result<PublicKey>
    parse(std::string_view key_type, std::string_view scheme, std::string_view value);

    const std::string& key_type() const { return key_type_; }

    const std::string& scheme() const { return scheme_; }

    /// The value as it was parsed.
    const std::string& value() const { return value_; }

    /// The TUF key id: SHA-256 in hex of the canonical form of
    /// {"keytype","keyval":{"public"},"scheme"}.
    std::string id() const;

    /// What makes two keys the same key, however they were written: the DER SubjectPublicKeyInfo.
    const std::string& identity() const { return identity_; }

    /// Whether `signature` is this key's over `message`. Anything malformed is simply false.
    bool verify(ByteView message, ByteView signature) const;

    /// Keys are equal if their identities are.
    bool operator==(const PublicKey& other) const { return identity_ == other.identity_; }

  private:
    struct Handle; // an EVP_PKEY; shared by copies of this key, never changed
    PublicKey() = default;

    std::string key_type_;
    std::string scheme_;
    std::string value_;
    std::string identity_;
    std::shared_ptr<const Handle> handle_;

    friend class SigningKey;
};

/// An Ed25519 private key.
class SigningKey {
  public:
    /// A new key from the operating system's randomness.
    static SigningKey generate();

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5). InvalidArgument for another length.
    static Result<SigningKey> from_seed(ByteView seed);

    /// Reads a private key file: PEM (PKCS #8, encrypted or not) or 64 hex digits of the seed. An
    /// encrypted one is opened with `passphrase`, which others do not need. Errors: NotFound;
    /// Refused if group or others may read or write it; Unauthorized if it is encrypted and
    /// `passphrase` is null or wrong; InvalidArgument if it holds anything but an Ed25519 private
    /// key.
    static Result<SigningKey> load(const std::filesystem::path& path,
                                   const Secret* passphrase = nullptr);

    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    /// Writes PEM (PKCS #8), mode 0600, durably. With a passphrase it is encrypted: PBES2 (RFC
    /// 8018) with AES-256-CBC and scrypt (RFC 7914) of N = 16384, r = 8, p = 5, which takes 16 MiB
    /// and some tenths of a second for each guess; `openssl pkey` reads it too. Conflict if the
    /// file exists: a key is never overwritten. InvalidArgument if the passphrase has fewer than 8
    /// or more than 1024 bytes.
    Status save(const std::filesystem::path& path, const Secret* passphrase = nullptr) const;

    const PublicKey& public_key() const { return public_key_; }

    /// 64 bytes.
    Bytes sign(ByteView message) const;

  private:
    struct Handle;
    SigningKey() = default;

    std::unique_ptr<Handle> handle_;
    PublicKey public_key_;
};

} // namespace locara::crypto
