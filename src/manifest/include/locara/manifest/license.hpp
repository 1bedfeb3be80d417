// Licenses: what the common ones say about weights, as a small table.
//
// Facts for the licenses that most open weights carry, by SPDX id or by the id that the Hugging
// Face Hub uses. It is no legal advice and it does not replace the terms in a signed manifest: it
// is used to fill in and to lint them.
#pragma once

#include <locara/manifest/model_manifest.hpp>

#include <optional>
#include <string_view>

namespace locara::manifest {

struct LicenseFacts {
    std::string_view id;     ///< SPDX id where there is one.
    std::string_view hub_id; ///< As the Hugging Face Hub spells it.
    std::string_view name;   ///< For people.
    bool commercial;         ///< Commercial use is allowed, perhaps with conditions.
    bool redistribution;     ///< Passing on is allowed.
    bool attribution;        ///< The maker must be named or the license text kept.
    bool use_restrictions;   ///< Some fields of use are forbidden.
};

/// By either id, without regard to case; nullptr if the table does not know it.
const LicenseFacts* find_license(std::string_view id);

/// Where a manifest claims more freedom than the table knows the license to give ("commercial use"
/// for CC-BY-NC-4.0); empty if there is nothing to say. For lint and review.
std::vector<std::string> check_license(const ModelLicense& license);

/// "commercial use yes, attribution yes, field limits none".
std::string describe(const LicenseTerms& terms);

} // namespace locara::manifest
