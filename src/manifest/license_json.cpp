#include <locara/manifest/license_json.hpp>

namespace locara::manifest {

Json render_license(std::string_view id, const EffectiveLicense& license) {
    Json facts = Json::array();
    for (const auto kind : kFactKinds) {
        const auto& fact = license.fact(kind);
        facts.push_back({{"fact", render(kind)},
                         {"answer", render(fact.answer)},
                         {"license", fact.license},
                         {"clause", fact.clause},
                         {"from", fact.from}});
    }
    // Scripts that read one answer get the strict one where nothing is known.
    return {{"id", id},
            {"licenses", license.licenses},
            {"commercial", !license.restricts(FactKind::CommercialUse)},
            {"redistribution", !license.restricts(FactKind::Redistribution)},
            {"derivatives", !license.restricts(FactKind::Derivatives)},
            {"attribution", license.restricts(FactKind::Attribution)},
            {"share_alike", license.restricts(FactKind::ShareAlike)},
            {"use_restrictions", license.use_restrictions},
            {"gated", license.restricts(FactKind::Gated)},
            {"facts", std::move(facts)},
            {"conflicts", license.conflicts}};
}

} // namespace locara::manifest
