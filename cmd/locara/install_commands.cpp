// locara install, bundle, list, rm, pull
#include "context.hpp"
#include "fetch_model.hpp"
#include "plan_text.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace locara::cli {

namespace {

constexpr std::uint64_t kLicenseTextBytes = 1U << 20U; ///< As bundles have them.

/// A license as a bundle has it, which was held against its hash.
Status show_text(Context& context, const std::filesystem::path& path) {
    LOCARA_TRY(const auto text, read_file(path, kLicenseTextBytes));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        context.say("  | " + clean(line));
    }
    return {};
}

/// Terms that restrict must be accepted by name; --yes is not enough. What is accepted leaves a
/// receipt, and is not asked about again.
Status accept_licenses(Context& context,
                       runtime::Installer& installer,
                       const std::vector<runtime::OpenTerms>& open_terms) {
    for (const auto& open : open_terms) {
        const auto& terms = open.terms;
        // Also for who accepts by flag: a text that was changed is not what is accepted.
        LOCARA_TRY(const auto text, installer.find_license_text(open));
        const auto& accepted = context.flags.accepted_licenses;
        if (std::find(accepted.begin(), accepted.end(), terms.id) != accepted.end()) {
            LOCARA_CHECK(installer.accept(open, runtime::AcceptedBy::Flag));
            continue;
        }
        const std::string flag = "--accept-license " + terms.id;
        std::string where = terms.url.empty() ? "" : " (" + clean(terms.url) + ")";
        if (text) {
            where += " (" + clean(text->string()) + ")";
        }
        if (!context.terminal_in() || !context.terminal_err()) {
            return Error(ErrorCode::Forbidden,
                         "the license " + clean(terms.id) + " of " + clean(terms.from.front()) +
                             " restricts what you may do and must be accepted by name; read it" +
                             where + ", then pass " + flag);
        }
        std::string words = "License " + clean(terms.id) + where + ", of:";
        for (const auto& from : terms.from) {
            words += " " + clean(from);
        }
        for (const auto& term : terms.terms) {
            words += "\n  " + clean(term);
        }
        context.say(words);
        if (text) {
            LOCARA_CHECK(show_text(context, *text));
        }
        LOCARA_TRY(const bool yes,
                   context.ask("Do you accept the terms of " + clean(terms.id) + where + "?",
                               flag,
                               Context::Answer::No));
        if (!yes) {
            return Error(ErrorCode::Forbidden,
                         "the terms of " + clean(terms.id) +
                             " were not accepted; nothing was installed");
        }
        LOCARA_CHECK(installer.accept(open, runtime::AcceptedBy::Prompt));
    }
    return {};
}

/// Says which of the files that would be fetched another program seems to have.
void tell_foreign(Context& context,
                  runtime::Installer& installer,
                  const std::vector<runtime::PlannedModel>& models) {
    std::set<store::Digest> wanted;
    for (const auto& model : models) {
        for (const auto& file : model.files) {
            if (!file.here) {
                wanted.insert(file.file.sha256);
            }
        }
    }
    std::map<std::string, std::uint64_t> places;
    for (const auto& file :
         installer.storage().find_named(wanted, runtime::process_environment())) {
        places[file.place] += file.size;
    }
    for (const auto& [place, bytes] : places) {
        context.say("Already on this machine: " + render_size(bytes) + " of these in the " +
                    clean(place) + "; `locara adopt` uses them instead of fetching them again.");
    }
}

Json lock_json(const runtime::Lock& lock) {
    Json models = Json::array();
    for (const auto& model : lock.models) {
        models.push_back({{"role", model.role},
                          {"id", model.id.render()},
                          {"variant", model.variant},
                          {"manifest", "sha256:" + model.manifest.render()}});
    }
    return {{"id", lock.app.render()},
            {"version", lock.version.render()},
            {"hub", lock.hub},
            {"installed", lock.installed},
            {"models", std::move(models)}};
}

/// Nobody has agreed to what a new version may do besides by saying yes beforehand.
Status check_powers(const Flags& flags, const runtime::Plan& plan) {
    if (plan.new_powers.empty() || !flags.yes || flags.accept_powers) {
        return {};
    }
    std::string powers;
    for (const auto& power : plan.new_powers) {
        powers += " " + power.text;
    }
    return Error(ErrorCode::Forbidden,
                 plan.app.entry.manifest.id.render() + " " +
                     plan.app.entry.manifest.version.render() + " may do what " +
                     plan.replaces->render() + " could not:" + powers +
                     " Look at the plan without --yes, or pass --accept-powers");
}

} // namespace

Result<InstallOutcome>
install_with_plan(Context& context, runtime::Installer& installer, const manifest::AppRef& ref) {
    auto planned = installer.plan(ref);
    if (!planned) {
        // What is installed stays usable when the hub cannot be asked; say so and go on.
        const auto code = planned.error().code();
        const bool unreachable = code == ErrorCode::Unavailable || code == ErrorCode::Timeout ||
                                 code == ErrorCode::Offline;
        auto installed = installer.get(ref.id);
        if (unreachable && installed &&
            (ref.version.empty() || installed->lock.version.render() == ref.version)) {
            // What another hub called back, or what was called back before, is known all the same.
            LOCARA_TRY(const auto taken, installer.find_takedown(*installed));
            LOCARA_CHECK(policy::check(policy::Door::Install, ref.id.render(), taken));
            context.say(ref.id.render() + " " + installed->lock.version.render() +
                        " is installed; newer versions could not be looked for: " +
                        clean(planned.error().describe()));
            return InstallOutcome{std::move(installed->lock),
                                  {{"plan", nullptr}, {"installed", true}}};
        }
        return std::move(planned).error();
    }
    const auto& plan = *planned;
    InstallOutcome outcome{{}, {{"plan", plan_json(plan)}, {"installed", false}}};
    if (plan.up_to_date) {
        context.say(ref.id.render() + " " + plan.app.entry.manifest.version.render() +
                    " is installed and up to date.");
        LOCARA_TRY(auto installed, installer.get(ref.id));
        outcome.lock = std::move(installed.lock);
        outcome.json["installed"] = true;
        return outcome;
    }
    context.say(render_plan(plan, context.err_style()));
    tell_foreign(context, installer, plan.models);
    if (context.flags.dry_run) {
        return outcome;
    }
    if (!context.flags.yes) {
        LOCARA_TRY(const bool yes, context.ask("Install?", "--yes", Context::Answer::Yes));
        if (!yes) {
            context.say("Nothing was installed.");
            return outcome;
        }
    }
    LOCARA_CHECK(check_powers(context.flags, plan));
    LOCARA_CHECK(accept_licenses(context, installer, plan.open_terms));
    const auto progress = context.progress();
    Tally tally(*progress);
    tally.add_fetched(plan.app.entry.bundle_size);
    auto lock = installer.install(plan, tally);
    progress->clear();
    if (!lock) {
        return std::move(lock).error();
    }
    context.say("Installed " + lock->app.render() + " " + lock->version.render() + ": " +
                tally.render());
    outcome.lock = std::move(*lock);
    outcome.json["installed"] = true;
    return outcome;
}

std::string render_signed(const std::vector<catalog::RoleInfo>& roles, TimePoint now) {
    std::string words;
    for (const auto& role : roles) {
        if (!catalog::is_short_lived(role.name)) {
            continue;
        }
        words += (words.empty() ? "" : ", ") + role.name;
        words += role.signed_at ? " signed " + render_time(*role.signed_at)
                                : " good until " + render_time(role.expires);
        words += role.expires > now ? "" : " (lapsed)";
    }
    return words;
}

Json signed_json(const std::vector<catalog::RoleInfo>& roles, TimePoint now) {
    Json out = Json::array();
    for (const auto& role : roles) {
        if (catalog::is_short_lived(role.name)) {
            out.push_back({{"role", role.name},
                           {"version", role.version},
                           {"signed", role.signed_at ? Json(render_time(*role.signed_at)) : Json()},
                           {"expires", render_time(role.expires)},
                           {"lapsed", role.expires <= now}});
        }
    }
    return out;
}

/// Whoever made a bundle chose its versions: to go back to an older one takes the word of the
/// person here, who names it.
Status check_not_older(const runtime::Installer& installer,
                       const manifest::AppRef& ref,
                       const std::string& folder) {
    const auto entry = installer.get(ref.id);
    const auto offered = manifest::Version::parse(ref.version);
    if (!entry || !offered || !(*offered < entry->lock.version)) {
        return {};
    }
    const std::string name = ref.id.render() + "@" + ref.version;
    return Error(ErrorCode::Forbidden,
                 ref.id.render() + " " + entry->lock.version.render() +
                     " is installed, and the bundle brings the older " + ref.version +
                     ". `locara install " + name + " --from " + folder + "` puts it in its place");
}

Result<int> run_install(Context& context, std::vector<std::string> refs, const std::string& from) {
    LOCARA_CHECK(context.prepare_gate());
    for (const auto& text : refs) {
        LOCARA_CHECK(manifest::AppRef::parse(text)); // a slip of the finger installs nothing
    }
    if (refs.empty() && from.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "install wants apps, or --from DIR; see `locara install --help`");
    }
    const bool all_of_bundle = refs.empty();
    LOCARA_TRY(auto installer, context.installer(from));
    Json bundle;
    if (installer.bundle() != nullptr) {
        LOCARA_CHECK(installer.refresh());
        const auto now = system_clock().now();
        const auto roles = installer.catalog_states().front().roles; // the bundle's stands first
        context.say("Offline bundle of " + installer.bundle()->hub + ": " +
                    render_signed(roles, now));
        bundle = {{"folder", from},
                  {"hub", installer.bundle()->hub},
                  {"signed", signed_json(roles, now)}};
        if (all_of_bundle) {
            for (const auto& app : installer.bundle()->apps) {
                refs.push_back(app.id.render() + "@" + app.version);
            }
        }
    }
    const auto install = [&](const std::string& text, Json& list) -> Status {
        LOCARA_TRY(const auto ref, manifest::AppRef::parse(text));
        if (all_of_bundle) {
            LOCARA_CHECK(check_not_older(installer, ref, from));
        }
        LOCARA_TRY(auto outcome, install_with_plan(context, installer, ref));
        if (outcome.lock && context.flags.quiet && !context.flags.json) {
            context.print(outcome.lock->app.render());
        }
        list.push_back(std::move(outcome.json));
        return {};
    };
    LOCARA_TRY(const auto done, for_each_word(context, refs, install));
    if (context.flags.json) {
        Json out = {{"schema", "locara.install/1"}};
        if (!bundle.is_null()) {
            out["bundle"] = std::move(bundle);
        }
        if (refs.size() == 1) {
            out.update(done.list.front());
        } else {
            out["apps"] = done.list;
        }
        context.print_json(out);
    }
    return done.exit;
}

Result<int> run_bundle(Context& context, const BundleWords& words) {
    runtime::BundleRequest request;
    for (const auto& text : words.apps) {
        LOCARA_TRY(auto ref, manifest::AppRef::parse(text));
        request.apps.push_back(std::move(ref));
    }
    request.folder = words.folder;
    request.licenses.assign(words.licenses.begin(), words.licenses.end());
    LOCARA_TRY(auto installer, context.installer());
    if (installer.may_use_network()) {
        // Newer is better, but what is here will do.
        const auto fresh = installer.refresh();
        const bool unreachable = !fresh && (fresh.error().code() == ErrorCode::Unavailable ||
                                            fresh.error().code() == ErrorCode::Timeout);
        if (!fresh && !unreachable) {
            return fresh.error();
        }
        if (unreachable) {
            context.say(
                "The hub could not be asked; the copy of its catalog that is here goes in: " +
                clean(fresh.error().describe()));
        }
    }
    LOCARA_TRY(const auto plan, installer.plan_bundle(request));
    const auto now = system_clock().now();
    for (const auto& app : plan.apps) {
        context.say("app     " + app.id.render() + " " + app.version);
    }
    for (const auto& file : plan.files) {
        context.say("file    " + clean(file.path) + ", " + render_size(file.size));
    }
    context.say("catalog " + plan.hub.url + ": " + render_signed(plan.roles, now));
    for (const auto& warning : plan.warnings) {
        context.say("warning " + clean(warning));
    }
    Json files = Json::array();
    if (!context.flags.dry_run) {
        const auto progress = context.progress();
        auto made = installer.make_bundle(request, plan, *progress);
        progress->clear();
        if (!made) {
            return std::move(made).error();
        }
        for (const auto& one : *made) {
            files.push_back({{"path", one.file.path},
                             {"size", one.file.size},
                             {"sha256", one.file.sha256.render()},
                             {"link", one.link ? Json(store::render(*one.link)) : Json()}});
        }
        context.say("Wrote " + words.folder + ", " + render_size(plan.bytes) +
                    ". There: `locara install --from DIR`, after `locara hub add --from DIR` the "
                    "first time.");
    }
    if (context.flags.json) {
        Json apps = Json::array();
        for (const auto& app : plan.apps) {
            apps.push_back(app.id.render() + "@" + app.version);
        }
        context.print_json({{"schema", "locara.bundle/1"},
                            {"dry_run", context.flags.dry_run},
                            {"folder", words.folder},
                            {"hub", plan.hub.url},
                            {"apps", std::move(apps)},
                            {"bytes", plan.bytes},
                            {"files", std::move(files)},
                            {"signed", signed_json(plan.roles, now)},
                            {"warnings", plan.warnings}});
    } else if (context.flags.quiet) {
        context.print(words.folder);
    }
    return kDone;
}

Result<int> run_list(Context& context) {
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(const auto apps, installer.list());
    Json list = Json::array();
    std::vector<std::vector<std::string>> rows;
    for (const auto& app : apps) {
        Json one = lock_json(app.lock);
        one["name"] = app.manifest.name;
        one["kind"] = manifest::render(app.manifest.entry.kind);
        std::uint64_t weights = 0;
        for (const auto& model : app.lock.models) {
            for (const auto& file : model.files) {
                weights += file.size;
            }
        }
        one["weights_bytes"] = weights;
        one["commercial"] = app.manifest.commercial;
        // An app that cannot be read whole is listed all the same; `verify` says what is wrong.
        const auto receipts = installer.receipts(app);
        one["receipts"] = receipts ? receipts_json(*receipts) : Json();
        const auto found = installer.find_takedown(app);
        if (!found) { // without knowing it will not start; that is no reason to hide it
            context.say(clean(found.error().describe()));
        }
        const auto taken = found ? *found : std::nullopt;
        one["takedown"] = takedown_json(taken);
        const auto said = installer.judge(app);
        one["policy"] = policy_json(said);
        list.push_back(std::move(one));
        rows.push_back({app.lock.app.render(),
                        app.lock.version.render(),
                        render_size(weights),
                        takedown_mark(taken) + policy_mark(said) + app.manifest.description});
        if (context.flags.quiet && !context.flags.json) {
            context.print(app.lock.app.render());
        }
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.list/1"}, {"apps", std::move(list)}});
    } else if (rows.empty()) {
        context.say("Nothing is installed. `locara search` lists what there is.");
    } else if (!context.flags.quiet) {
        context.print(render_table(rows));
    }
    return kDone;
}

Result<int> run_remove(Context& context, const std::vector<std::string>& ids) {
    LOCARA_TRY(auto installer, context.installer());
    std::uint64_t freed = 0;
    const auto remove = [&](const std::string& text, Json& list) -> Status {
        LOCARA_TRY(const auto ref, manifest::AppRef::parse(text));
        LOCARA_TRY(auto removal, installer.plan_removal(ref.id));
        std::string words = "Removes " + removal.app.render() + " " + removal.version.render();
        for (const auto& file : removal.files) {
            words += "\n  goes   " + clean(file.path) + ", " + render_size(file.size);
        }
        for (const auto& file : removal.kept_files) {
            words += "\n  stays  " + clean(file.path) + ", " + render_size(file.size) +
                     " (another app, a pin or another program has it)";
        }
        words += "\n  frees  " + render_size(removal.freed_bytes);
        context.say(words);
        if (!context.flags.dry_run) {
            if (!context.flags.yes) {
                LOCARA_TRY(const bool yes, context.ask("Remove?", "--yes", Context::Answer::No));
                if (!yes) {
                    return {};
                }
            }
            LOCARA_TRY(removal, installer.remove(ref.id));
            context.say("Removed. " + render_size(removal.freed_bytes) + " freed.");
        }
        freed += removal.freed_bytes;
        list.push_back({{"id", removal.app.render()},
                        {"version", removal.version.render()},
                        {"freed_bytes", removal.freed_bytes}});
        return {};
    };
    LOCARA_TRY(auto done, for_each_word(context, ids, remove));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.rm/1"},
                            {"dry_run", context.flags.dry_run},
                            {"apps", std::move(done.list)},
                            {"freed_bytes", freed}});
    }
    return done.exit;
}

Result<VouchedModel>
plan_vouched(runtime::Installer& installer, std::string bytes, const std::string& variant) {
    LOCARA_TRY(auto model, installer.plan_manifest(std::move(bytes), variant));
    return VouchedModel{std::move(model),
                        installer.hubs().empty()
                            ? runtime::Hub{std::string("https://huggingface.co"), {}, ""}
                            : installer.hubs().front()};
}

Status agree_to_model(Context& context,
                      runtime::Installer& installer,
                      const runtime::PlannedModel& model) {
    LOCARA_TRY(const auto decision, installer.judge(model));
    LOCARA_CHECK(decision.status());
    LOCARA_TRY(const auto open_terms, installer.open_terms({model}));
    const auto license = model.get_license();
    context.say("terms   " + clean(manifest::describe(license)));
    for (const auto& conflict : license.conflicts) {
        context.say("warning " + clean(conflict));
    }
    return context.flags.dry_run ? Status() : accept_licenses(context, installer, open_terms);
}

Status fetch_model(Context& context,
                   runtime::Installer& installer,
                   const runtime::PlannedModel& model,
                   const runtime::Hub& hub) {
    for (const auto& file : model.files) {
        context.say((file.here ? "here    " : "fetches ") + clean(file.file.path) + ", " +
                    render_size(file.file.size));
    }
    tell_foreign(context, installer, {model});
    LOCARA_CHECK(agree_to_model(context, installer, model));
    if (context.flags.dry_run) {
        return {};
    }
    const auto progress = context.progress();
    Tally tally(*progress);
    LOCARA_CHECK(installer.pull(model, hub, tally));
    progress->clear();
    context.say(tally.render() + ". Pinned as " + model.manifest->id.render() + ":" +
                model.variant + ": `locara unpin` lets it go.");
    return {};
}

Result<int> run_pull(Context& context, const std::string& text, const std::string& manifest_file) {
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(auto installer, context.installer());
    std::optional<runtime::PlannedModel> model;
    runtime::Hub hub;
    if (!manifest_file.empty()) {
        LOCARA_TRY(auto bytes, read_file(manifest_file, manifest::kManifestLimitBytes));
        LOCARA_TRY(auto vouched,
                   plan_vouched(installer, std::move(bytes), text).context(manifest_file));
        model = std::move(vouched.model);
        hub = std::move(vouched.hub);
    } else {
        if (installer.may_use_network()) {
            LOCARA_CHECK(installer.refresh());
        }
        const auto colon = text.find(':');
        LOCARA_TRY(const auto id, manifest::ModelId::parse(text.substr(0, colon)));
        LOCARA_TRY(
            auto found,
            installer.find_model(id, colon == std::string::npos ? "" : text.substr(colon + 1)));
        model = std::move(found.model);
        hub = std::move(found.hub);
    }
    LOCARA_CHECK(fetch_model(context, installer, *model, hub));
    if (context.flags.json) {
        Json files = Json::array();
        for (const auto& file : model->files) {
            files.push_back({{"path", file.file.path},
                             {"size", file.file.size},
                             {"sha256", file.file.sha256.render()}});
        }
        context.print_json({{"schema", "locara.pull/1"},
                            {"model", model->manifest->id.render()},
                            {"variant", model->variant},
                            {"license", license_json(*model)},
                            {"files", std::move(files)}});
    }
    return kDone;
}

} // namespace locara::cli
