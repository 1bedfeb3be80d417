// Running a model's probes and measuring it: what `locara model validate` does.
//
// Everything goes through the sandboxed engine that also answers apps. Probes are asked greedily
// (temperature 0), with the manifest's other recommended parameters. Perplexity is taken from the
// same engine: it is asked for the next token of each place of a text, told to choose the one that
// stands there, and says how likely it was before it was told (llama-server's `logit_bias` and
// `n_probs` of /completion; its probabilities are those before sampling). So no other program is
// needed, and what is measured is what runs. Of a model for embeddings vectors are compared
// instead, with one another and with those of its base. Threads: plain functions; they block.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/engine/engine.hpp>
#include <locara/manifest/verified.hpp>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// Most tokens of a text whose probability is asked for; the rest of it is left out.
inline constexpr std::uint64_t kMaxScoredTokens = 4096;

/// Most tokens of context that come before one of these.
inline constexpr std::uint64_t kScoreWindow = 512;

inline constexpr std::uint64_t kMaxValidationText = 4U << 20U; ///< bytes

/// Most texts whose vectors are compared with the base's.
inline constexpr std::size_t kMaxComparedTexts = 256;

struct ProbeAnswer {
    std::string answer;  ///< Of embeddings the two cosines, in words.
    bool passed = false; ///< Equal to what the manifest expects; the one that is near is nearer.
};

/// An embedding.
using Vector = std::vector<double>;

struct Measurement {
    manifest::VariantValidation record;
    std::vector<ProbeAnswer> answers; ///< As the manifest's probes.
    std::vector<Vector> vectors;      ///< Of embeddings, of the texts that are compared.
};

/// One variant in its engine.
class Validator {
  public:
    /// Borrows the supervisor and the model. `weights` are the variant's GGUF files, first part
    /// first. Errors: those of Supervisor::ensure_running.
    static Result<Validator> start(engine::Supervisor& supervisor,
                                   const manifest::VerifiedModelManifest& model,
                                   const manifest::Variant& variant,
                                   std::vector<engine::ModelFile> weights,
                                   const std::stop_token& stop);

    Validator(Validator&&) noexcept;
    ~Validator();

    /// What it says to one question. Errors: Unavailable (the engine ended), Timeout, Corrupt,
    /// Cancelled, InvalidArgument (the engine refuses the question, or it is for embeddings).
    Result<std::string> ask(const std::vector<manifest::ChatMessage>& messages);

    /// Runs all probes and measures. Without `text` perplexity is that of the probes' expected
    /// answers after their questions. Of embeddings, `text` has in each line a text whose vector is
    /// compared, instead of those of the probes. Progress: task "validate", item = the variant; a
    /// probe, a scored token and a vector count as one byte each. Errors as ask.
    Result<Measurement> measure(const std::vector<manifest::Probe>& probes,
                                const std::optional<std::string>& text,
                                const Clock& clock,
                                ProgressSink& progress);

  private:
    struct State;
    explicit Validator(std::unique_ptr<State> state);

    Status measure_answers(const std::vector<manifest::Probe>& probes,
                           const std::optional<std::string>& text,
                           Measurement& out,
                           ProgressSink& progress);
    Status measure_vectors(const std::vector<manifest::Probe>& probes,
                           const std::optional<std::string>& text,
                           Measurement& out,
                           ProgressSink& progress);

    std::unique_ptr<State> state_;
};

/// The cosine between two vectors, neither of which is zero. REQUIRES: the same dimensions.
double cosine(const Vector& a, const Vector& b);

/// Notes how near the vectors of a variant are to those of its base. Corrupt if they have other
/// dimensions. REQUIRES: both were measured, of the same texts.
Status compare_vectors(Measurement& variant, const Measurement& base);

/// The manifest with what was measured: `validation` anew, with `probes` and the records, and of
/// each measured variant `speed`, and `quality` where there was none or it came from here, too.
/// Records of other variants stay while their files and the probes are the same. Errors as
/// ModelManifest::parse.
Result<std::string> add_validation(std::string_view manifest,
                                   const std::vector<manifest::Probe>& probes,
                                   const std::vector<Measurement>& measured);

} // namespace locara::runtime
