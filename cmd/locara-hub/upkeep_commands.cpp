#include "upkeep_commands.hpp"

#include "duration.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/hub/backup.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/upkeep.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace locara;

namespace {

using Bad = hub::CheckReport::Bad;

std::string short_ref(const std::string& ref) {
    for (const std::string prefix : {"refs/heads/", "refs/tags/", "refs/"}) {
        if (ref.starts_with(prefix)) {
            return ref.substr(prefix.size());
        }
    }
    return ref;
}

/// "xet:5d95..., weights.gguf at main, at v1"
std::string describe(const hub::CheckReport::LargeFile& file) {
    std::string text = "xet:" + file.xet.render();
    std::string last;
    for (const auto& [ref, path] : file.places) {
        text += path == last ? "" : ", " + path;
        text += ref.empty() ? "" : (path == last ? ", at " : " at ") + short_ref(ref);
        last = path;
    }
    return text;
}

std::vector<hub::CheckReport::Place> places_of(const Bad& one) {
    return one.file ? one.file->places : std::vector<hub::CheckReport::Place>();
}

/// Whether two findings are about the same repository.
bool is_same_repo(const Bad& one, const Bad& other) {
    return one.type == other.type && one.repository == other.repository;
}

/// What mends the repository that `one` is about.
std::string how_to_mend(const Bad& one, const std::vector<Bad>& all, bool set_aside) {
    const std::string first = set_aside ? "" : "run `locara-hub fsck --set-aside`, then ";
    if (one.mirrored) {
        return first + "`locara-hub mirror rm` it: who asks for it next has it fetched anew";
    }
    std::vector<std::string> paths;
    bool git = false;
    bool unnamed = false;
    for (const Bad& other : all) {
        if (is_same_repo(one, other)) {
            git = git || (!other.file && one.type != "bucket");
            unnamed = unnamed || (other.file && other.file->places.empty());
            for (const auto& place : places_of(other)) {
                if (std::find(paths.begin(), paths.end(), place.path) == paths.end()) {
                    paths.push_back(place.path);
                }
            }
        }
    }
    std::string text;
    for (const std::string& path : paths) {
        text += (text.empty() ? first + "upload again, with the same bytes: " : ", ") + path;
    }
    if (unnamed) {
        text += (text.empty() ? "" : "; ") +
                std::string("files without a path are in older commits, or in none: send them "
                            "again with Git LFS, or let gc forget them");
    }
    if (git) {
        text += (text.empty() ? "" : "; ") +
                std::string("its history is not whole: take its folder out of a backup, or push it "
                            "anew from a whole clone");
    }
    return text.empty() ? "upload again what it names" : text;
}

Json render_bad(const Bad& one) {
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    Json places = Json::array();
    for (const auto& [ref, path] : places_of(one)) {
        places.push_back({{"ref", or_null(ref)}, {"path", path}});
    }
    return {{"what", one.what},
            {"reason", one.reason},
            {"type", or_null(one.type)},
            {"repository", or_null(one.repository)},
            {"sha256", one.file ? Json(one.file->sha256.render()) : Json()},
            {"xet", one.file ? Json(one.file->xet.render()) : Json()},
            {"places", std::move(places)}};
}

/// One of each repository that something is wrong with.
std::vector<Bad> one_each(const std::vector<Bad>& all) {
    std::vector<Bad> found;
    for (const Bad& one : all) {
        if (!one.repository.empty() && std::none_of(found.begin(), found.end(), [&](const Bad& f) {
                return is_same_repo(f, one);
            })) {
            found.push_back(one);
        }
    }
    return found;
}

} // namespace

UpkeepCommands::UpkeepCommands(CLI::App& app)
    : gc_(app.add_subcommand("gc", "remove what no repository names, and say how much that frees")),
      fsck_(app.add_subcommand("fsck", "verify the database, every object and every repository")),
      rescan_(app.add_subcommand(
          "rescan", "have the gate judge again what was let in, and name what it now refuses")),
      stats_(app.add_subcommand("stats", "say how much there is of what")),
      backup_(
          app.add_subcommand("backup", "copy a hub, as it is at one moment, into a new folder")),
      restore_(app.add_subcommand("restore", "make a hub's folder of a backup")) {
    for (CLI::App* const verb : {backup_, restore_}) {
        verb->add_flag("--link",
                       link_,
                       "hard links for the content of large files: no space, on the same disk");
        verb->add_flag("--json", json_, "the result as one JSON object");
    }
    backup_->add_option("FOLDER", copy_, "where to; must not be there")->required();
    backup_->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    restore_->add_option("FOLDER", copy_, "the backup")->required();
    restore_->add_option("--data", data_, "folder of the hub to be; must not be there")->required();
    restore_
        ->add_option("--database",
                     database_,
                     "postgresql://HOST/NAME to put the names in, without rows of a hub")
        ->type_name("URL");
    for (CLI::App* const verb : {gc_, fsck_, rescan_, stats_}) {
        verb->add_option("--data", data_, "folder of this hub; it may be serving")->required();
        verb->add_flag("--json", json_, "the result as one JSON object");
    }
    configuration_.add_to(rescan_);
    rescan_->add_flag("--all", all_, "what the same scanners judged before, too");
    gc_->add_flag("-n,--dry-run", dry_run_, "only say what would go");
    gc_->add_option("--grace",
                    grace_,
                    "keep what was used within this time (90d, 12h, 30m): longer than any upload")
        ->capture_default_str();
    fsck_->add_flag("--set-aside",
                    set_aside_,
                    "move damaged objects to quarantine/, so that the next upload replaces them");
}

bool UpkeepCommands::parsed() const {
    return gc_->parsed() || fsck_->parsed() || rescan_->parsed() || stats_->parsed() ||
           backup_->parsed() || restore_->parsed();
}

Status UpkeepCommands::run(const std::stop_token& stop) const {
    return gc_->parsed()       ? collect(stop)
           : fsck_->parsed()   ? check(stop)
           : rescan_->parsed() ? rescan(stop)
           : stats_->parsed()  ? count()
                               : copy(stop);
}

Status UpkeepCommands::copy(const std::stop_token& stop) const {
    hub::BackupOptions options;
    options.link = link_ ? hub::BackupOptions::Link::Yes : hub::BackupOptions::Link::No;
    options.stop = stop;
    if (::isatty(STDERR_FILENO) == 1) {
        options.progress = [](std::uint64_t bytes) {
            std::fprintf(stderr, "\rlocara-hub: %s copied ", render_size(bytes).c_str());
        };
    }
    const auto report = backup_->parsed() ? hub::back_up(data_, copy_, system_clock(), options)
                                          : hub::restore(copy_, data_, database_, options);
    if (options.progress) {
        std::fprintf(stderr, "\r\033[K");
    }
    LOCARA_CHECK(report);
    if (json_) {
        const Json words = {
            {"schema", backup_->parsed() ? "locara-hub.backup/1" : "locara-hub.restore/1"},
            {"repositories", report->repositories},
            {"files", report->files},
            {"bytes", report->bytes}};
        std::printf("%s\n", words.dump().c_str());
    } else {
        std::printf("%s %llu repositories, %llu files (%s) to %s\n",
                    backup_->parsed() ? "copied" : "restored",
                    static_cast<unsigned long long>(report->repositories),
                    static_cast<unsigned long long>(report->files),
                    render_size(report->bytes).c_str(),
                    backup_->parsed() ? copy_.c_str() : data_.c_str());
    }
    return {};
}

Status UpkeepCommands::count() const {
    LOCARA_TRY(const auto counted, hub::count_data(data_));
    Json repositories = Json::object();
    for (const auto& one : counted.repositories) {
        repositories[one.type] = {
            {"own", one.own}, {"private", one.closed}, {"mirrored", one.mirrored}};
    }
    if (json_) {
        const Json words = {{"schema", "locara-hub.stats/1"},
                            {"accounts", counted.accounts},
                            {"tokens", counted.tokens},
                            {"repositories", std::move(repositories)},
                            {"files", counted.files},
                            {"named_bytes", counted.named_bytes},
                            {"objects", counted.objects},
                            {"object_bytes", counted.object_bytes},
                            {"git_bytes", counted.git_bytes}};
        std::printf("%s\n", words.dump().c_str());
        return {};
    }
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "accounts  %llu, with %llu tokens\n", number(counted.accounts), number(counted.tokens));
    for (const auto& one : counted.repositories) {
        std::printf("%-8s  %llu, of which %llu private; %llu mirrored\n",
                    (one.type + "s").c_str(),
                    number(one.own),
                    number(one.closed),
                    number(one.mirrored));
    }
    std::printf("files     %llu large ones, of %s\n",
                number(counted.files),
                render_size(counted.named_bytes).c_str());
    std::printf("on disk   %s of chunks in %llu objects, %s of git\n",
                render_size(counted.object_bytes).c_str(),
                number(counted.objects),
                render_size(counted.git_bytes).c_str());
    return {};
}

Status UpkeepCommands::collect(const std::stop_token& stop) const {
    cas::GcOptions options;
    LOCARA_TRY(options.grace, parse_duration("--grace", grace_));
    options.dry_run = dry_run_ ? cas::GcOptions::DryRun::Yes : cas::GcOptions::DryRun::No;
    options.stop = stop;
    LOCARA_TRY(const auto report, hub::collect_garbage(data_, system_clock(), options));
    Json damaged = Json::array();
    for (const auto& one : report.damaged) {
        std::fprintf(stderr,
                     "locara-hub: nothing of the %s %s was forgotten, it is damaged: %s; see "
                     "`locara-hub fsck`\n",
                     one.type.c_str(),
                     one.repository.c_str(),
                     one.reason.c_str());
        damaged.push_back(
            {{"type", one.type}, {"repository", one.repository}, {"reason", one.reason}});
    }
    if (json_) {
        const Json words = {{"schema", "locara-hub.gc/1"},
                            {"dry_run", dry_run_},
                            {"freed_bytes", report.freed_bytes},
                            {"kept_bytes", report.chunks.kept_bytes},
                            {"removed_files", report.chunks.removed_files},
                            {"removed_xorbs", report.chunks.removed_xorbs},
                            {"removed_entries", report.chunks.removed_entries},
                            {"forgotten_files", report.forgotten_files},
                            {"forgotten_bytes", report.forgotten_bytes},
                            {"removed_repositories", report.removed_folders},
                            {"packed_repositories", report.packed},
                            {"removed_packs", report.removed_packs},
                            {"removed_verdicts", report.removed_verdicts},
                            {"missing_files", report.chunks.missing_files.size()},
                            {"damaged_repositories", std::move(damaged)}};
        std::printf("%s\n", words.dump().c_str());
    } else {
        std::printf(
            "%s %s: %llu files, %llu xorbs and %llu entries of the chunk store, %llu git "
            "folders, %llu packs that others hold; %llu repositories packed anew. %s stay.\n",
            dry_run_ ? "would free" : "freed",
            render_size(report.freed_bytes).c_str(),
            static_cast<unsigned long long>(report.chunks.removed_files),
            static_cast<unsigned long long>(report.chunks.removed_xorbs),
            static_cast<unsigned long long>(report.chunks.removed_entries),
            static_cast<unsigned long long>(report.removed_folders),
            static_cast<unsigned long long>(report.removed_packs),
            static_cast<unsigned long long>(report.packed),
            render_size(report.chunks.kept_bytes).c_str());
    }
    if (!json_ && report.forgotten_files > 0) {
        std::printf("%llu large files of %s %s named by no history: squashed away, or never "
                    "committed.\n",
                    static_cast<unsigned long long>(report.forgotten_files),
                    render_size(report.forgotten_bytes).c_str(),
                    dry_run_ ? "are" : "were");
    }
    if (!report.chunks.missing_files.empty()) {
        return Error(ErrorCode::Corrupt,
                     std::to_string(report.chunks.missing_files.size()) +
                         " files of repositories are gone; `locara-hub fsck` names them");
    }
    return {};
}

Status UpkeepCommands::check(const std::stop_token& stop) const {
    hub::CheckOptions options;
    options.on_bad =
        set_aside_ ? cas::FsckOptions::OnBad::SetAside : cas::FsckOptions::OnBad::Report;
    options.stop = stop;
    if (::isatty(STDERR_FILENO) == 1) {
        options.progress = [](std::uint64_t bytes) {
            std::fprintf(stderr, "\rlocara-hub: %s verified ", render_size(bytes).c_str());
        };
    }
    const auto report = hub::check_data(data_, system_clock(), options);
    if (options.progress) {
        std::fprintf(stderr, "\r\033[K");
    }
    LOCARA_CHECK(report);
    if (json_) {
        Json bad = Json::array();
        for (const Bad& one : report->bad) {
            bad.push_back(render_bad(one));
        }
        Json mend = Json::array();
        for (const Bad& one : one_each(report->bad)) {
            mend.push_back({{"type", one.type},
                            {"repository", one.repository},
                            {"how", how_to_mend(one, report->bad, set_aside_)}});
        }
        const Json words = {{"schema", "locara-hub.fsck/1"},
                            {"objects", report->objects},
                            {"bytes", report->bytes},
                            {"repositories", report->repositories},
                            {"files", report->files},
                            {"bad", std::move(bad)},
                            {"mend", std::move(mend)}};
        std::printf("%s\n", words.dump().c_str());
    } else {
        for (const Bad& one : report->bad) {
            std::printf("bad  %s%s: %s\n",
                        one.type.empty() ? "" : (one.type + " ").c_str(),
                        one.what.c_str(),
                        one.reason.c_str());
            if (one.file) {
                std::printf("     %s\n", describe(*one.file).c_str());
            }
        }
        for (const Bad& one : one_each(report->bad)) {
            std::printf("mend %s %s: %s\n",
                        one.type.c_str(),
                        one.repository.c_str(),
                        how_to_mend(one, report->bad, set_aside_).c_str());
        }
        std::printf("%llu objects (%s) of the chunk store, %llu large files, %llu repositories: "
                    "%s\n",
                    static_cast<unsigned long long>(report->objects),
                    render_size(report->bytes).c_str(),
                    static_cast<unsigned long long>(report->files),
                    static_cast<unsigned long long>(report->repositories),
                    report->bad.empty() ? "all is well" : "not all is well");
    }
    if (!report->bad.empty()) {
        return Error(ErrorCode::Corrupt,
                     std::to_string(report->bad.size()) + " things are wrong" +
                         (set_aside_ ? "; damaged objects were set aside" : ""));
    }
    return {};
}

/// What of it the catalog pins, in one line.
Status UpkeepCommands::tell_of_takedowns() const {
    LOCARA_TRY(const auto pending, hub::list_pending_takedowns(data_, system_clock()));
    if (!pending.empty()) {
        std::printf("%zu of them the catalog pins, and nobody decided yet: locara-hub takedown "
                    "pending --data %s\n",
                    pending.size(),
                    data_.c_str());
    }
    return {};
}

Status UpkeepCommands::rescan(const std::stop_token& stop) const {
    LOCARA_CHECK(configuration_.start(data_));
    hub::RescanOptions options;
    options.judge = [](const formats::ByteSource& content, std::string_view name) {
        return gate::shared_gate().examine(content, name);
    };
    LOCARA_TRY(options.scanners, gate::shared_gate().scanners());
    options.known =
        all_ ? hub::RescanOptions::Known::JudgeAgain : hub::RescanOptions::Known::Believe;
    options.stop = stop;
    LOCARA_TRY(const auto report, hub::rescan(data_, system_clock(), options));
    Json refused = Json::array();
    for (const auto& one : report.refused) {
        refused.push_back({{"kind", render(one.kind)},
                           {"repository", one.repo},
                           {"path", one.path},
                           {"sha256", one.sha256.render()},
                           {"label", formats::render(one.verdict.label)},
                           {"rule", one.verdict.rule},
                           {"reason", one.verdict.reason}});
    }
    Json unread = Json::array();
    for (const auto& one : report.unread) {
        unread.push_back({{"repository", one.repo}, {"error", one.error.describe()}});
    }
    if (json_) {
        const Json words = {{"schema", "locara-hub.rescan/1"},
                            {"files", report.files},
                            {"judged", report.judged},
                            {"unjudged", report.unjudged},
                            {"unnamed", report.unnamed},
                            {"unread", std::move(unread)},
                            {"refused", std::move(refused)}};
        std::printf("%s\n", words.dump().c_str());
    } else {
        for (const auto& one : report.refused) {
            std::printf("refused  %s %s: %s (%s)\n         call it back: locara-hub takedown add "
                        "sha256:%s --kind %s --reason ... --data %s\n",
                        one.repo.c_str(),
                        one.path.c_str(),
                        one.verdict.reason.c_str(),
                        one.verdict.rule.c_str(),
                        one.sha256.render().c_str(),
                        std::string(render(one.kind)).c_str(),
                        data_.c_str());
        }
        for (const auto& one : report.unread) {
            std::printf("unread   %s: %s\n", one.repo.c_str(), one.error.describe().c_str());
        }
        std::printf("%llu files, %llu of them judged now, the others by the same scanners before: "
                    "%zu are refused now\n",
                    static_cast<unsigned long long>(report.files),
                    static_cast<unsigned long long>(report.judged),
                    report.refused.size());
        if (report.unnamed > 0) {
            std::printf(
                "%llu more would be refused that were only uploaded: no commit and no bucket "
                "names them, nobody is given them, and gc removes them\n",
                static_cast<unsigned long long>(report.unnamed));
        }
        LOCARA_CHECK(tell_of_takedowns());
    }
    if (!report.refused.empty()) {
        return Error(ErrorCode::Refused,
                     std::to_string(report.refused.size()) + " files would not be let in today");
    }
    if (!report.unread.empty()) {
        return Error(ErrorCode::Corrupt,
                     std::to_string(report.unread.size()) +
                         " repositories could not be read, all others were: run `locara-hub fsck`");
    }
    if (report.unjudged > 0) {
        return Error(ErrorCode::Unavailable,
                     std::to_string(report.unjudged) + " files could not be judged");
    }
    return {};
}
