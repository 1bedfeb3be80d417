#include "file_security.hpp"

#include <locara/formats/verdict_json.hpp>

namespace locara::hub {
namespace {

/// Of an antivirus; null if none was among the scanners.
Json render_antivirus(const Judgement& found) {
    const bool hit = found.verdict.rule == "antivirus.hit";
    if (!hit && found.scanners.find("; ClamAV ") == std::string::npos) {
        return nullptr;
    }
    return {{"virusFound", hit},
            {"virusNames", nullptr}, // The reason in `locaraScan` has it.
            {"status", hit ? "unsafe" : "safe"}};
}

/// Of a pickle, whose imports decided.
Json render_imports(const formats::Verdict& verdict) {
    if (verdict.imports.empty()) {
        return nullptr;
    }
    Json imports = Json::array();
    bool dangerous = false;
    for (const formats::PickleImport& one : verdict.imports) {
        dangerous = dangerous || !one.listed;
        imports.push_back({{"module", one.module},
                           {"name", one.name},
                           {"safety", one.listed ? "innocuous" : "dangerous"}});
    }
    return {{"highestSafetyLevel", dangerous ? "dangerous" : "innocuous"},
            {"imports", std::move(imports)}};
}

} // namespace

std::string_view security_level(const std::optional<Judgement>& found) {
    if (!found) {
        return "unscanned";
    }
    switch (found->verdict.decision) {
    case formats::Decision::Allow:
        return "safe";
    case formats::Decision::Flag:
        return "suspicious";
    case formats::Decision::Refuse:
        return "unsafe";
    }
    return "unsafe";
}

Json render_file_security(const std::optional<Judgement>& found) {
    Json json = {{"status", security_level(found)},
                 {"avScan", nullptr},
                 {"pickleImportScan", nullptr},
                 {"locaraScan", nullptr}};
    if (found) {
        json["avScan"] = render_antivirus(*found);
        json["pickleImportScan"] = render_imports(found->verdict);
        Json all = formats::render_verdict(found->verdict);
        all["scanners"] = found->scanners;
        all["judged"] = render_time(found->made);
        json["locaraScan"] = std::move(all);
    }
    return json;
}

Result<Json> render_repo_security(const VerdictStore& verdicts,
                                  const std::vector<GitEntry>& entries) {
    bool done = true;
    Json issues = Json::array();
    for (const GitEntry& entry : entries) {
        if (entry.kind != GitEntry::Kind::File) {
            continue;
        }
        LOCARA_TRY(const auto found, verdicts.find(content_id(entry), name_of(entry.path)));
        done = done && found;
        if (found && found->verdict.decision != formats::Decision::Allow) {
            issues.push_back({{"path", entry.path}, {"level", security_level(found)}});
        }
    }
    return Json{{"scansDone", done}, {"filesWithIssues", std::move(issues)}};
}

} // namespace locara::hub
