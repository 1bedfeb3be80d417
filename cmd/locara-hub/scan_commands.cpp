#include "scan_commands.hpp"

#include <locara/base/json.hpp>
#include <locara/formats/verdict_json.hpp>
#include <locara/hub/verdicts.hpp>

#include <algorithm>
#include <cstdio>

using namespace locara;

namespace {

Json render(const hub::FileVerdict& file) {
    Json json = {
        {"path", file.path}, {"size", file.size}, {"content", file.content}, {"scan", nullptr}};
    if (file.found) {
        json["scan"] = formats::render_verdict(file.found->verdict);
        json["scan"]["scanners"] = file.found->scanners;
        json["scan"]["judged"] = render_time(file.found->made);
    }
    return json;
}

void print(const hub::FileVerdict& file) {
    if (!file.found) {
        std::printf("%-9s %s\n", "unscanned", file.path.c_str());
        return;
    }
    const formats::Verdict& verdict = file.found->verdict;
    std::printf(
        "%-9s %s\n", std::string(formats::render(verdict.decision)).c_str(), file.path.c_str());
    if (verdict.decision == formats::Decision::Allow) {
        return;
    }
    std::string where;
    if (verdict.offset) {
        where += ", at byte " + std::to_string(*verdict.offset);
    }
    if (!verdict.member.empty()) {
        where += " of " + verdict.member;
    }
    std::printf("          %s: %s\n          rule %s%s; %s %s, %s\n",
                std::string(formats::render(verdict.label)).c_str(),
                verdict.reason.c_str(),
                verdict.rule.c_str(),
                where.c_str(),
                verdict.scanner.c_str(),
                verdict.scanner_version.c_str(),
                render_time(file.found->made).c_str());
}

} // namespace

ScanCommands::ScanCommands(CLI::App& app)
    : group_(app.add_subcommand("scan", "what the gate said of the files here")),
      show_(group_->add_subcommand("show", "each file of a revision with its verdict")) {
    group_->require_subcommand(1);
    show_->add_option("REPO", repo_, "namespace/name, datasets/namespace/name ..., with @REVISION")
        ->required();
    show_->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    show_->add_flag("--issues", issues_, "only what is flagged, refused or not judged yet");
    show_->add_flag("--json", json_, "the result as one JSON object");
}

Status ScanCommands::run() const {
    const std::size_t at = repo_.find('@');
    const std::string revision = at == std::string::npos ? "main" : repo_.substr(at + 1);
    LOCARA_TRY(auto found, hub::list_verdicts(data_, repo_.substr(0, at), revision));
    if (issues_) {
        std::erase_if(found.files, [](const hub::FileVerdict& file) {
            return file.found && file.found->verdict.decision == formats::Decision::Allow;
        });
    }
    if (json_) {
        Json files = Json::array();
        for (const hub::FileVerdict& file : found.files) {
            files.push_back(render(file));
        }
        const Json words = {{"schema", "locara-hub.scan/1"},
                            {"repository", found.repo},
                            {"commit", found.commit.empty() ? Json() : Json(found.commit)},
                            {"files", std::move(files)}};
        std::printf("%s\n", render_json(words).c_str());
        return {};
    }
    for (const hub::FileVerdict& file : found.files) {
        print(file);
    }
    return {};
}
