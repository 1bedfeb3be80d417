// EffectiveLicense: what may be done with a model, over its whole derivation.
//
// A model stands under its own license and under those of everything it was made from: the base of
// a fine-tune, each part of a merge, what was quantized. Each fact is the strictest answer along
// that way, with the place it comes from; where the card promises more than the derivation allows,
// a sentence says so. What is unknown (an id that no table row has, an ancestor without a license)
// counts as restricted, and is called unknown. No legal advice. docs/licenses.md. Threads: plain
// values and pure functions.
#pragma once

#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/license.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <array>
#include <string>
#include <vector>

namespace locara::manifest {

struct EffectiveFact {
    Answer answer = Answer::Unknown;
    std::string license; ///< The id it comes from, as written there; empty if no license is named.
    std::string clause;  ///< Of that license's text; may be empty.
    std::string from;    ///< "locara/tiny", or "meta-llama/Llama-3.2-1B (finetune)": who brings it.
};

/// Terms that a person must accept by name: they forbid commercial use, restrict fields of use, are
/// gated, or one of these is unknown.
struct LicenseTermsToAccept {
    std::string id;          ///< What `--accept-license` takes.
    std::string url;         ///< Of the text; may be empty.
    std::string text_sha256; ///< Of the text, if the manifest gives it.
    std::vector<std::string> from;
    std::vector<std::string> terms; ///< What is agreed to, in words, one fact each.
    /// Where id and text_sha256 name no one text ("other"): "acme/base@COMMIT" or
    /// "ana/notes@1.0.0", under whose license this is; else empty.
    std::string whose = {};

    /// Over id, url, text, terms and whose: another digest, another question.
    crypto::Sha256Digest digest() const;
};

struct EffectiveLicense {
    std::array<EffectiveFact, kFactKinds.size()> facts;
    std::vector<std::string> licenses; ///< Every id along the derivation, the model's own first.
    std::vector<std::string> use_restrictions; ///< In words, as the manifest has them.
    std::vector<std::string> conflicts;        ///< Sentences.
    std::vector<LicenseTermsToAccept> to_accept;

    const EffectiveFact& fact(FactKind kind) const { return facts[static_cast<std::size_t>(kind)]; }

    /// The answer restricts, or is unknown.
    bool restricts(FactKind kind) const { return strictness(kind, fact(kind).answer) > 0; }

    bool has_unknown() const;
};

EffectiveLicense effective_license(const ModelManifest& model);

/// "commercial use no (CC-BY-NC-4.0, 2(a)(1); acme/base, finetune)".
std::string describe(FactKind kind, const EffectiveFact& fact);

/// One line: "commercial use yes, passing on yes, derivatives yes, attribution yes, share-alike no,
/// field limits none". What is unknown says so.
std::string describe(const EffectiveLicense& license);

/// "meta-llama/Llama-3-8B (finetune), llama3".
std::string describe(const Ancestor& ancestor);

/// A model that an app uses, or may fall back on.
struct AppModelLicense {
    std::string role;
    ModelId model;
    EffectiveLicense license;
};

/// Of an app with all of these: what may be done with the whole. Its own license comes first; of
/// the conflicts only those between it and a model, not those that a model has by itself.
EffectiveLicense effective_license(const AppManifest& app,
                                   const std::vector<AppModelLicense>& models);

/// Where an app says less than the licenses of its models demand: each a sentence with the path in
/// locara.json. Lint and review refuse an app for any.
std::vector<std::string> check_app_license(const AppManifest& app,
                                           const std::vector<AppModelLicense>& models);

} // namespace locara::manifest
