// Verified manifests: what has the digest that somebody we trust named.
//
// A manifest that was only parsed is a claim. These types are made by `verify` alone, so a function
// that takes one cannot be handed a claim. The expected digest must come from a verified place: the
// signed catalog, or another verified manifest.
#pragma once

#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <string>
#include <utility>

namespace locara::manifest {

template <class M> class Verified {
  public:
    /// Corrupt if the bytes do not have that digest; then the errors of M::parse.
    static Result<Verified> verify(std::string bytes, const crypto::Sha256Digest& expected) {
        const auto found = crypto::sha256(as_bytes(bytes));
        if (found != expected) {
            return Error(ErrorCode::Corrupt,
                         "the manifest has SHA-256 " + found.render() + ", but " +
                             expected.render() + " is pinned; fetch it again");
        }
        LOCARA_TRY(auto manifest, M::parse(bytes));
        return Verified(std::move(manifest), std::move(bytes), found);
    }

    const M& operator*() const { return manifest_; }

    const M* operator->() const { return &manifest_; }

    /// SHA-256 of bytes().
    const crypto::Sha256Digest& digest() const { return digest_; }

    /// The manifest as stored.
    const std::string& bytes() const { return bytes_; }

  private:
    Verified(M manifest, std::string bytes, crypto::Sha256Digest digest)
        : manifest_(std::move(manifest)), bytes_(std::move(bytes)), digest_(digest) {}

    M manifest_;
    std::string bytes_;
    crypto::Sha256Digest digest_;
};

using VerifiedAppManifest = Verified<AppManifest>;
using VerifiedModelManifest = Verified<ModelManifest>;

} // namespace locara::manifest
