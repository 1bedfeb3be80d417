// locara policy test: what each rule of policy.toml says of an app or a model. Works offline.
#include "context.hpp"

#include <locara/policy/policy.hpp>

namespace locara::cli {

namespace {

struct Judged {
    std::string subject; ///< "app acme/notes 1.0.0", "model locara/tiny:f16".
    policy::Decision decision;
};

Result<Judged> judge_model(runtime::Installer& installer, const std::string& reference) {
    const auto colon = reference.find(':');
    LOCARA_TRY(const auto id, manifest::ModelId::parse(reference.substr(0, colon)));
    LOCARA_TRY(
        const auto found,
        installer.find_model(id, colon == std::string::npos ? "" : reference.substr(colon + 1)));
    LOCARA_TRY(auto decision, installer.judge(found.model));
    return Judged{"model " + id.render() + ":" + found.model.variant, std::move(decision)};
}

/// What is installed, when no catalog knows the app.
Result<Judged>
judge_installed(Context& context, const runtime::Installer& installer, const manifest::AppId& id) {
    LOCARA_TRY(const auto home, context.home());
    LOCARA_TRY(const auto opened, runtime::open_installed(home, id)); // whole, or it says why not
    LOCARA_TRY(auto decision, installer.judge(opened.entry));
    return Judged{"app " + id.render() + " " + opened.entry.lock.version.render() + " (installed)",
                  std::move(decision)};
}

Result<Judged>
judge(Context& context, runtime::Installer& installer, const std::string& reference) {
    const auto ref = manifest::AppRef::parse(reference);
    if (!ref) {
        return judge_model(installer, reference);
    }
    auto app = installer.find(*ref);
    if (!app && installer.get(ref->id)) {
        return judge_installed(context, installer, ref->id);
    }
    if (!app) {
        if (app.error().code() != ErrorCode::NotFound) {
            return std::move(app).error();
        }
        // No app has this name; a model may.
        auto model = judge_model(installer, reference);
        return model || model.error().code() != ErrorCode::NotFound ? std::move(model)
                                                                    : std::move(app).error();
    }
    LOCARA_TRY(const auto models, installer.resolve_models(*app));
    const auto& manifest = app->entry.manifest;
    LOCARA_TRY(auto decision, installer.judge(manifest, models));
    return Judged{"app " + manifest.id.render() + " " + manifest.version.render(),
                  std::move(decision)};
}

} // namespace

Result<int> run_policy_test(Context& context, const std::string& reference) {
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(const auto judged, judge(context, installer, reference));
    const bool refused = judged.decision.refuses();
    Json rules = Json::array();
    std::string words;
    const auto style = context.out_style();
    for (const auto& finding : judged.decision.findings) {
        const auto& rule = finding.rule;
        const bool hit = !finding.hits.empty();
        rules.push_back({{"kind", policy::render(rule.kind)},
                         {"value", rule.value},
                         {"origin", rule.origin},
                         {"reason", rule.reason.empty() ? Json() : Json(rule.reason)},
                         {"refuses", hit},
                         {"hits", finding.hits}});
        words += (hit ? style.paint(Tone::Bad, "refuses") : std::string("passes ")) + "  " +
                 std::string(policy::render(rule.kind)) + ": " + clean(rule.value) + "  (" +
                 clean(rule.origin) + ")\n";
        for (const auto& why : finding.hits) {
            words += "         " + clean(why) + "\n";
        }
        if (hit && !rule.reason.empty()) {
            words += "         " + clean(rule.reason) + "\n";
        }
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.policy-test/1"},
                            {"subject", judged.subject},
                            {"refused", refused},
                            {"rules", std::move(rules)}});
    } else if (context.flags.quiet) {
        context.print(refused ? "refused" : "allowed");
    } else {
        if (judged.decision.findings.empty()) {
            words = "no rules\n";
        }
        context.print(words + clean(judged.subject) + ": " + (refused ? "refused" : "allowed"));
    }
    return refused ? kRefused : kDone;
}

} // namespace locara::cli
