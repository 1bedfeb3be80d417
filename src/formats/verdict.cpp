#include <locara/formats/verdict.hpp>

#include <tuple>

namespace locara::formats {

Error to_error(const Finding& finding) {
    std::string message = finding.reason;
    if (finding.offset) {
        message += " (at byte " + std::to_string(*finding.offset) + ")";
    }
    if (finding.rule == kRuleRead) {
        return Error(ErrorCode::Io, std::move(message));
    }
    return Error(ErrorCode::Corrupt, message + " [" + finding.rule + "]");
}

Verdict make_verdict(std::string format, Finding finding) {
    Verdict verdict;
    if (const Rule* rule = find_rule(finding.rule)) {
        verdict.decision = rule->decision;
        verdict.label = rule->label;
    }
    verdict.format = std::move(format);
    verdict.rule = std::move(finding.rule);
    verdict.reason = std::move(finding.reason);
    verdict.offset = finding.offset;
    return verdict;
}

bool is_worse(const Verdict& a, const Verdict& b) {
    const auto rank = [](const Verdict& v) {
        return std::tuple(v.decision, v.label, v.format == "pickle" || v.format == "torchscript");
    };
    return rank(a) > rank(b);
}

} // namespace locara::formats
