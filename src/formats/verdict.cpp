#include <locara/formats/verdict.hpp>

namespace locara::formats {

std::string_view render(Decision decision) {
    switch (decision) {
    case Decision::Allow:
        return "allow";
    case Decision::Flag:
        return "flag";
    case Decision::Refuse:
        return "refuse";
    }
    return "refuse";
}

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

} // namespace locara::formats
