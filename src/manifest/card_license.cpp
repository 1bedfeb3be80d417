#include <locara/base/ascii.hpp>
#include <locara/base/line.hpp>
#include <locara/manifest/card_license.hpp>
#include <locara/manifest/license.hpp>

#include <algorithm>
#include <array>

namespace locara::manifest {

namespace {

constexpr std::array<std::string_view, 4> kRelations = {
    "finetune", "quantized", "merge", "adapter"};

std::string card_of(const std::string& repo) {
    return "the card of " + repo;
}

const Ancestor* find_ancestor(const ModelManifest& model, const std::string& repo) {
    const auto at = std::find_if(model.lineage.begin(), model.lineage.end(), [&](const auto& one) {
        return equals_ignoring_case(one.repo, repo);
    });
    return at == model.lineage.end() ? nullptr : &*at;
}

/// What the card names as bases and the lineage lacks.
void find_missing_bases(std::vector<std::string>& out,
                        const ModelManifest& model,
                        const std::string& repo,
                        const ModelCard& card) {
    for (const auto& base : card.base_models) {
        if (equals_ignoring_case(base, model.source.repo) ||
            find_ancestor(model, base) != nullptr) {
            continue;
        }
        out.push_back(card_of(repo) + " says that it was made from " + quote_line(base) +
                      ", whose license counts too; the manifest does not: write it into lineage, "
                      "as `locara model pin` does");
    }
}

Status refuse(const std::vector<std::string>& differences) {
    if (differences.empty()) {
        return {};
    }
    std::string text;
    for (const auto& one : differences) {
        text += (text.empty() ? "" : "; ") + one;
    }
    return Error(ErrorCode::Refused, std::move(text));
}

} // namespace

bool is_same_license(std::string_view a, std::string_view b) {
    const auto* known = find_license(a);
    return known != nullptr ? known == find_license(b) : equals_ignoring_case(a, b);
}

std::optional<CardLicense> license_of(const ModelCard& card) {
    if (card.license.empty()) {
        return std::nullopt;
    }
    const auto* named = card.license == "other" && !card.license_name.empty()
                            ? find_license(card.license_name)
                            : nullptr;
    const auto* known = named != nullptr ? named : find_license(card.license);
    CardLicense out{known != nullptr ? std::string(known->id) : card.license,
                    known != nullptr && known->id != "other" ? std::string(known->url) : ""};
    if (out.url.empty() &&
        (card.license_link.starts_with("https://") || card.license_link.starts_with("http://"))) {
        out.url = card.license_link;
    }
    return out;
}

bool names_license_of(const ModelCard& card, std::string_view text) {
    const auto license = license_of(card);
    return license &&
           (is_same_license(license->id, text) || equals_ignoring_case(card.license, text));
}

bool is_relation(std::string_view relation) {
    return std::find(kRelations.begin(), kRelations.end(), relation) != kRelations.end();
}

std::vector<std::string> find_undeclared(const ModelManifest& model, const ModelCard& card) {
    std::vector<std::string> out;
    const std::string& id = model.license.id;
    const std::string& instead_of = model.license.instead_of;
    const std::string says = card_of(model.source.repo) + " names ";
    const bool named_name = card.license == "other" && !card.license_name.empty() &&
                            equals_ignoring_case(card.license_name, id);
    const bool agrees = card.license.empty() || names_license_of(card, id) || named_name;
    if (!instead_of.empty() && (agrees || !names_license_of(card, instead_of))) {
        out.push_back(
            says +
            (card.license.empty() ? "no license" : "the license " + quote_line(card.license)) +
            ", not " + quote_line(instead_of) +
            (agrees ? ": take license.instead_of out"
                    : ", as license.instead_of has it: write there what it names"));
    } else if (!agrees && instead_of.empty()) {
        out.push_back(says + "the license " + quote_line(card.license) + ", the manifest " + id +
                      ": if the card is wrong, write \"instead_of\": " + quote_line(card.license) +
                      " into license; else that is its id");
    }
    find_missing_bases(out, model, model.source.repo, card);
    if (is_relation(card.base_model_relation)) {
        for (const auto& base : card.base_models) {
            const auto* ancestor = find_ancestor(model, base);
            if (ancestor != nullptr && ancestor->relation != card.base_model_relation) {
                out.push_back(card_of(model.source.repo) + " calls its relation to " +
                              ancestor->repo + " " + card.base_model_relation + ", lineage " +
                              ancestor->relation + ": write there what the card says");
            }
        }
    }
    return out;
}

std::vector<std::string>
find_undeclared(const ModelManifest& model, const Ancestor& ancestor, const ModelCard& card) {
    std::vector<std::string> out;
    // Without a license in the lineage the strictest is assumed.
    if (!card.license.empty() && !ancestor.license.empty() &&
        !names_license_of(card, ancestor.license)) {
        out.push_back(card_of(ancestor.repo) + " names the license " + quote_line(card.license) +
                      ", lineage says " + quote_line(ancestor.license) +
                      ": write there what the card names");
    }
    find_missing_bases(out, model, ancestor.repo, card);
    return out;
}

Status check_card(const ModelManifest& model, std::string_view card) {
    LOCARA_TRY(const auto parsed, ModelCard::parse(card).context(card_of(model.source.repo)));
    return refuse(find_undeclared(model, parsed));
}

Status check_card(const ModelManifest& model, const Ancestor& ancestor, std::string_view card) {
    LOCARA_TRY(const auto parsed, ModelCard::parse(card).context(card_of(ancestor.repo)));
    return refuse(find_undeclared(model, ancestor, parsed));
}

} // namespace locara::manifest
