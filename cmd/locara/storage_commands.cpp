// locara verify, df, why, gc, adopt, pin, unpin
#include "context.hpp"

#include <locara/base/bytes.hpp>
#include <locara/runtime/storage.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <thread>

namespace locara::cli {

namespace {

using Outcome = runtime::AdoptReport::Item::Outcome;

/// Disks are slower than a few threads that hash; the machine stays usable.
unsigned worker_threads() {
    constexpr unsigned kMost = 8;
    return std::clamp(std::thread::hardware_concurrency(), 1U, kMost);
}

Json or_null(const std::filesystem::path& path) {
    return path.empty() ? Json() : Json(path.string());
}

Json spans_json(const std::vector<store::Span>& spans) {
    Json list = Json::array();
    for (const auto& span : spans) {
        list.push_back({{"first", span.first}, {"end", span.end}});
    }
    return list;
}

Json bad_json(const store::BadFile& bad) {
    return {{"sha256", bad.digest.render()},
            {"size", bad.size},
            {"found", bad.found ? Json(bad.found->render()) : Json()},
            {"reason", bad.reason},
            {"quarantine", or_null(bad.moved_to)},
            {"bad_spans", bad.has_index ? spans_json(bad.bad_spans) : Json()},
            {"kept_bytes", bad.part ? Json(bad.part->received_bytes) : Json()}};
}

Json shares_json(const std::vector<runtime::DiskShare>& shares, const char* key) {
    Json list = Json::array();
    for (const auto& share : shares) {
        list.push_back({{key, share.name}, {"bytes", share.bytes}, {"files", share.files}});
    }
    return list;
}

Json need_json(const runtime::Need& need) {
    const auto or_absent = [](const std::string& text) {
        return text.empty() ? Json() : Json(text);
    };
    return {{"by", need.by},
            {"model", or_absent(need.model)},
            {"variant", or_absent(need.variant)},
            {"role", or_absent(need.role)},
            {"path", need.path}};
}

Json adopted_json(const std::optional<store::Adopted>& record) {
    if (!record) {
        return {};
    }
    return {{"from", record->from.string()},
            {"link", store::render(record->link)},
            {"when", render_time(record->when)}};
}

Json gc_json(const store::GcReport& report, bool dry_run) {
    Json items = Json::array();
    for (const auto& item : report.items) {
        items.push_back({{"kind", store::render(item.kind)},
                         {"sha256", item.digest ? Json(item.digest->render()) : Json()},
                         {"path", item.path.string()},
                         {"size", item.size},
                         {"freed_bytes", item.freed_bytes}});
    }
    return {{"schema", "locara.gc/1"},
            {"dry_run", dry_run},
            {"items", std::move(items)},
            {"freed_bytes", report.freed_bytes},
            {"kept_young", report.kept_young},
            {"kept_busy", report.kept_busy}};
}

std::string why_words(const runtime::WhyFile& file) {
    std::string out = "sha256:" + file.digest.render();
    out += file.size ? "  " + render_size(*file.size) : "  not in the store";
    if (!file.path.empty()) {
        out += "\n  at       " + clean(file.path.string());
    }
    if (!file.problem.empty()) {
        out += "\n  lost     " + clean(file.problem);
    }
    for (const auto& need : file.needs) {
        out += "\n  needed   " + clean(need.by);
        out += need.role.empty() ? "" : ", role " + clean(need.role);
        out += need.model.empty() ? "" : ", " + clean(need.model) + ":" + clean(need.variant);
        out += ", as " + clean(need.path);
    }
    if (file.needs.empty()) {
        out += "\n  needed   by no app and no pin";
    }
    if (file.adopted) {
        out += "\n  adopted  from " + clean(file.adopted->from.string()) + " (" +
               std::string(store::render(file.adopted->link)) + ", " +
               render_time(file.adopted->when) + ")";
    }
    if (file.part) {
        out += "\n  part     " + render_size(file.part->received_bytes) + " of " +
               render_size(file.part->size) + " are here";
    }
    if (file.size) {
        out += "\n  frees    " + render_size(file.freed_bytes) + " if it goes";
    }
    return out;
}

/// Fetches again what `verify --repair` found bad or missing, if the network may be used.
Result<runtime::Refetched> mend(Context& context,
                                runtime::Installer& installer,
                                const VerifyRequest& request,
                                const runtime::VerifyOutcome& outcome) {
    std::set<store::Digest> wanted;
    for (const auto& problem : outcome.problems) {
        if (problem.file) {
            wanted.insert(*problem.file);
        }
    }
    if (!request.repair || wanted.empty() || !installer.may_use_network()) {
        return runtime::Refetched{};
    }
    LOCARA_CHECK(context.prepare_gate());
    const auto progress = context.progress();
    Tally tally(*progress);
    auto mended = installer.refetch(wanted, tally);
    progress->clear();
    if (mended && !mended->files.empty()) {
        context.say(tally.render() + ".");
    }
    return mended;
}

} // namespace

Result<std::chrono::seconds> parse_age(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (failed == std::errc()) {
        for (const auto& [name, seconds] :
             {std::pair("s", 1), {"m", 60}, {"h", 3600}, {"d", 86400}}) {
            if (unit == name) {
                return std::chrono::seconds(seconds) * std::int64_t{number};
            }
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 "\"" + std::string(text.substr(0, 40)) +
                     "\" is no age; write 30d, 12h, 15m or 0s");
}

Result<int> run_verify(Context& context, const VerifyRequest& request) {
    LOCARA_TRY(auto installer, context.installer());
    std::optional<manifest::AppId> id;
    if (!request.app.empty()) {
        LOCARA_TRY(auto ref, manifest::AppRef::parse(request.app));
        id = std::move(ref.id);
    }
    store::VerifyOptions options;
    options.on_bad = request.repair ? store::OnBad::Repair : store::OnBad::Quarantine;
    options.resume =
        request.all ? store::VerifyOptions::Resume::No : store::VerifyOptions::Resume::Yes;
    options.threads = worker_threads();
    const auto progress = context.progress();
    LOCARA_TRY(const auto outcome, installer.verify(id, options, *progress));
    progress->clear();
    LOCARA_TRY(const auto mended, mend(context, installer, request, outcome));
    const auto is_mended = [&](const runtime::Problem& problem) {
        return problem.file && mended.files.contains(*problem.file);
    };
    const auto left = static_cast<std::size_t>(
        std::count_if(outcome.problems.begin(), outcome.problems.end(), std::not_fn(is_mended)));
    if (context.flags.json) {
        Json problems = Json::array();
        for (const auto& problem : outcome.problems) {
            problems.push_back({{"subject", problem.subject},
                                {"text", problem.text},
                                {"mended", is_mended(problem)}});
        }
        Json bad = Json::array();
        for (const auto& file : outcome.bad) {
            bad.push_back(bad_json(file));
        }
        Json lost = Json::array();
        for (const auto& record : outcome.lost) {
            lost.push_back({{"sha256", record.digest.render()}, {"from", record.from.string()}});
        }
        context.print_json({{"schema", "locara.verify/1"},
                            {"apps", outcome.apps},
                            {"files", outcome.files},
                            {"bytes", outcome.bytes},
                            {"skipped", outcome.skipped},
                            {"problems", std::move(problems)},
                            {"bad", std::move(bad)},
                            {"lost", std::move(lost)}});
    }
    for (const auto& record : outcome.lost) {
        context.say("lost " + clean(record.from.string()) + ": it was adopted as " +
                    record.digest.render() +
                    ", and is gone or has another size now; `locara gc` forgets it");
    }
    for (const auto& problem : outcome.problems) {
        context.say(context.err_style().paint(is_mended(problem) ? Tone::Notice : Tone::Bad,
                                              is_mended(problem) ? "mended" : "bad") +
                    "  " + clean(problem.subject) + ": " + clean(problem.text));
    }
    for (const auto& problem : mended.problems) {
        context.say("not fetched  " + clean(problem.subject) + ": " + clean(problem.text));
    }
    if (left > 0) {
        const auto& first =
            *std::find_if_not(outcome.problems.begin(), outcome.problems.end(), is_mended);
        // Who cannot see the lines above gets the first with the error.
        const bool told = !context.flags.quiet && !context.flags.json;
        return Error(ErrorCode::Corrupt,
                     count(left, "problem") + ": not everything is as it was verified" +
                         (told ? "" : ", first " + first.subject + ": " + first.text));
    }
    context.say(count(outcome.apps, "app") + ", " + count(outcome.files, "file") + ", " +
                render_size(outcome.bytes) + ": all as they were verified" +
                (outcome.problems.empty() ? "." : " again.") +
                (outcome.skipped > 0 ? " " + count(outcome.skipped, "file") +
                                           " had been verified by the run that was interrupted."
                                     : ""));
    return kDone;
}

Result<int> run_df(Context& context) {
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(const auto use, installer.storage().disk_report());
    LOCARA_TRY(const auto apps, installer.list());
    if (context.flags.json) {
        context.print_json({{"schema", "locara.df/1"},
                            {"store",
                             {{"files", use.store.files},
                              {"files_bytes", use.store.file_bytes},
                              {"parts", use.store.parts},
                              {"parts_bytes", use.store.part_bytes},
                              {"quarantined", use.store.quarantined},
                              {"quarantined_bytes", use.store.quarantined_bytes},
                              {"indexes", use.store.indexes},
                              {"indexes_bytes", use.store.index_bytes},
                              {"adopted", use.store.adopted},
                              {"unreferenced", use.orphans.files},
                              {"unreferenced_bytes", use.orphans.bytes}}},
                            {"apps", {{"count", apps.size()}, {"bytes", use.bundle_bytes}}},
                            {"by_app", shares_json(use.apps, "app")},
                            {"by_model", shares_json(use.models, "model")},
                            {"saved",
                             {{"adopted_bytes", use.store.adopted_saved_bytes},
                              {"shared_bytes", use.store.shared_bytes},
                              {"between_apps_bytes", use.saved_between_apps_bytes}}},
                            {"catalogs", {{"bytes", use.catalog_bytes}}},
                            {"free_bytes", use.free_bytes}});
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {
        {"weights", render_size(use.store.file_bytes), count(use.store.files, "file")}};
    for (const auto& model : use.models) {
        rows.push_back({"  " + model.name, render_size(model.bytes), count(model.files, "file")});
    }
    rows.insert(
        rows.end(),
        {{"  orphans",
          render_size(use.orphans.bytes),
          count(use.orphans.files, "file") + " that no app and no pin names: `locara gc`"},
         {"adopted", "", count(use.store.adopted, "file") + " that other programs have, too"},
         {"unfinished",
          render_size(use.store.part_bytes),
          count(use.store.parts, "pull") + " that can go on"},
         {"quarantine",
          render_size(use.store.quarantined_bytes),
          count(use.store.quarantined, "file") + " that failed verification"},
         {"indexes", render_size(use.store.index_bytes), "of chunks; made again when needed"}});
    rows.push_back(
        {"apps", render_size(use.bundle_bytes), std::to_string(apps.size()) + " installed"});
    for (const auto& app : use.apps) {
        rows.push_back({"  " + app.name, render_size(app.bytes), "with its weights"});
    }
    const auto& store = use.store;
    rows.insert(rows.end(),
                {{"catalogs", render_size(use.catalog_bytes), ""},
                 {"saved",
                  render_size(store.adopted_saved_bytes + use.saved_between_apps_bytes),
                  render_size(store.adopted_saved_bytes) + " by adopting, " +
                      render_size(use.saved_between_apps_bytes) + " between apps; " +
                      render_size(store.shared_bytes) + " share blocks"},
                 {"free", render_size(use.free_bytes), "on the disk of the store"}});
    context.print(render_table(rows));
    return kDone;
}

Result<int> run_why(Context& context, const std::string& reference) {
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(const auto files, installer.storage().why(reference));
    Json list = Json::array();
    std::string words;
    for (const auto& file : files) {
        Json needs = Json::array();
        for (const auto& need : file.needs) {
            needs.push_back(need_json(need));
        }
        list.push_back({{"sha256", file.digest.render()},
                        {"size", file.size ? Json(*file.size) : Json()},
                        {"path", or_null(file.path)},
                        {"problem", file.problem.empty() ? Json() : Json(file.problem)},
                        {"needs", std::move(needs)},
                        {"adopted", adopted_json(file.adopted)},
                        {"part_bytes", file.part ? Json(file.part->received_bytes) : Json()},
                        {"indexed", file.has_index},
                        {"freed_bytes", file.freed_bytes}});
        words += (words.empty() ? "" : "\n") + why_words(file);
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.why/1"}, {"files", std::move(list)}});
    } else {
        context.print(words);
    }
    return kDone;
}

Result<int> run_gc(Context& context, const GcRequest& request) {
    store::GcOptions options;
    if (!request.older_than.empty()) {
        LOCARA_TRY(options.min_age, parse_age(request.older_than));
        options.min_part_age = options.min_age;
    }
    options.adopted =
        request.adopted ? store::GcOptions::Adopted::Collect : store::GcOptions::Adopted::Keep;
    options.dry_run =
        context.flags.dry_run ? store::GcOptions::DryRun::Yes : store::GcOptions::DryRun::No;
    options.stop = interrupt_token();
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(const auto report, installer.storage().collect_garbage(options));
    if (context.flags.json) {
        context.print_json(gc_json(report, context.flags.dry_run));
        return kDone;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : report.items) {
        rows.push_back({std::string(store::render(item.kind)),
                        render_size(item.freed_bytes),
                        item.path.string()});
    }
    if (!rows.empty() && !context.flags.quiet) {
        context.print(render_table(rows));
    }
    const std::string kept =
        (report.kept_young > 0 ? "; " + count(report.kept_young, "thing") + " too young to go"
                               : "") +
        (report.kept_busy > 0 ? "; " + count(report.kept_busy, "thing") + " in use" : "");
    context.say((context.flags.dry_run ? "Would free " : "Freed ") +
                render_size(report.freed_bytes) + " (" + std::to_string(report.freed_bytes) +
                " bytes) in " + count(report.items.size(), "thing") + kept + ".");
    return kDone;
}

Result<int> run_adopt(Context& context, const AdoptWords& words) {
    LOCARA_CHECK(context.prepare_gate());
    runtime::AdoptRequest request;
    request.paths.assign(words.paths.begin(), words.paths.end());
    request.link = store::parse_link_kind(words.link);
    if (!request.link && words.link != "auto") {
        return Error(ErrorCode::InvalidArgument,
                     "--link takes auto, reflink, hardlink or reference, not \"" +
                         words.link.substr(0, 40) + "\"");
    }
    request.dry_run = context.flags.dry_run ? runtime::AdoptRequest::DryRun::Yes
                                            : runtime::AdoptRequest::DryRun::No;
    request.threads = worker_threads();
    request.stop = interrupt_token();
    LOCARA_TRY(auto installer, context.installer());
    const auto progress = context.progress();
    LOCARA_TRY(const auto report, installer.storage().adopt(request, *progress));
    progress->clear();
    Json items = Json::array();
    std::vector<std::vector<std::string>> rows;
    std::map<Outcome, std::uint64_t> counts;
    for (const auto& item : report.items) {
        ++counts[item.outcome];
        items.push_back({{"outcome", runtime::render(item.outcome)},
                         {"place", item.file.place},
                         {"path", item.file.path.string()},
                         {"size", item.file.size},
                         {"sha256", item.digest ? Json(item.digest->render()) : Json()},
                         {"link", item.link ? Json(store::render(*item.link)) : Json()},
                         {"format", item.format},
                         {"reason", item.reason.empty() ? Json() : Json(item.reason)}});
        if (item.outcome != Outcome::NotWeights) {
            rows.push_back({std::string(runtime::render(item.outcome)),
                            item.link ? std::string(store::render(*item.link)) : "",
                            render_size(item.file.size),
                            item.file.place,
                            item.file.hint + (item.reason.empty() ? "" : ": " + item.reason)});
        }
    }
    const std::uint64_t failed = counts[Outcome::Failed];
    // Who names what to adopt wants it; a search of other programs' places may well meet what is
    // not to be had.
    const bool refused = !words.paths.empty() && counts[Outcome::Refused] > 0;
    const int exit = failed > 0 ? kPartly : refused ? kRefused : kDone;
    if (context.flags.json) {
        context.print_json({{"schema", "locara.adopt/1"},
                            {"dry_run", context.flags.dry_run},
                            {"items", std::move(items)},
                            {"adopted_bytes", report.adopted_bytes}});
        return exit;
    }
    if (!rows.empty() && !context.flags.quiet) {
        context.print(render_table(rows));
    }
    if (report.items.empty()) {
        context.say("No weights of other programs were found" +
                    std::string(words.paths.empty() ? "; give a PATH to look elsewhere." : "."));
    } else {
        context.say((context.flags.dry_run ? "Could adopt " : "Adopted ") +
                    count(counts[Outcome::Adopted] + counts[Outcome::Found], "file") + ", " +
                    render_size(report.adopted_bytes) + "; " +
                    std::to_string(counts[Outcome::AlreadyHere]) + " were here, " +
                    std::to_string(counts[Outcome::Refused]) + " refused, " +
                    std::to_string(failed) + " failed, " +
                    std::to_string(counts[Outcome::NotWeights]) + " are no weights.");
    }
    return exit;
}

Result<int> run_pin(Context& context, const std::string& text) {
    LOCARA_TRY(auto installer, context.installer());
    auto storage = installer.storage();
    const std::string_view hex = std::string_view(text).substr(text.starts_with("sha256:") ? 7 : 0);
    LOCARA_TRY(const auto digest, store::Digest::parse(hex));
    LOCARA_TRY(const auto files, storage.why(digest.render()));
    if (!files.front().size) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store; pull it first");
    }
    const std::string name = "sha256:" + digest.render();
    LOCARA_CHECK(storage.add_pin(
        {name, render_time(system_clock().now()), {{name, "", *files.front().size, digest}}}));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.pin/1"}, {"name", name}});
    }
    context.say("Pinned " + name + ": it stays until `locara unpin " + name + "`.");
    return kDone;
}

Result<int> run_unpin(Context& context, const std::string& name) {
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_CHECK(installer.storage().remove_pin(name));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.unpin/1"}, {"name", name}});
    }
    context.say("Let go of " + clean(name) + "; `locara gc` frees what nothing else needs.");
    return kDone;
}

} // namespace locara::cli
