// Model signatures: OpenSSF Model Signing v1.0, an in-toto Statement in a DSSE envelope in a
// Sigstore bundle v0.3 with a plain public key.
//
// Format and rules: docs/formats/model-signature.md. Keys come from whoever calls, never from a
// bundle; only verify() makes a VerifiedModelStatement. Threads: plain values and functions.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/keys.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/ids.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

inline constexpr std::uint64_t kModelSignatureLimitBytes = 8U << 20U;
inline constexpr std::size_t kSignedFileLimit = 10'000;

/// Which files a model at one commit is made of.
struct ModelStatement {
    std::string repo;                                  ///< "org/name".
    std::string revision;                              ///< 40 lower-case hex digits.
    std::map<std::string, crypto::Sha256Digest> files; ///< By name; 1 to kSignedFileLimit.

    /// The in-toto Statement, JSON. InvalidArgument if a member is not as its comment says, or a
    /// name breaks the rules for names.
    Result<std::string> render() const;

    /// The inverse, and what others write. Corrupt names what was found and what is wanted;
    /// TooLarge above the limits.
    static Result<ModelStatement> parse(std::string_view payload);

    /// Whether it speaks of this model, and of every file that a variant names. Corrupt otherwise.
    Status check(const ModelManifest& manifest) const;

    /// Whether `folder` has every file that it lists, as a regular file with its digest. Files that
    /// it does not list are not opened. Corrupt names the file.
    Status check_files(const std::filesystem::path& folder) const;
};

/// How a bundle says which key it means: SHA-256 of the key's PEM text, 64 hex digits.
std::string key_hint(const crypto::PublicKey& key);

/// The Sigstore bundle, JSON with a newline at the end. Errors as ModelStatement::render.
Result<std::string> sign_model(const ModelStatement& statement, const crypto::SigningKey& key);

/// A statement that one of the trusted keys signed.
class VerifiedModelStatement {
  public:
    /// Corrupt (malformed, or the signature is not the key's), Refused (no key of `trusted` has the
    /// hint), TooLarge.
    static Result<VerifiedModelStatement> verify(std::string_view bundle,
                                                 const std::vector<crypto::PublicKey>& trusted);

    const ModelStatement& operator*() const { return statement_; }

    const ModelStatement* operator->() const { return &statement_; }

    /// That of the trusted keys that signed. People know it by its id, not by its hint.
    const crypto::PublicKey& signed_by() const { return signed_by_; }

  private:
    VerifiedModelStatement(ModelStatement statement, crypto::PublicKey signed_by)
        : statement_(std::move(statement)), signed_by_(std::move(signed_by)) {}

    ModelStatement statement_;
    crypto::PublicKey signed_by_;
};

/// `models/<publisher>/<name>/<version>.sig`.
std::string model_signature_target(const ModelId& id, const Version& version);

} // namespace locara::manifest
