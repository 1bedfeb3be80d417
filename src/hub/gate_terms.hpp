// What the card of a gated repository tells, and asks of, whoever wants to read its files.
//
// Keys of the front matter as the Hugging Face Hub has them
// (https://huggingface.co/docs/hub/models-gated, "Customize requested information"):
// extra_gated_heading, extra_gated_description, extra_gated_prompt (Markdown),
// extra_gated_button_content, extra_gated_fields. Threads: plain values.
#pragma once

#include "services.hpp"

#include <locara/base/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace locara::hub {

inline constexpr std::size_t kGateFields = 32;
inline constexpr std::size_t kGateFieldNameBytes = 256;
inline constexpr std::size_t kGateFieldBytes = 4096;

/// The card's key of what one agrees to, and in a kept request which text that was.
inline constexpr const char* kGatePrompt = "extra_gated_prompt";

/// One thing to fill in.
struct GateField {
    enum class Kind { Text, Date, Country, Choice, Checkbox };

    struct Option {
        std::string value; ///< What is sent, and kept.
        std::string label; ///< What is shown.
    };

    std::string name;
    Kind kind = Kind::Text;
    std::vector<Option> options; ///< Of a choice.
};

struct GateTerms {
    std::string heading;
    std::string description;
    std::string prompt; ///< What one agrees to, Markdown.
    std::string button;
    std::vector<GateField> fields;

    /// Of a front matter; what is not as it should be is left out, and so are fields beyond
    /// kGateFields.
    static GateTerms of(const Json& card);

    /// SHA-256 of the prompt, 64 hex digits: which text somebody agreed to. Empty without one.
    std::string digest() const;

    /// What somebody filled in, as one JSON object of texts. 400 when a field of the card is
    /// missing, empty, not among its options or not ticked; or above the limits.
    Answer<Json> take(const std::vector<std::pair<std::string, std::string>>& given) const;
};

/// The terms of a repository, as its branch has them.
Result<GateTerms> read_gate_terms(const Services& services, const Repo& repo);

} // namespace locara::hub
