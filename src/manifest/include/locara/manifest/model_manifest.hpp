// ModelManifest: which files a model is made of, what it needs and under which terms
// (locara.dev/model/v1).
//
// Format: docs/formats/model-manifest.md and schemas/model-v1.schema.json. An app pins a manifest
// by the SHA-256 of its bytes; only a VerifiedModelManifest is known to be that one. Threads: plain
// values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/ids.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

enum class FileFormat { Gguf, Safetensors, Json, Text };

std::string_view render(FileFormat format);

struct ModelFile {
    std::string path; ///< Passed validate_path.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
    std::string xet_hash; ///< 64 hex digits, or empty.
    FileFormat format = FileFormat::Gguf;
};

struct Quality {
    std::string metric;
    double value = 0;
    std::optional<double> base;
    std::string how;
};

struct Speed {
    double tokens_per_second = 0;
    std::string machine;
};

struct Variant {
    std::string name;
    std::string quantization;
    std::vector<ModelFile> files;
    std::string engine_name;
    std::string engine_minimum_version;
    std::uint64_t weights_bytes = 0;
    std::uint64_t kv_bytes_per_token = 0;
    std::optional<Quality> quality;
    std::optional<Speed> speed;

    /// Other than F32, BF16 and F16.
    bool is_quantized() const;

    /// Sum of the file sizes.
    std::uint64_t download_bytes() const;

    /// SHA-256 over the raw digests of its files, in their order.
    crypto::Sha256Digest files_sha256() const;
};

struct Source {
    std::string repo;     ///< `org/name`.
    std::string revision; ///< 40 lower-case hex digits: a commit, never a branch.
};

struct Ancestor {
    std::string repo;
    std::string revision;
    std::string relation; ///< "finetune", "quantized", "merge" or "adapter".
    std::string license;  ///< Id or SPDX expression; empty if the manifest does not say.
    bool gated = false;   ///< As LicenseTerms::gated, of its repository; false if it does not say.
    std::string license_url = {};         ///< Of the text in its repository; may be empty.
    std::string license_text_sha256 = {}; ///< Of that text as it was read; may be empty.
};

struct LicenseTerms {
    bool commercial = false;
    bool redistribution = false;
    bool attribution = false;
    std::vector<std::string> use_restrictions;
    bool gated = false;

    /// Whether these alone must be accepted by name; the whole derivation may ask for more
    /// (EffectiveLicense::to_accept).
    bool needs_consent() const { return !commercial || !use_restrictions.empty() || gated; }
};

/// What the headers of the weights say, where neither card nor lineage do.
struct WeightsSay {
    std::string license;                ///< Empty: no other.
    std::vector<std::string> made_from; ///< Repositories, addresses or names.
};

struct ModelLicense {
    std::string id; ///< Id or SPDX expression; parses as LicenseExpression.
    std::string url;
    std::string text_sha256; ///< Of the text at `url` as it was read; may be empty.
    LicenseTerms terms;
    std::string instead_of; ///< What the source's card says, if not `id`; else empty.
    WeightsSay weights_say;
};

struct Recommended {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<std::int64_t> top_k;
    std::optional<double> min_p;
    std::optional<double> repeat_penalty;
    std::optional<std::int64_t> max_tokens;
    std::optional<std::int64_t> seed;
    std::vector<std::string> stop;
};

struct ChatMessage {
    std::string role;
    std::string content;

    bool operator==(const ChatMessage&) const = default;
};

/// Of a model that answers: a question, and the exact answer. Of one for embeddings: a text, one
/// whose vector is near to its own, and one whose vector is farther away.
struct Probe {
    std::vector<ChatMessage> messages;
    std::string expected;
    std::string text = {};
    std::string near = {};
    std::string far = {};
};

/// SHA-256 over the probes as they are asked, with the recommended parameters that go along (not
/// temperature and seed, which are 0): over JSON without white space, keys sorted, as UTF-8 with
/// nothing escaped that need not be. docs/formats/model-manifest.md, "Validation".
crypto::Sha256Digest probes_sha256(const std::vector<Probe>& probes,
                                   const Recommended& recommended);

struct Perplexity {
    double value = 0;
    std::optional<double> base;
    std::string base_variant; ///< Empty: there is none in the manifest.
    crypto::Sha256Digest text_sha256;
    std::uint64_t tokens = 0;
};

/// Of vectors: how much they are those of the base, each by its cosine.
struct Similarity {
    std::optional<double> minimum; ///< Absent of the base itself, as mean.
    std::optional<double> mean;
    std::string base_variant; ///< Empty: there is none in the manifest.
    crypto::Sha256Digest text_sha256;
    std::uint64_t texts = 0;
    std::uint64_t dimensions = 0;
};

/// Least cosine of any text's vector to that of the base with which a model for embeddings counts
/// as validated.
inline constexpr double kLeastCosine = 0.9;

/// What was measured of one variant.
struct VariantValidation {
    std::string variant;
    crypto::Sha256Digest files_sha256; ///< As Variant::files_sha256 was then.
    /// As probes_sha256() was then. Absent from records of earlier versions, of which nobody knows
    /// what was asked: they are read, but do not count (check_validated).
    std::optional<crypto::Sha256Digest> probes_sha256;
    std::string date;
    std::string engine_version;
    std::string machine;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    double prompt_tokens_per_second = 0;
    double tokens_per_second = 0;
    std::uint64_t peak_memory_bytes = 0;
    std::optional<Perplexity> perplexity; ///< Of a model that answers.
    std::optional<Similarity> similarity; ///< Of one for embeddings.
};

struct Validation {
    std::string date;           ///< Empty: the probes were not run yet.
    std::string engine_version; ///< Likewise.
    std::vector<Probe> probes;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::vector<VariantValidation> variants;

    bool has_run() const { return !date.empty(); }

    /// The record of the variant of that name, or nullptr.
    const VariantValidation* find(std::string_view variant) const;
};

struct ModelManifest {
    ModelId id;
    Version version;
    std::string name;
    std::string description;
    std::string task; ///< "text-generation" or "embeddings".
    std::vector<std::string> input;
    std::vector<std::string> output;
    std::uint64_t context_length = 0;
    Source source;
    std::vector<Variant> variants;
    std::string default_variant;
    std::vector<Ancestor> lineage;
    ModelLicense license;
    std::optional<crypto::Sha256Digest> chat_template;
    std::optional<crypto::Sha256Digest> tokenizer;
    Recommended recommended;
    std::optional<Validation> validation;

    bool is_for_embeddings() const { return task == "embeddings"; }

    /// The variant of that name, or nullptr.
    const Variant* find_variant(std::string_view name) const;

    /// The default variant; parse made sure that there is one.
    const Variant& get_default() const;

    /// The first variant without quantization: F32, BF16 or F16, in this order; or nullptr.
    const Variant* find_unquantized() const;

    /// What a quantized variant is measured against: find_unquantized(); nullptr also for a variant
    /// that is not quantized.
    const Variant* base_of(const Variant& variant) const {
        return variant.is_quantized() ? find_unquantized() : nullptr;
    }

    /// Refused, with what is missing and the command to run, unless every variant was measured with
    /// the files and asked the probes that are here now, answered every probe, of which there is
    /// one at least, and has its quality on record: perplexity, and that of its base over the same
    /// text; or, of embeddings, vectors of which none is farther from its base's than kLeastCosine.
    Status check_validated() const;

    /// InvalidArgument, with the path, if a text for people holds what nobody sees, or what moves
    /// what others see. Nothing is signed or listed anew so; what is listed is parsed all the same.
    Status check_texts() const;

    /// Parses and checks. Errors as AppManifest::parse.
    static Result<ModelManifest> parse(std::string_view json);

  private:
    Status check_validated(const Variant& variant) const;

    /// What its record lacks, or measured too badly; empty if nothing.
    std::string find_gap(const Variant& variant, const VariantValidation& measured) const;

    /// What the manifest shows of it that is not what its record says; empty if nothing.
    std::string find_untruth(const Variant& variant, const VariantValidation& measured) const;
};

} // namespace locara::manifest
