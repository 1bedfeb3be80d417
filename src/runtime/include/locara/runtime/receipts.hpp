// Receipts: which terms of licenses a person has accepted on this machine.
//
// One file for each set of terms, `<state>/licenses/<digest>.json`, schema
// locara.dev/license-receipt/v1 (docs/licenses.md, "Receipts"); the digest is that of the terms
// (LicenseTermsToAccept::digest), so that other terms, another text or address are another question
// and the same ones are asked about once. Receipts stay when apps go. Threads: plain functions;
// they block.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/runtime/home.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// Accepted at a prompt, or by name on the command line.
enum class AcceptedBy { Prompt, Flag };

std::string_view render(AcceptedBy by);

struct Receipt {
    std::string license; ///< The id that was accepted.
    std::string url;
    std::string text_sha256;        ///< Empty if the model's manifest does not give it.
    std::vector<std::string> terms; ///< As they were shown.
    crypto::Sha256Digest digest;    ///< Of all the above.
    std::string model;              ///< For which it was first accepted: "publisher/name@version".
    crypto::Sha256Digest manifest;  ///< The manifest of that model.
    std::string when;               ///< RFC 3339.
    AcceptedBy by = AcceptedBy::Prompt;

    /// JSON text with a newline at the end.
    std::string render() const;

    /// The inverse. InvalidArgument; Unsupported for another schema.
    static Result<Receipt> parse(std::string_view text);
};

/// The receipt of these terms, if there is one. One that cannot be read, or that is of other terms,
/// is none: the question is asked again. Io.
Result<std::optional<Receipt>> find_receipt(const Home& home,
                                            const manifest::LicenseTermsToAccept& terms);

/// Durable on return. Io, NoSpace.
Status add_receipt(const Home& home, const Receipt& receipt);

} // namespace locara::runtime
