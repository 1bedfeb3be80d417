// locara scan: the gate on files of your own.
#include "context.hpp"

#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace locara::cli {

namespace {

/// Where what decided is, by which rule and whose word: what one needs to look for oneself.
std::string describe_evidence(const formats::Verdict& verdict) {
    std::string out = "          rule " + verdict.rule;
    if (verdict.offset) {
        out += ", at byte " + std::to_string(*verdict.offset);
    }
    if (!verdict.member.empty()) {
        out += (verdict.offset ? " of " : ", in ") + clean(verdict.member);
    }
    return out + "; " + verdict.scanner + " " + verdict.scanner_version;
}

/// The table, with the evidence below each line that is not simply allowed.
std::string render_findings(const std::vector<formats::ScanItem>& items, const Style& style) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : items) {
        const auto& verdict = item.verdict;
        rows.push_back({std::string(formats::render(verdict.decision)),
                        std::string(formats::render(verdict.label)),
                        verdict.format,
                        item.path,
                        verdict.reason});
    }
    const std::string table = render_table(rows, [&style](const std::string& verdict) {
        using formats::Decision;
        return style.paint(verdict == formats::render(Decision::Allow)  ? Tone::Good
                           : verdict == formats::render(Decision::Flag) ? Tone::Notice
                                                                        : Tone::Bad,
                           verdict);
    });
    std::string out;
    std::size_t at = 0;
    for (const auto& item : items) {
        const std::size_t end = std::min(table.find('\n', at), table.size());
        out += (out.empty() ? "" : "\n") + table.substr(at, end - at);
        at = std::min(end + 1, table.size());
        if (item.verdict.decision != formats::Decision::Allow) {
            out += "\n" + describe_evidence(item.verdict);
        }
    }
    return out;
}

} // namespace

Result<int> run_scan(Context& context, const std::vector<std::string>& paths) {
    LOCARA_CHECK(context.prepare_gate());
    std::vector<formats::ScanItem> items;
    Json errors = Json::array();
    int exit = kDone;
    for (const std::string& path : paths) {
        const std::vector<std::filesystem::path> one = {path};
        auto found = formats::scan_paths(one, gate::shared_gate().as_judge());
        if (found) {
            std::move(found->begin(), found->end(), std::back_inserter(items));
            continue;
        }
        if (paths.size() == 1 || found.error().code() == ErrorCode::Cancelled) {
            return std::move(found).error();
        }
        const int told = context.tell(found.error());
        exit = exit == kDone ? told : exit;
        errors.push_back({{"path", path}, {"error", error_json(found.error(), told)}});
    }
    for (const auto& item : items) {
        if (policy::answer(policy::Door::Upload, item.verdict) != policy::Answer::Admit) {
            exit = kRefused; // worse than a file that is not there
        }
    }
    if (context.flags.json) {
        Json report = formats::render_scan_report(items);
        report["errors"] = std::move(errors);
        context.print_json(report);
    } else if (!items.empty()) {
        context.print(render_findings(items, context.out_style()));
    }
    return exit;
}

} // namespace locara::cli
