// Making a model manifest of a repository on a hub: what `locara model pin` does.
//
// The revision becomes a commit, files become sizes and digests, and headers say the rest:
// quantization, memory, context, chat template. License and derivation come from the cards, the
// model's own and those of what it was made from. Of weights only headers are fetched, in
// blocks; the gate judges them with zeros in place of tensors, and the whole when somebody fetches
// them. Nothing is claimed to be validated. Threads: plain functions.
#pragma once

#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/hf/client.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// The engine that manifests of this version ask for, as tools/llama.cpp/pin names it.
inline constexpr const char* kPinnedEngine = "v0.5.0";

/// Tokens of context that estimates of memory count with.
inline constexpr std::uint64_t kEstimateContext = 4096;

/// Files without a digest in the listing (git holds them itself) are fetched and hashed up to here.
inline constexpr std::uint64_t kMaxHashedFile = 64U << 20U;

struct PinRequest {
    std::string repo;              ///< "org/name".
    std::string revision = "main"; ///< Branch, tag or commit.
    std::string id;                ///< "publisher/name"; empty: made of the repository's name.
    std::string version = "1.0.0";
    std::string license; ///< Where the card names none, or the same; empty: the card's.
    /// What the card names, if `license` is to count in its place all the same: the manifest then
    /// says so (license.instead_of), and it is a conflict of its effective license.
    std::string license_instead_of;
    std::string default_variant; ///< Empty: see choose_default.
};

struct PinnedModel {
    std::string text; ///< The manifest, as it is to be stored.
    manifest::ModelManifest manifest;
    std::vector<std::string> notes;  ///< What a person should know; sentences.
    std::uint64_t fetched_bytes = 0; ///< Of headers, cards and configuration.
};

/// What a variant takes with a context of kEstimateContext tokens (or the model's, if smaller).
std::uint64_t estimate_memory(const manifest::ModelManifest& model,
                              const manifest::Variant& variant);

/// The variant to take when nothing speaks for another: the first of Q4_K_M, Q5_K_M, Q4_K_S, Q6_K,
/// Q8_0 and the unquantized that is there; else the first. REQUIRES: one at least.
const manifest::Variant& choose_default(const std::vector<manifest::Variant>& variants);

/// Errors: those of hf::Client (NotFound, Unauthorized and Forbidden for gated repositories, ...);
/// Refused (only formats that can carry code, a header that the gate refuses, or a license other
/// than the card's that is not said to be in its place), Unsupported (no GGUF, an architecture
/// without what a manifest must say), InvalidArgument (a card that says nothing of the license or
/// cannot be read, request members), NotFound also for a base that the card names and this hub does
/// not have, TooLarge (more variants than a manifest holds). Progress: task "pin", item = path,
/// bytes of headers.
Result<PinnedModel> pin_model(hf::Client& client,
                              const PinRequest& request,
                              ProgressSink& progress = null_progress(),
                              const std::stop_token& stop = {});

/// The manifest `text` with the weights of what the model was made from in place of its own: all
/// GGUF files of that commit that are models, as pin_model pins them. To fetch them; the terms are
/// those of the model, which cover it. Errors as pin_model; Corrupt if the hub has another commit.
Result<std::string> pin_ancestor(hf::Client& client,
                                 std::string_view text,
                                 const manifest::Ancestor& ancestor,
                                 ProgressSink& progress = null_progress(),
                                 const std::stop_token& stop = {});

} // namespace locara::runtime
