// locara scan: the gate on files of your own.
#include "context.hpp"

#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>

#include <filesystem>

namespace locara::cli {

Result<int> run_scan(Context& context, const std::vector<std::string>& paths) {
    const std::vector<std::filesystem::path> list(paths.begin(), paths.end());
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(const auto items, formats::scan_paths(list, gate::shared_gate().as_judge()));
    bool refused = false;
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : items) {
        const auto& verdict = item.verdict;
        refused = refused || policy::answer(policy::Door::Upload, verdict) != policy::Answer::Admit;
        rows.push_back({std::string(formats::render(verdict.decision)),
                        std::string(formats::render(verdict.label)),
                        verdict.format,
                        item.path,
                        verdict.reason});
    }
    if (context.flags.json) {
        context.print_json(formats::render_scan_report(items));
    } else {
        const auto style = context.out_style();
        context.print(render_table(rows, [&style](const std::string& verdict) {
            using formats::Decision;
            return style.paint(verdict == formats::render(Decision::Allow)  ? Tone::Good
                               : verdict == formats::render(Decision::Flag) ? Tone::Notice
                                                                            : Tone::Bad,
                               verdict);
        }));
    }
    return refused ? kRefused : kDone;
}

} // namespace locara::cli
