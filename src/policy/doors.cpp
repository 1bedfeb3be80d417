#include <locara/policy/doors.hpp>

namespace locara::policy {
namespace {

constexpr std::array<std::string_view, kDoors> kDoorNames = {"upload",
                                                             "serve",
                                                             "mirror",
                                                             "serve-mirrored",
                                                             "seed",
                                                             "review",
                                                             "catalog",
                                                             "install",
                                                             "adopt",
                                                             "app",
                                                             "load"};
constexpr std::array<std::string_view, kClasses> kClassNames = {"passed",
                                                                "flagged",
                                                                "wrong-format",
                                                                "refused",
                                                                "unjudged",
                                                                "unseen",
                                                                "warned",
                                                                "block-install",
                                                                "block-run"};
constexpr std::array<std::string_view, 8> kAnswerNames = {
    "admit", "warn", "curator", "operator", "skip", "later", "refuse", "-"};

bool lets_in(Answer answer) {
    return answer == Answer::Admit || answer == Answer::Warn || answer == Answer::Curator;
}

} // namespace

std::string_view render(Door door) {
    return kDoorNames[static_cast<std::size_t>(door)];
}

std::string_view render(Class what) {
    return kClassNames[static_cast<std::size_t>(what)];
}

std::string_view render(Answer answer) {
    return kAnswerNames[static_cast<std::size_t>(answer)];
}

Class class_of(const formats::Verdict& verdict) {
    switch (verdict.decision) {
    case formats::Decision::Allow:
        return Class::Passed;
    case formats::Decision::Flag:
        return Class::Flagged;
    case formats::Decision::Refuse:
        break;
    }
    return verdict.label == formats::Label::WrongFormat  ? Class::WrongFormat
           : verdict.label == formats::Label::Unreadable ? Class::Unjudged
                                                         : Class::Refused;
}

Class class_of(const catalog::TakedownEntry& entry) {
    switch (entry.action) {
    case catalog::TakedownAction::Warn:
        return Class::Warned;
    case catalog::TakedownAction::BlockInstall:
        return Class::BlockInstall;
    case catalog::TakedownAction::BlockRun:
        break;
    }
    return Class::BlockRun;
}

Answer answer(Door door, const formats::Verdict& verdict) {
    return answer(door, class_of(verdict));
}

Answer answer(Door door, const std::optional<catalog::TakedownEntry>& taken) {
    return taken ? answer(door, class_of(*taken)) : Answer::Admit;
}

Status check(Door door, std::string_view what, const formats::Verdict& verdict) {
    const Answer said = answer(door, verdict);
    if (lets_in(said)) {
        return {};
    }
    const std::string why = verdict.reason + " (" + verdict.rule + ")";
    if (said == Answer::Later) {
        return Error(ErrorCode::Unavailable, std::string(what) + " could not be judged: " + why);
    }
    return Error(ErrorCode::Refused, std::string(what) + " is refused: " + why);
}

Status check(Door door, std::string_view what, const std::optional<catalog::TakedownEntry>& taken) {
    if (lets_in(answer(door, taken))) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 std::string(what) + " was called back on " + taken->date + ": " + taken->reason);
}

} // namespace locara::policy
