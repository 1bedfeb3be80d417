#include <locara/base/ascii.hpp>
#include <locara/manifest/license.hpp>

#include <algorithm>

namespace locara::manifest {

namespace {

bool has_word(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        const auto end = std::min(words.find(' '), words.size());
        if (equals_ignoring_case(words.substr(0, end), word)) {
            return true;
        }
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

} // namespace

std::string_view render(FactKind kind) {
    switch (kind) {
    case FactKind::CommercialUse:
        return "commercial-use";
    case FactKind::Redistribution:
        return "redistribution";
    case FactKind::Derivatives:
        return "derivatives";
    case FactKind::Attribution:
        return "attribution";
    case FactKind::ShareAlike:
        return "share-alike";
    case FactKind::UseRestrictions:
        return "use-restrictions";
    case FactKind::Gated:
        return "gated";
    }
    return "";
}

std::string_view render(Answer answer) {
    switch (answer) {
    case Answer::No:
        return "no";
    case Answer::Yes:
        return "yes";
    case Answer::Unknown:
        return "unknown";
    }
    return "";
}

int strictness(FactKind kind, Answer answer) {
    if (answer == Answer::Unknown) {
        return 1;
    }
    const bool permission = kind == FactKind::CommercialUse || kind == FactKind::Redistribution ||
                            kind == FactKind::Derivatives;
    return (answer == Answer::No) == permission ? 2 : 0;
}

bool License::is_unknown() const {
    return std::all_of(facts.begin(), facts.end(), [](const auto& fact) {
        return fact.answer == Answer::Unknown;
    });
}

const License* find_license(std::string_view id) {
    const auto all = licenses();
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) {
        return equals_ignoring_case(one.id, id) || has_word(one.aliases, id);
    });
    return at == all.end() ? nullptr : &*at;
}

std::string render_license_table() {
    std::string out = "| License | Other ids |";
    std::string rule = "|--|--|";
    for (std::size_t i = 0; i < kTextFacts; ++i) {
        out += " " + std::string(render(kFactKinds[i])) + " |";
        rule += "--|";
    }
    out += "\n" + rule + "\n";
    for (const auto& license : licenses()) {
        std::string aliases;
        for (const char c : license.aliases) {
            aliases += c == ' ' ? std::string("`, `") : std::string(1, c);
        }
        out += "| [" + std::string(license.name) + "](" + std::string(license.url) + ") `" +
               std::string(license.id) + "` | " + (aliases.empty() ? "" : "`" + aliases + "`") +
               " |";
        for (const auto& fact : license.facts) {
            out += " " + std::string(render(fact.answer)) +
                   (fact.clause.empty() ? "" : ": " + std::string(fact.clause)) + " |";
        }
        out += "\n";
    }
    return out;
}

} // namespace locara::manifest
