// Policy: what a user or an organisation will not have on a machine, whoever signed it.
//
// A `policy.toml` lists what is refused: facts of licenses, licenses, publishers, formats of
// weights (docs/licenses.md, "policy.toml"). Several files add up: what any of them refuses is
// refused, so that an organisation's file cannot be softened by a user's. Nothing here reads a
// model: a Subject says what is to be judged, and the doors (install, pull, run) refuse what
// judge() refuses. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::policy {

/// Most bytes of a policy file, and most rules in it.
inline constexpr std::size_t kPolicyBytes = 1U << 16U;
inline constexpr std::size_t kPolicyRules = 1024;

/// One thing that is refused.
struct Rule {
    enum class Kind { Fact, License, Publisher, Format };

    Kind kind = Kind::Fact;
    std::string value;
    std::string reason; ///< The file's own words to whoever meets the refusal; may be empty.
    std::string origin; ///< "/etc/locara/policy.toml:3".
};

/// "facts", "licenses", "publishers", "formats": the keys of [refuse].
std::string_view render(Rule::Kind kind);

/// What is to be judged.
struct Subject {
    struct Model {
        std::string name; ///< "model locara/tiny".
        manifest::EffectiveLicense license;
        std::vector<std::string> licenses;   ///< Ids and expressions along its derivation.
        std::vector<std::string> publishers; ///< Of the manifest, its source and what it is made
                                             ///< from, each once.
        std::vector<std::string> formats;    ///< Of the files that would be fetched.
    };

    std::string app;           ///< "app acme/notes"; empty for a model alone.
    std::string app_publisher; ///< Empty for a model alone.
    std::string app_license;   ///< Id or expression; empty for a model alone.
    std::optional<manifest::EffectiveLicense> app_terms; ///< Of its own license.
    std::vector<Model> models;

    /// What an app is by itself.
    void set_app(const manifest::AppManifest& manifest);

    /// Adds a model with the files of one variant.
    void add(const manifest::ModelManifest& manifest, const manifest::Variant& variant);
};

/// What one rule says of a subject.
struct Finding {
    Rule rule;
    std::vector<std::string> hits; ///< Why it refuses, a sentence each; empty: it does not.
};

/// What a whole policy says: a finding for each rule, in the order of the files.
struct Decision {
    std::vector<Finding> findings;

    bool refuses() const;

    /// Refused, with the rules that refuse and where they stand; ok if none does.
    Status status() const;
};

class Policy {
  public:
    /// A policy without rules refuses nothing.
    Policy() = default;

    /// Reads the text of a file; `path` is for its errors. InvalidArgument with "path:line", the
    /// key, what was found and what is allowed; TooLarge.
    static Result<Policy> parse(std::string_view text, const std::string& path);

    /// The rules of all these files together; one that is not there has none. A file that is there
    /// and cannot be read is an error: whoever wrote it wanted something refused. Errors as parse;
    /// Io.
    static Result<Policy> load(const std::vector<std::filesystem::path>& paths);

    const std::vector<Rule>& rules() const { return rules_; }

    /// `[scanners] clamd`: the Unix socket of the antivirus that the gate must ask, an absolute
    /// path. Of several files the first one that names one; empty if none does.
    const std::string& clamd() const { return clamd_; }

    Decision judge(const Subject& subject) const;

  private:
    std::vector<Rule> rules_;
    std::string clamd_;
};

} // namespace locara::policy
