#include <locara/base/json.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/manifest/license_expression.hpp>

#include <algorithm>

namespace locara::manifest {

namespace {

/// A license that must be followed, of one place in the derivation.
struct Leaf {
    std::string id;
    const License* license = nullptr; ///< Null: the table does not know it.

    Answer answer(FactKind kind) const {
        return license == nullptr ? Answer::Unknown : license->fact(kind).answer;
    }

    /// What it says, by which clause, and who brings it.
    EffectiveFact fact(FactKind kind, std::string from = "") const {
        const auto clause = license == nullptr ? std::string_view() : license->fact(kind).clause;
        return {answer(kind), id, std::string(clause), std::move(from)};
    }

    /// Whether the id stands for no one text: "other", or one that no table row has.
    bool names_no_text() const { return license == nullptr || license->is_unknown(); }

    bool needs_consent() const {
        return strictness(FactKind::CommercialUse, answer(FactKind::CommercialUse)) > 0 ||
               strictness(FactKind::UseRestrictions, answer(FactKind::UseRestrictions)) > 0;
    }
};

struct Place {
    std::string from;
    std::string repo;     ///< Empty of an app.
    std::string version;  ///< "acme/base@COMMIT", "ana/notes@1.0.0": whose text it is.
    std::string relation; ///< Empty for the model itself, and for an app.
    std::vector<Leaf> leaves;
    bool gated = false;
    std::string url = {};         ///< Of the text; empty of an app, and where none is stated.
    std::string text_sha256 = {}; ///< Likewise.
};

const License* find_leaf(const std::string& id) {
    const auto* license = find_license(id);
    if (license == nullptr && id.ends_with('+')) {
        // "GPL-2.0+": this version or a later one; what this version says is what is known.
        license = find_license(std::string_view(id).substr(0, id.size() - 1));
    }
    return license;
}

/// How much a choice restricts; of an OR the one that restricts least is taken.
int weigh(const std::vector<Leaf>& leaves) {
    constexpr std::array<int, kTextFacts> kWeights = {100, 50, 50, 1, 10, 20};
    int sum = 0;
    for (std::size_t i = 0; i < kTextFacts; ++i) {
        int worst = 0;
        for (const auto& leaf : leaves) {
            worst = std::max(worst, strictness(kFactKinds[i], leaf.answer(kFactKinds[i])));
        }
        // Unknown is no better than restricted.
        sum += worst > 0 ? kWeights[i] : 0;
    }
    return sum;
}

/// Every license that must be followed. An exception (WITH) only adds permissions, so that leaving
/// it out is on the safe side.
std::vector<Leaf> resolve(const LicenseExpression& expression) {
    if (expression.kind == LicenseExpression::Kind::Id) {
        return {{expression.id, find_leaf(expression.id)}};
    }
    std::vector<Leaf> out;
    bool first = true;
    for (const auto& part : expression.parts) {
        auto leaves = resolve(part);
        if (expression.kind == LicenseExpression::Kind::And) {
            std::move(leaves.begin(), leaves.end(), std::back_inserter(out));
        } else if (first || weigh(leaves) < weigh(out)) {
            out = std::move(leaves);
        }
        first = false;
    }
    return out;
}

std::vector<Leaf> resolve(const std::string& text) {
    if (text.empty()) {
        return {{"unknown", nullptr}};
    }
    const auto expression = LicenseExpression::parse(text);
    return expression ? resolve(*expression) : std::vector<Leaf>{{text, nullptr}};
}

/// "meta-llama/Llama-3-8B (finetune)"
std::string name_of(const Ancestor& ancestor) {
    return ancestor.repo + " (" + ancestor.relation + ")";
}

std::vector<Place> places_of(const ModelManifest& model) {
    std::vector<Place> places = {{model.id.render(),
                                  model.source.repo,
                                  model.source.repo + "@" + model.source.revision,
                                  "",
                                  resolve(model.license.id),
                                  model.license.terms.gated,
                                  model.license.url,
                                  model.license.text_sha256}};
    for (const auto& ancestor : model.lineage) {
        places.push_back({name_of(ancestor),
                          ancestor.repo,
                          ancestor.repo + "@" + ancestor.revision,
                          ancestor.relation,
                          resolve(ancestor.license),
                          ancestor.gated,
                          ancestor.license_url,
                          ancestor.license_text_sha256});
    }
    return places;
}

void take_stricter(EffectiveFact& fact, FactKind kind, EffectiveFact other) {
    if (fact.from.empty() || strictness(kind, other.answer) > strictness(kind, fact.answer)) {
        fact = std::move(other);
    }
}

std::string words_of(FactKind kind) {
    switch (kind) {
    case FactKind::CommercialUse:
        return "commercial use";
    case FactKind::Redistribution:
        return "passing on";
    case FactKind::UseRestrictions:
        return "field limits";
    case FactKind::Derivatives:
    case FactKind::Attribution:
    case FactKind::ShareAlike:
    case FactKind::Gated:
        break;
    }
    return std::string(render(kind));
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
    }
    return out;
}

void add_once(std::vector<std::string>& texts, const std::string& text) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
        texts.push_back(text);
    }
}

/// The licenses of one place: their ids, and their facts where they are stricter.
void add_leaves(EffectiveLicense& out, const Place& place) {
    for (const auto& leaf : place.leaves) {
        add_once(out.licenses, leaf.id);
        for (std::size_t i = 0; i < kTextFacts; ++i) {
            take_stricter(out.facts[i], kFactKinds[i], leaf.fact(kFactKinds[i], place.from));
        }
    }
}

/// A base that allows nothing to be made of it lets nobody pass on what is.
void forbid_to_pass_on(EffectiveLicense& out, const Place& base) {
    for (const auto& leaf : base.leaves) {
        if (leaf.answer(FactKind::Derivatives) == Answer::No) {
            take_stricter(out.facts[static_cast<std::size_t>(FactKind::Redistribution)],
                          FactKind::Redistribution,
                          leaf.fact(FactKind::Derivatives, base.from));
        }
    }
}

/// What the manifest declares, of its own license where that is stricter than the text, and of the
/// repositories.
void take_declared(EffectiveLicense& out, const ModelManifest& model) {
    const auto& terms = model.license.terms;
    const auto take = [&](FactKind kind, Answer answer) {
        take_stricter(out.facts[static_cast<std::size_t>(kind)],
                      kind,
                      {answer, model.license.id, "as its manifest declares", model.id.render()});
    };
    if (!terms.commercial) {
        take(FactKind::CommercialUse, Answer::No);
    }
    if (!terms.redistribution) {
        take(FactKind::Redistribution, Answer::No);
    }
    if (terms.attribution) {
        take(FactKind::Attribution, Answer::Yes);
    }
    if (!terms.use_restrictions.empty()) {
        take(FactKind::UseRestrictions, Answer::Yes);
    }
    take(FactKind::Gated, terms.gated ? Answer::Yes : Answer::No);
    for (const auto& ancestor : model.lineage) {
        if (ancestor.gated) {
            take_stricter(
                out.facts[static_cast<std::size_t>(FactKind::Gated)],
                FactKind::Gated,
                {Answer::Yes, ancestor.license, "as the lineage declares", name_of(ancestor)});
        }
    }
    out.use_restrictions = terms.use_restrictions;
}

/// The manifest's own terms against the text of its own license.
void find_declared_conflicts(EffectiveLicense& out, const ModelManifest& model, const Place& own) {
    const auto& terms = model.license.terms;
    const auto any = [&](FactKind kind, Answer answer) {
        return std::any_of(own.leaves.begin(), own.leaves.end(), [&](const auto& leaf) {
            return leaf.license != nullptr && leaf.answer(kind) == answer;
        });
    };
    const auto tell = [&](const char* member, const std::string& text) {
        out.conflicts.push_back(std::string("license.terms.") + member + ": " + text);
    };
    if (terms.commercial && any(FactKind::CommercialUse, Answer::No)) {
        tell("commercial", "says yes, but " + model.license.id + " does not allow commercial use");
    }
    if (terms.redistribution && any(FactKind::Redistribution, Answer::No)) {
        tell("redistribution", "says yes, but " + model.license.id + " does not allow it");
    }
    if (!terms.attribution && any(FactKind::Attribution, Answer::Yes)) {
        tell("attribution", "says no, but " + model.license.id + " asks for it");
    }
    if (terms.use_restrictions.empty() && any(FactKind::UseRestrictions, Answer::Yes)) {
        tell("use_restrictions",
             "is empty, but " + model.license.id + " forbids some uses; list them");
    }
}

std::string names_of(const std::vector<Leaf>& leaves) {
    std::vector<std::string> names;
    for (const auto& leaf : leaves) {
        names.push_back(leaf.id);
    }
    return join(names);
}

Answer strictest(const std::vector<Leaf>& leaves, FactKind kind) {
    Answer out = leaves.front().answer(kind);
    for (const auto& leaf : leaves) {
        if (strictness(kind, leaf.answer(kind)) > strictness(kind, out)) {
            out = leaf.answer(kind);
        }
    }
    return out;
}

/// Facts of a text in which another is stricter.
struct Stricter {
    std::vector<std::string> known;   ///< In words: "no commercial use", "attribution".
    std::vector<std::string> unknown; ///< Of which nothing is known.
};

template <class AnswerOf> Stricter find_stricter(const std::vector<Leaf>& own, AnswerOf theirs) {
    Stricter out;
    for (std::size_t i = 0; i < kTextFacts; ++i) {
        const auto kind = kFactKinds[i];
        const Answer answer = theirs(kind);
        if (strictness(kind, answer) <= strictness(kind, strictest(own, kind))) {
            continue;
        }
        const bool permission = kind == FactKind::CommercialUse ||
                                kind == FactKind::Redistribution || kind == FactKind::Derivatives;
        if (answer == Answer::Unknown) {
            out.unknown.push_back(words_of(kind));
        } else {
            out.known.push_back((permission ? "no " : "") + words_of(kind));
        }
    }
    return out;
}

/// "card says MIT, its base is llama3: attribution and field limits remain". `says`: "the card
/// says ", or who else does.
void find_promise_conflict(EffectiveLicense& out,
                           const std::string& says,
                           const Place& own,
                           const Place& base) {
    const auto stricter =
        find_stricter(own.leaves, [&](FactKind kind) { return strictest(base.leaves, kind); });
    const std::string start = says + names_of(own.leaves) + ", but ";
    if (!stricter.known.empty()) {
        out.conflicts.push_back(start + base.from + " is under " + names_of(base.leaves) +
                                ", of which this stays in force: " + join(stricter.known));
    }
    if (!stricter.unknown.empty()) {
        out.conflicts.push_back(start + "of the license of " + base.from + " (" +
                                names_of(base.leaves) + ") nothing is known as to " +
                                join(stricter.unknown) + ": taken as restricted");
    }
}

/// Whether `other` may not be put on what is made from something under the share-alike `leaf`.
bool clashes(const Leaf& leaf, const Leaf& other) {
    if (leaf.license == other.license || other.license == nullptr) {
        return false;
    }
    for (const auto kind :
         {FactKind::CommercialUse, FactKind::Derivatives, FactKind::UseRestrictions}) {
        if (strictness(kind, other.answer(kind)) == 2 && strictness(kind, leaf.answer(kind)) < 2) {
            return true;
        }
    }
    return other.answer(FactKind::ShareAlike) == Answer::Yes;
}

void find_share_alike_conflicts(EffectiveLicense& out, const std::vector<Place>& places) {
    for (std::size_t i = 0; i < places.size(); ++i) {
        for (const auto& leaf : places[i].leaves) {
            if (leaf.answer(FactKind::ShareAlike) != Answer::Yes) {
                continue;
            }
            for (std::size_t k = 0; k < places.size(); ++k) {
                for (const auto& other : places[k].leaves) {
                    // Two share-alikes that exclude each other are told once.
                    const bool told = k < i && other.answer(FactKind::ShareAlike) == Answer::Yes;
                    if (!told && clashes(leaf, other)) {
                        out.conflicts.push_back(
                            leaf.id + " of " + places[i].from +
                            " wants what is made from it under the same license, but " + other.id +
                            " of " + places[k].from +
                            " sets other terms: both cannot be followed when it is passed on");
                    }
                }
            }
        }
    }
}

void find_conflicts(EffectiveLicense& out,
                    const ModelManifest& model,
                    const std::vector<Place>& places) {
    const auto& own = places.front();
    for (const auto& place : places) {
        for (const auto& leaf : place.leaves) {
            if (leaf.names_no_text()) {
                out.conflicts.push_back("nothing is known of the license \"" + leaf.id + "\" of " +
                                        place.from + ": it is taken as the strictest");
            }
        }
    }
    find_declared_conflicts(out, model, own);
    const bool replaced = !model.license.instead_of.empty();
    if (replaced) {
        out.conflicts.push_back("the card of " + model.source.repo + " says " +
                                model.license.instead_of + "; the manifest says " +
                                model.license.id + " instead");
    }
    const WeightsSay& weights = model.license.weights_say;
    if (!weights.license.empty()) {
        out.conflicts.push_back("the weights of " + model.source.repo + " say " + weights.license +
                                "; the manifest says " + model.license.id + " instead");
    }
    for (const auto& base : weights.made_from) {
        out.conflicts.push_back("the weights of " + model.source.repo +
                                " say that it was made from " + base +
                                "; the manifest does not, and nothing is known of the license of "
                                "that");
    }
    const std::string says = replaced ? "the manifest says " : "the card says ";
    for (auto base = places.begin() + 1; base != places.end(); ++base) {
        find_promise_conflict(out, says, own, *base);
        if (base->gated && !own.gated) {
            out.conflicts.push_back(base->from +
                                    " asks for an account and consent before it hands its files "
                                    "out; " +
                                    own.from + ", made from it, does not");
        }
        for (const auto& leaf : base->leaves) {
            if (leaf.answer(FactKind::Derivatives) == Answer::No) {
                out.conflicts.push_back(leaf.id + " of " + base->from +
                                        " lets nobody pass on what is made from it; this model is");
            }
        }
    }
    find_share_alike_conflicts(out, places);
}

void add_terms_to_accept(EffectiveLicense& out,
                         const ModelManifest& model,
                         const std::vector<Place>& places) {
    for (std::size_t i = 0; i < places.size(); ++i) {
        const bool own = i == 0;
        const auto& declared = model.license.terms;
        for (const auto& leaf : places[i].leaves) {
            if (!leaf.needs_consent() && !places[i].gated && !(own && declared.needs_consent())) {
                continue;
            }
            LicenseTermsToAccept one;
            one.id = leaf.id;
            one.url = places[i].url;
            if (one.url.empty() && leaf.license != nullptr) {
                one.url = leaf.license->url;
            }
            one.text_sha256 = places[i].text_sha256;
            if (leaf.names_no_text() && one.text_sha256.empty()) {
                one.whose = places[i].version;
            }
            for (const auto kind : kFactKinds) {
                EffectiveFact fact;
                if (kind != FactKind::Gated) {
                    fact = leaf.fact(kind);
                }
                if (own && kind == FactKind::CommercialUse && !declared.commercial) {
                    fact.answer = Answer::No;
                }
                if (own && kind == FactKind::UseRestrictions &&
                    !declared.use_restrictions.empty()) {
                    fact.answer = Answer::Yes;
                }
                if (kind == FactKind::Gated) {
                    fact.answer = places[i].gated ? Answer::Yes : Answer::No;
                    // Not the text says so, but a repository: another one, another question.
                    fact.from = own ? "" : places[i].repo;
                }
                if (strictness(kind, fact.answer) > 0) {
                    one.terms.push_back(describe(kind, fact));
                }
            }
            if (own) {
                for (const auto& limit : declared.use_restrictions) {
                    one.terms.push_back("forbidden: " + limit);
                }
            }
            const auto same =
                std::find_if(out.to_accept.begin(), out.to_accept.end(), [&](const auto& other) {
                    return other.id == one.id && other.terms == one.terms && other.url == one.url &&
                           other.text_sha256 == one.text_sha256 && other.whose == one.whose;
                });
            if (same == out.to_accept.end()) {
                one.from = {places[i].from};
                out.to_accept.push_back(std::move(one));
            } else {
                same->from.push_back(places[i].from);
            }
        }
    }
}

/// The same of an app's own license, whose text is in its bundle.
void add_app_terms(EffectiveLicense& out, const Place& own) {
    for (const auto& leaf : own.leaves) {
        if (!leaf.needs_consent()) {
            continue;
        }
        LicenseTermsToAccept one;
        one.id = leaf.id;
        one.url = leaf.license == nullptr ? "" : std::string(leaf.license->url);
        one.whose = leaf.names_no_text() ? own.version : "";
        one.from = {own.from};
        for (std::size_t i = 0; i < kTextFacts; ++i) {
            const auto kind = kFactKinds[i];
            if (strictness(kind, leaf.answer(kind)) > 0) {
                one.terms.push_back(describe(kind, leaf.fact(kind)));
            }
        }
        out.to_accept.push_back(std::move(one));
    }
}

} // namespace

crypto::Sha256Digest LicenseTermsToAccept::digest() const {
    Json json = {{"id", id}, {"url", url}, {"text_sha256", text_sha256}, {"terms", terms}};
    if (!whose.empty()) {
        json["whose"] = whose;
    }
    return crypto::sha256(as_bytes(render_json(json)));
}

bool EffectiveLicense::has_unknown() const {
    return std::any_of(
        facts.begin(), facts.end(), [](const auto& one) { return one.answer == Answer::Unknown; });
}

EffectiveLicense effective_license(const ModelManifest& model) {
    const auto places = places_of(model);
    EffectiveLicense out;
    for (const auto& place : places) {
        add_leaves(out, place);
    }
    for (auto base = places.begin() + 1; base != places.end(); ++base) {
        forbid_to_pass_on(out, *base);
    }
    take_declared(out, model);
    find_conflicts(out, model, places);
    add_terms_to_accept(out, model, places);
    return out;
}

EffectiveLicense effective_license(const AppManifest& app,
                                   const std::vector<AppModelLicense>& models) {
    EffectiveLicense out;
    const Place own{app.id.render(),
                    "",
                    app.id.render() + "@" + app.version.render(),
                    "",
                    resolve(app.license)};
    add_leaves(out, own);
    if (!app.commercial) {
        take_stricter(out.facts[static_cast<std::size_t>(FactKind::CommercialUse)],
                      FactKind::CommercialUse,
                      {Answer::No, app.license, "as its manifest declares", own.from});
    }
    take_stricter(out.facts[static_cast<std::size_t>(FactKind::Gated)],
                  FactKind::Gated,
                  {Answer::No, app.license, "", own.from});
    add_app_terms(out, own);
    for (const auto& model : models) {
        for (const auto kind : kFactKinds) {
            take_stricter(
                out.facts[static_cast<std::size_t>(kind)], kind, model.license.fact(kind));
        }
        for (const auto& id : model.license.licenses) {
            add_once(out.licenses, id);
        }
        for (const auto& words : model.license.use_restrictions) {
            add_once(out.use_restrictions, words);
        }
        for (const auto& terms : model.license.to_accept) {
            if (std::none_of(out.to_accept.begin(), out.to_accept.end(), [&](const auto& one) {
                    return one.digest() == terms.digest();
                })) {
                out.to_accept.push_back(terms);
            }
        }
        const auto stricter = find_stricter(
            own.leaves, [&](FactKind kind) { return model.license.fact(kind).answer; });
        const std::string start = "the app says " + names_of(own.leaves) + ", but with its model " +
                                  model.model.render() + " (" + model.role + ") ";
        if (!stricter.known.empty()) {
            out.conflicts.push_back(start + "this is in force: " + join(stricter.known));
        }
        if (!stricter.unknown.empty()) {
            out.conflicts.push_back(start + "nothing is known as to " + join(stricter.unknown) +
                                    ": taken as restricted");
        }
    }
    return out;
}

std::string describe(FactKind kind, const EffectiveFact& fact) {
    std::string out = words_of(kind) + " " + std::string(render(fact.answer));
    std::string source = fact.license;
    for (const auto& [text, separator] :
         {std::pair(fact.clause, ", "), std::pair(fact.from, "; ")}) {
        if (!text.empty()) {
            source += (source.empty() ? "" : separator) + text;
        }
    }
    return out + (source.empty() ? "" : " (" + source + ")");
}

std::string describe(const EffectiveLicense& license) {
    std::string out;
    for (const auto kind : kFactKinds) {
        const auto answer = license.fact(kind).answer;
        if (kind == FactKind::Gated) {
            out += answer == Answer::Yes ? ", gated at its source" : "";
            continue;
        }
        out += (out.empty() ? "" : ", ") + words_of(kind) + " ";
        if (kind != FactKind::UseRestrictions || answer == Answer::Unknown) {
            out += render(answer);
        } else if (answer == Answer::No) {
            out += "none";
        } else if (license.use_restrictions.empty()) {
            out += "as " + license.fact(kind).license + " says";
        }
        if (kind == FactKind::UseRestrictions) {
            for (std::size_t i = 0; i < license.use_restrictions.size(); ++i) {
                out += (i == 0 ? "" : "; ") + license.use_restrictions[i];
            }
        }
    }
    return out;
}

std::string describe(const Ancestor& ancestor) {
    return name_of(ancestor) + ", " +
           (ancestor.license.empty() ? "no license stated" : ancestor.license);
}

std::vector<std::string> check_app_license(const AppManifest& app,
                                           const std::vector<AppModelLicense>& models) {
    std::vector<std::string> out;
    if (!app.commercial) {
        return out;
    }
    const auto tell = [&](const std::string& why) {
        out.push_back("terms.commercial: must be there and false: " + why);
    };
    const auto own = resolve(app.license);
    const Answer answer = strictest(own, FactKind::CommercialUse);
    if (strictness(FactKind::CommercialUse, answer) > 0) {
        tell("the app's own license " + app.license +
             (answer == Answer::No ? " forbids commercial use"
                                   : " is not known to allow commercial use"));
    }
    for (const auto& model : models) {
        if (model.license.restricts(FactKind::CommercialUse)) {
            tell("role " + model.role + ", model " + model.model.render() + ": " +
                 describe(FactKind::CommercialUse, model.license.fact(FactKind::CommercialUse)));
        }
    }
    return out;
}

} // namespace locara::manifest
