#include "installer_state.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/storage.hpp>
#include <locara/runtime/takedowns.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPinSchema = "locara.dev/pin/v1";
/// Twice a manifest, whose text is escaped, and a list of its files.
constexpr std::uint64_t kPinLimitBytes = 4U << 20U;
constexpr std::string_view kDigestPrefix = "sha256:";
constexpr std::string_view kPinnedBy = "pin ";

fs::path pins_folder(const Home& home) {
    return home.data / "pins";
}

/// A name may hold slashes and colons; its digest does not.
fs::path pin_path(const Home& home, const std::string& name) {
    constexpr std::size_t kDigits = 32;
    return pins_folder(home) /
           (crypto::sha256(as_bytes(name)).render().substr(0, kDigits) + ".json");
}

std::optional<store::Digest> digest_of(std::string_view text) {
    if (text.starts_with(kDigestPrefix)) {
        text.remove_prefix(kDigestPrefix.size());
    }
    const auto digest = store::Digest::parse(text);
    return digest ? std::optional(*digest) : std::nullopt;
}

std::string model_name(const Need& need) {
    return need.variant.empty() ? need.model : need.model + ":" + need.variant;
}

/// Whether somebody might take a refused file for weights, by its name or by what it is. Of the
/// others (programs, documents) that a walk passes nothing need be said.
bool passes_for_weights(const ForeignFile& file, const formats::Verdict& verdict) {
    using namespace std::string_view_literals;
    constexpr std::array kFormats = {"gguf"sv,
                                     "safetensors"sv,
                                     "ggml"sv,
                                     "pickle"sv,
                                     "numpy"sv,
                                     "hdf5"sv,
                                     "onnx"sv,
                                     "savedmodel"sv,
                                     "tflite"sv};
    constexpr std::array kEndings = {".gguf"sv,
                                     ".safetensors"sv,
                                     ".ggml"sv,
                                     ".bin"sv,
                                     ".pt"sv,
                                     ".pth"sv,
                                     ".ckpt"sv,
                                     ".pkl"sv,
                                     ".npz"sv,
                                     ".h5"sv,
                                     ".keras"sv};
    const auto has = [](const auto& list, const std::string& text) {
        return std::find(list.begin(), list.end(), text) != list.end();
    };
    return file.named || verdict.label == formats::Label::Malicious ||
           has(kFormats, verdict.format) || has(kEndings, fs::path(file.hint).extension().string());
}

std::uint64_t disk_bytes(const fs::path& path) {
    struct stat info {};

    constexpr std::uint64_t kStatBlockBytes = 512; // stat(2)
    return ::lstat(path.c_str(), &info) == 0
               ? static_cast<std::uint64_t>(info.st_blocks) * kStatBlockBytes
               : 0;
}

} // namespace

bool Pin::is_file() const {
    return name.starts_with(kDigestPrefix);
}

std::string Pin::render() const {
    Json list = Json::array();
    for (const auto& file : files) {
        list.push_back({{"path", file.path},
                        {"format", file.format},
                        {"size", file.size},
                        {"sha256", file.sha256.render()}});
    }
    Json json = {
        {"schema", kPinSchema}, {"name", name}, {"when", when}, {"files", std::move(list)}};
    if (!manifest.empty()) {
        json["hub"] = hub;
        json["manifest"] = manifest;
    }
    return json.dump(2) + "\n";
}

Result<Pin> Pin::parse(std::string_view text) {
    LOCARA_TRY(const auto json, parse_json(text, {.bytes = kPinLimitBytes}).context("pin"));
    const auto text_at = [](const Json& object, const char* key) {
        const auto at = object.is_object() ? object.find(key) : object.end();
        return object.is_object() && at != object.end() && at->is_string()
                   ? std::optional(at->get<std::string>())
                   : std::nullopt;
    };
    const auto schema = text_at(json, "schema");
    if (schema && *schema != kPinSchema) {
        return Error(ErrorCode::Unsupported,
                     "a pin has the schema \"" + schema->substr(0, 60) + "\", this program reads " +
                         std::string(kPinSchema));
    }
    const auto name = text_at(json, "name");
    const auto when = text_at(json, "when");
    const Error bad(ErrorCode::InvalidArgument, "this is no pin");
    if (!schema || !name || name->empty() || !when || !json.contains("files") ||
        !json.at("files").is_array()) {
        return bad;
    }
    Pin pin{*name,
            *when,
            {},
            text_at(json, "hub").value_or(""),
            text_at(json, "manifest").value_or("")};
    for (const auto& one : json.at("files")) {
        const auto path = text_at(one, "path");
        const auto format = text_at(one, "format");
        const auto hex = text_at(one, "sha256");
        const auto digest = hex ? digest_of(*hex) : std::nullopt;
        if (!path || !format || !digest || !one.value("size", Json()).is_number_unsigned()) {
            return bad;
        }
        pin.files.push_back({*path, *format, one.at("size").get<std::uint64_t>(), *digest});
    }
    return pin;
}

Result<std::vector<Pin>> Storage::pins() const {
    std::vector<Pin> pins;
    std::error_code failed;
    for (fs::directory_iterator it(pins_folder(home_), failed), end; !failed && it != end;
         it.increment(failed)) {
        if (it->path().extension() != ".json") {
            continue;
        }
        LOCARA_TRY(const auto text, read_file(it->path(), kPinLimitBytes));
        LOCARA_TRY(auto pin, Pin::parse(text).context(it->path().string()));
        pins.push_back(std::move(pin));
    }
    if (failed && failed != std::errc::no_such_file_or_directory) {
        return Error::from_errno("cannot list " + pins_folder(home_).string(), failed.value());
    }
    std::sort(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return a.name < b.name; });
    return pins;
}

Status Storage::add_pin(const Pin& pin) {
    LOCARA_CHECK(create_folders(pins_folder(home_)));
    return write_file_atomically(pin_path(home_, pin.name), as_bytes(pin.render()));
}

Status Storage::remove_pin(const std::string& name) {
    const fs::path path = pin_path(home_, name);
    if (::unlink(path.c_str()) != 0) {
        const int saved = errno;
        return saved == ENOENT
                   ? Error(ErrorCode::NotFound, name + " is not pinned; `locara df` shows what is")
                   : Error::from_errno("cannot remove " + path.string(), saved);
    }
    return sync_folder(path.parent_path());
}

std::string BrokenPin::command() const {
    return is_file ? "locara unpin " + name : "locara verify --repair";
}

Result<std::vector<BrokenPin>> Storage::broken_pins() const {
    LOCARA_TRY(const auto all, pins());
    std::vector<BrokenPin> broken;
    for (const Pin& pin : all) {
        BrokenPin one{pin.name, {}, pin.is_file()};
        for (const LockedFile& file : pin.files) {
            if (!store_.has(file.sha256)) {
                one.missing.push_back(file);
            }
        }
        if (!one.missing.empty()) {
            broken.push_back(std::move(one));
        }
    }
    return broken;
}

Result<Needs> Storage::needs() const {
    Needs needs;
    LOCARA_TRY(const auto locks, read_all_locks(home_));
    for (const Lock& lock : locks) {
        for (const LockedModel& model : lock.models) {
            for (const LockedFile& file : model.files) {
                needs.emplace(file.sha256,
                              Need{"app " + lock.app.render() + " " + lock.version.render(),
                                   model.id.render(),
                                   model.variant,
                                   model.role,
                                   file.path,
                                   file.size});
            }
        }
    }
    LOCARA_TRY(const auto all, pins());
    for (const Pin& pin : all) {
        const auto colon = pin.name.rfind(':');
        const bool is_model = !pin.is_file() && colon != std::string::npos;
        for (const LockedFile& file : pin.files) {
            needs.emplace(file.sha256,
                          Need{std::string(kPinnedBy) + pin.name,
                               is_model ? pin.name.substr(0, colon) : "",
                               is_model ? pin.name.substr(colon + 1) : "",
                               "",
                               file.path,
                               file.size});
        }
    }
    return needs;
}

Result<store::GcReport> Storage::collect_garbage(store::GcOptions options) {
    options.roots = [this]() -> Result<std::set<store::Digest>> {
        LOCARA_TRY(const auto all, needs());
        std::set<store::Digest> roots;
        for (const auto& [digest, need] : all) {
            roots.insert(digest);
        }
        return roots;
    };
    options.clock = &clock_;
    return store_.collect_garbage(options);
}

Result<std::vector<WhyFile>> Storage::why(const std::string& reference) const {
    if (reference.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "give a SHA-256, a model, or the path of a file; `locara df` lists models");
    }
    LOCARA_TRY(const auto all, needs());
    LOCARA_TRY(auto adopted, store_.list_adopted());
    LOCARA_TRY(const auto lost, store_.list_lost());
    adopted.insert(adopted.end(), lost.begin(), lost.end());
    LOCARA_TRY(const auto parts, store_.list_parts());
    std::set<store::Digest> wanted;
    std::error_code failed;
    const fs::path real = fs::weakly_canonical(fs::absolute(reference), failed); // may be gone
    if (const auto digest = digest_of(reference)) {
        wanted.insert(*digest);
    } else if (!failed) {
        if (const auto named = digest_of(real.filename().string())) {
            wanted.insert(*named); // one of the store's own
        }
        for (const store::Adopted& record : adopted) {
            if (record.from == real) {
                wanted.insert(record.digest);
            }
        }
    }
    for (const auto& [digest, need] : all) {
        if (need.model == reference || model_name(need) == reference || need.path == reference ||
            fs::path(need.path).filename() == reference) {
            wanted.insert(digest);
        }
    }
    std::vector<WhyFile> files;
    for (const store::Digest& digest : wanted) {
        WhyFile file;
        file.digest = digest;
        for (const store::Adopted& record : adopted) {
            if (record.digest == digest) {
                file.adopted = record;
            }
        }
        const auto here = store_.find(digest);
        if (here || file.adopted) {
            // Of an adopted file this also finds out whether another program changed it.
            const auto path = store_.path_of(digest);
            if (path && here) {
                file.size = here->size;
                file.path = *path;
                file.freed_bytes = store_.removable_bytes(digest);
                file.has_index = store_.open_index(digest).has_value();
            } else if (!path) {
                file.problem = path.error().describe();
            }
        }
        const auto [first, end] = all.equal_range(digest);
        for (auto it = first; it != end; ++it) {
            file.needs.push_back(it->second);
        }
        for (const store::PartInfo& part : parts) {
            if (part.digest == digest) {
                file.part = part;
            }
        }
        if (file.size || file.part || !file.needs.empty() || !file.problem.empty()) {
            files.push_back(std::move(file));
        }
    }
    if (files.empty()) {
        return Error(ErrorCode::NotFound,
                     "nothing here is called \"" + reference.substr(0, 200) +
                         "\"; give a SHA-256, a model, or the path of a file; `locara df` lists "
                         "models");
    }
    return files;
}

Result<DiskReport> Storage::disk_report() const {
    DiskReport report;
    LOCARA_TRY(report.store, store_.usage());
    LOCARA_TRY(const auto all, needs());
    LOCARA_TRY(const auto files, store_.list());
    LOCARA_TRY(const auto adopted, store_.list_adopted());
    LOCARA_TRY(report.free_bytes, free_disk_bytes(store_.root()));
    report.bundle_bytes = folder_bytes(home_.apps());
    report.catalog_bytes = folder_bytes(home_.catalogs());

    std::set<store::Digest> is_adopted;
    for (const store::Adopted& record : adopted) {
        is_adopted.insert(record.digest);
    }
    std::map<std::string, DiskShare> apps;
    std::map<std::string, DiskShare> models;
    for (const store::FileInfo& file : files) {
        const std::uint64_t bytes = disk_bytes(store_.own_path(file.digest));
        std::set<std::string> users;
        std::set<std::string> named;
        const auto [first, end] = all.equal_range(file.digest);
        for (auto it = first; it != end; ++it) {
            users.insert(it->second.by);
            const std::string& by = it->second.by;
            const bool is_pinned_file = it->second.model.empty() && by.starts_with(kPinnedBy);
            named.insert(is_pinned_file ? by.substr(kPinnedBy.size()) : model_name(it->second));
        }
        for (const std::string& user : users) {
            DiskShare& share = apps[user];
            share.bytes += bytes;
            ++share.files;
        }
        for (const std::string& name : named) {
            DiskShare& share = models[name];
            share.bytes += bytes;
            ++share.files;
        }
        if (users.empty() && !is_adopted.contains(file.digest)) {
            report.orphans.bytes += bytes;
            ++report.orphans.files;
        }
        report.saved_between_apps_bytes += users.size() > 1 ? (users.size() - 1) * bytes : 0;
    }
    LOCARA_TRY(const auto locks, read_all_locks(home_));
    for (const Lock& lock : locks) { // also those without models
        const std::string name = "app " + lock.app.render() + " " + lock.version.render();
        apps[name].bytes += folder_bytes(app_folder(home_, lock.app) / lock.version.render());
    }
    for (auto& [name, share] : apps) {
        constexpr std::string_view kApp = "app ";
        if (name.starts_with(kApp)) {
            share.name = name.substr(kApp.size());
            report.apps.push_back(std::move(share));
        }
    }
    for (auto& [name, share] : models) {
        share.name = name;
        report.models.push_back(std::move(share));
    }
    report.orphans.name = "orphans";
    return report;
}

std::string_view render(AdoptReport::Item::Outcome outcome) {
    using Outcome = AdoptReport::Item::Outcome;
    switch (outcome) {
    case Outcome::Adopted:
        return "adopted";
    case Outcome::AlreadyHere:
        return "here";
    case Outcome::Found:
        return "found";
    case Outcome::NotWeights:
        return "other";
    case Outcome::Refused:
        return "refused";
    case Outcome::Failed:
        return "failed";
    }
    return "";
}

Result<AdoptReport::Item> Storage::adopt_one(const AdoptRequest& request,
                                             const ForeignFile& file,
                                             const std::vector<store::Adopted>& known,
                                             const Takedowns& takedowns,
                                             ProgressSink& progress) {
    using Outcome = AdoptReport::Item::Outcome;
    AdoptReport::Item item{file, Outcome::Failed, std::nullopt, std::nullopt, "", ""};

    struct stat info {};

    if (::stat(file.path.c_str(), &info) == 0) {
        const auto stamp = store::FileStamp::of(info);
        for (const store::Adopted& record : known) {
            if (record.from == file.path && record.stamp == stamp) {
                item.outcome = Outcome::AlreadyHere; // not hashed again for nothing
                item.digest = record.digest;
                item.link = record.link;
                return item;
            }
        }
    }
    const auto verdict = gate::judge_file(file.path);
    item.format = verdict.format;
    const auto said = policy::answer(policy::Door::Adopt, verdict);
    if (said == policy::Answer::Refuse && passes_for_weights(file, verdict)) {
        item.outcome = Outcome::Refused;
        item.reason = verdict.reason + " (" + verdict.rule + ")";
        return item;
    }
    if (said != policy::Answer::Admit ||
        (verdict.format != "gguf" && verdict.format != "safetensors")) {
        item.outcome = Outcome::NotWeights;
        return item;
    }
    if (request.dry_run == AdoptRequest::DryRun::Yes) {
        item.digest = file.named;
        item.outcome =
            file.named && store_.has(*file.named) ? Outcome::AlreadyHere : Outcome::Found;
        return item;
    }
    store::AdoptOptions options;
    options.link = request.link;
    options.threads = request.threads;
    options.stop = request.stop;
    options.clock = &clock_;
    // Judged again through the descriptor that is hashed: the path may lead elsewhere by now.
    options.gate = [&](const Fd& fd) -> Status {
        const auto again = gate::judge(fd, file.path.filename().string());
        return policy::answer(policy::Door::Adopt, again) == policy::Answer::Admit &&
                       again.format == verdict.format
                   ? Status{}
                   : Error(ErrorCode::Refused, again.reason + " (" + again.rule + ")");
    };
    options.admit = [&](const store::Digest& digest) {
        const std::array names = {catalog::takedown_name(digest)};
        return policy::check(policy::Door::Adopt, "it", takedowns.find(names));
    };
    const auto outcome = store_.adopt(file.path, options, progress);
    if (outcome) {
        item.digest = outcome->file.digest;
        item.link = outcome->link;
        item.outcome = outcome->link ? Outcome::Adopted : Outcome::AlreadyHere;
        return item;
    }
    const ErrorCode code = outcome.error().code();
    if (code == ErrorCode::Cancelled || code == ErrorCode::NoSpace) {
        return outcome.error();
    }
    item.outcome = code == ErrorCode::Refused ? Outcome::Refused : Outcome::Failed;
    item.reason = outcome.error().describe();
    return item;
}

Result<AdoptReport> Storage::adopt(const AdoptRequest& request, ProgressSink& progress) {
    ForeignFiles found;
    if (request.paths.empty()) {
        found = find_foreign(request.environment);
    }
    for (const fs::path& path : request.paths) {
        LOCARA_TRY(const auto more, find_foreign_below(path));
        found.files.insert(found.files.end(), more.files.begin(), more.files.end());
        found.unseen.insert(found.unseen.end(), more.unseen.begin(), more.unseen.end());
    }
    LOCARA_TRY(const auto known, store_.list_adopted());
    Takedowns takedowns(home_, clock_);
    LOCARA_CHECK(takedowns.refresh());
    LOCARA_TRY(const auto use, store_.use(request.stop));
    AdoptReport report;
    std::error_code failed;
    const std::string own = fs::weakly_canonical(store_.root(), failed).string() + "/";
    for (const ForeignFile& file : found.files) {
        if (request.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        if (file.path.string().starts_with(own)) {
            continue; // a folder was given that our own store lies in
        }
        LOCARA_TRY(auto item, adopt_one(request, file, known, takedowns, progress));
        const bool counts = item.outcome == AdoptReport::Item::Outcome::Adopted ||
                            item.outcome == AdoptReport::Item::Outcome::Found;
        report.adopted_bytes += counts ? file.size : 0;
        report.items.push_back(std::move(item));
    }
    for (Unseen& unseen : found.unseen) {
        AdoptReport::Item item;
        item.file.place = std::move(unseen.place);
        item.file.hint = unseen.path.string();
        item.file.path = std::move(unseen.path);
        item.reason = std::move(unseen.reason);
        report.items.push_back(std::move(item));
    }
    return report;
}

std::vector<ForeignFile> Storage::find_named(const std::set<store::Digest>& wanted,
                                             const Environment& environment) const {
    std::vector<ForeignFile> found;
    if (wanted.empty()) {
        return found;
    }
    std::set<store::Digest> seen;
    for (ForeignFile& file : find_foreign(environment).files) {
        if (file.named && wanted.contains(*file.named) && seen.insert(*file.named).second) {
            found.push_back(std::move(file));
        }
    }
    return found;
}

} // namespace locara::runtime
