#include <locara/manifest/license.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace locara::manifest {

namespace {

// Sources: the license texts; hub ids as the Hugging Face Hub documents them for `license:` in
// cards. Columns: commercial, redistribution, attribution, use restrictions.
constexpr std::array kLicenses = {
    LicenseFacts{"Apache-2.0", "apache-2.0", "Apache License 2.0", true, true, true, false},
    LicenseFacts{"MIT", "mit", "MIT License", true, true, true, false},
    LicenseFacts{"BSD-3-Clause", "bsd-3-clause", "BSD 3-Clause License", true, true, true, false},
    LicenseFacts{"CC0-1.0", "cc0-1.0", "Creative Commons Zero 1.0", true, true, false, false},
    LicenseFacts{"Unlicense", "unlicense", "The Unlicense", true, true, false, false},
    LicenseFacts{
        "CC-BY-4.0", "cc-by-4.0", "Creative Commons Attribution 4.0", true, true, true, false},
    LicenseFacts{"CC-BY-SA-4.0",
                 "cc-by-sa-4.0",
                 "Creative Commons Attribution-ShareAlike 4.0",
                 true,
                 true,
                 true,
                 false},
    LicenseFacts{"CC-BY-NC-4.0",
                 "cc-by-nc-4.0",
                 "Creative Commons Attribution-NonCommercial 4.0",
                 false,
                 true,
                 true,
                 false},
    LicenseFacts{"CC-BY-NC-SA-4.0",
                 "cc-by-nc-sa-4.0",
                 "Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
                 false,
                 true,
                 true,
                 false},
    LicenseFacts{"CC-BY-ND-4.0",
                 "cc-by-nd-4.0",
                 "Creative Commons Attribution-NoDerivatives 4.0",
                 true,
                 true,
                 true,
                 false},
    LicenseFacts{
        "GPL-3.0-only", "gpl-3.0", "GNU General Public License 3", true, true, true, false},
    LicenseFacts{"AGPL-3.0-only",
                 "agpl-3.0",
                 "GNU Affero General Public License 3",
                 true,
                 true,
                 true,
                 false},
    LicenseFacts{"openrail", "openrail", "OpenRAIL", true, true, true, true},
    LicenseFacts{"bigscience-openrail-m",
                 "bigscience-openrail-m",
                 "BigScience OpenRAIL-M",
                 true,
                 true,
                 true,
                 true},
    LicenseFacts{
        "bigcode-openrail-m", "bigcode-openrail-m", "BigCode OpenRAIL-M", true, true, true, true},
    LicenseFacts{"creativeml-openrail-m",
                 "creativeml-openrail-m",
                 "CreativeML OpenRAIL-M",
                 true,
                 true,
                 true,
                 true},
    LicenseFacts{"llama2", "llama2", "Llama 2 Community License", true, true, true, true},
    LicenseFacts{"llama3", "llama3", "Llama 3 Community License", true, true, true, true},
    LicenseFacts{"llama3.1", "llama3.1", "Llama 3.1 Community License", true, true, true, true},
    LicenseFacts{"llama3.2", "llama3.2", "Llama 3.2 Community License", true, true, true, true},
    LicenseFacts{"llama3.3", "llama3.3", "Llama 3.3 Community License", true, true, true, true},
    LicenseFacts{"gemma", "gemma", "Gemma Terms of Use", true, true, true, true},
};

bool equal_without_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

} // namespace

const LicenseFacts* find_license(std::string_view id) {
    for (const auto& one : kLicenses) {
        if (equal_without_case(one.id, id) || equal_without_case(one.hub_id, id)) {
            return &one;
        }
    }
    return nullptr;
}

std::vector<std::string> check_license(const ModelLicense& license) {
    std::vector<std::string> out;
    const auto* facts = find_license(license.id);
    if (facts == nullptr) {
        return out;
    }
    const std::string name(facts->name);
    if (license.terms.commercial && !facts->commercial) {
        out.push_back("license.terms.commercial: says yes, but " + name +
                      " does not allow commercial use");
    }
    if (license.terms.redistribution && !facts->redistribution) {
        out.push_back("license.terms.redistribution: says yes, but " + name + " does not allow it");
    }
    if (!license.terms.attribution && facts->attribution) {
        out.push_back("license.terms.attribution: says no, but " + name + " asks for it");
    }
    if (license.terms.use_restrictions.empty() && facts->use_restrictions) {
        out.push_back("license.terms.use_restrictions: is empty, but " + name +
                      " forbids some uses; list them");
    }
    return out;
}

std::string describe(const LicenseTerms& terms) {
    std::string out = std::string("commercial use ") + (terms.commercial ? "yes" : "no") +
                      ", attribution " + (terms.attribution ? "yes" : "no") + ", passing on " +
                      (terms.redistribution ? "yes" : "no") + ", field limits ";
    if (terms.use_restrictions.empty()) {
        out += "none";
    }
    for (std::size_t i = 0; i < terms.use_restrictions.size(); ++i) {
        out += (i == 0 ? "" : "; ") + terms.use_restrictions[i];
    }
    return out + (terms.gated ? ", gated at its source" : "");
}

} // namespace locara::manifest
