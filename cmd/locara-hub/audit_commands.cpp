#include "audit_commands.hpp"

#include <locara/hub/audit.hpp>

#include <cstdio>

using namespace locara;

namespace {

std::string text_of(const Json& line, const char* member) {
    const auto found = line.find(member);
    return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The members of a line that are its event's own, as `name=value`. JSON, so that nothing in a
/// value reaches the terminal as it is.
std::string render_fields(const Json& line) {
    std::string text;
    for (const auto& [name, value] : line.items()) {
        if (name != "seq" && name != "time" && name != "event" && name != "by" && name != "prev" &&
            name != "hash") {
            text += "  " + name + "=" + value.dump(-1, ' ', true);
        }
    }
    return text;
}

/// docs/formats/hub-audit.md says what each is.
constexpr std::string_view kEvents[] = {
    "access-asked",
    "access-cancelled",
    "access-decided",
    "collection-changed",
    "collection-created",
    "collection-item-added",
    "collection-item-changed",
    "collection-item-removed",
    "collection-removed",
    "comment-hidden",
    "files-deleted",
    "history-rewritten",
    "history-squashed",
    "keys-changed",
    "member-added",
    "member-removed",
    "member-role",
    "mirrored-removed",
    "model-added",
    "model-removed",
    "model-signed",
    "org-changed",
    "org-created",
    "org-removed",
    "program-added",
    "program-removed",
    "pushed",
    "quota-set",
    "ref-created",
    "ref-moved",
    "ref-removed",
    "repo-created",
    "repo-moved",
    "repo-removed",
    "repo-settings",
    "reviewed",
    "session-begun",
    "signed-in",
    "takedown",
    "token-created",
    "token-revoked",
    "user-added",
    "user-changed",
    "user-removed",
};

/// An event that never is would look like one that has not been yet.
Status require_event(const std::string& asked) {
    std::string known;
    for (const std::string_view event : kEvents) {
        if (event == asked) {
            return {};
        }
        known += (known.empty() ? "" : ", ") + std::string(event);
    }
    return Error(ErrorCode::InvalidArgument,
                 "--event: there is no event '" + asked + "'; there are " + known);
}

} // namespace

AuditCommands::AuditCommands(CLI::App& app)
    : group_(app.add_subcommand("audit", "the record of who did what on this hub")),
      list_(group_->add_subcommand("list", "every line, the oldest first; verifies on the way")),
      verify_(group_->add_subcommand("verify", "that nothing was changed, put in or taken out")) {
    group_->require_subcommand(1);
    for (CLI::App* const verb : {list_, verify_}) {
        verb->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    }
    list_->add_flag("--json", json_, "lines as they are kept: a JSON object each");
    list_->add_option("--event", event_, "only this event, such as repo-removed");
    list_->add_option("--by", by_, "only what this user did");
    verify_->add_flag("--json", json_, "the result as one JSON object");
}

Status AuditCommands::run() const {
    return list_->parsed() ? list() : verify();
}

Status AuditCommands::list() const {
    LOCARA_CHECK(event_.empty() ? Status() : require_event(event_));
    LOCARA_TRY(const auto audit, hub::Audit::open(data_, system_clock()));
    const auto show = [this](const Json& line) -> Status {
        if ((!event_.empty() && text_of(line, "event") != event_) ||
            (!by_.empty() && text_of(line, "by") != by_)) {
            return {};
        }
        if (json_) {
            std::printf("%s\n", render_json(line).c_str());
            return {};
        }
        std::printf("%s  %s  by=%s%s\n",
                    text_of(line, "time").c_str(),
                    text_of(line, "event").c_str(),
                    line.contains("by") ? line["by"].dump(-1, ' ', true).c_str() : "\"\"",
                    render_fields(line).c_str());
        return {};
    };
    LOCARA_CHECK(audit.verify(show));
    return {};
}

Status AuditCommands::verify() const {
    LOCARA_TRY(const auto audit, hub::Audit::open(data_, system_clock()));
    LOCARA_TRY(const auto report, audit.verify());
    if (json_) {
        const Json words = {{"schema", "locara-hub.audit-verify/1"},
                            {"records", report.records},
                            {"head", report.head}};
        std::printf("%s\n", words.dump().c_str());
        return {};
    }
    std::printf("%llu lines hang together; the last one has the hash\n%s\n",
                static_cast<unsigned long long>(report.records),
                report.head.c_str());
    return {};
}

Status record(const std::string& data, std::string_view event, Json fields) {
    LOCARA_TRY(auto audit, hub::Audit::open(data, system_clock()));
    fields["by"] = hub::operator_name();
    return audit.append(event, fields).context("it is done, but not in the audit log");
}
