#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/formats/verdict_json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/load_gate.hpp>

#include <system_error>

namespace locara::runtime {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "verdicts";
constexpr const char* kSchema = "locara.verdict/1";
constexpr std::size_t kRecordBytes = 64U << 10U;

bool may_load(const formats::Verdict& verdict) {
    return policy::answer(policy::Door::Load, verdict) == policy::Answer::Admit &&
           (verdict.rule == "gguf.valid" || verdict.rule == "safetensors.valid");
}

Error refusal(const store::Digest& digest, const formats::Verdict& verdict) {
    std::string place;
    if (verdict.offset) {
        place = ", at byte " + std::to_string(*verdict.offset);
    }
    return {ErrorCode::Refused,
            "sha256:" + digest.render() + " is not loaded: " + verdict.reason +
                " (found: " + verdict.format + ", rule " + verdict.rule + place + "; " +
                verdict.scanner + " " + verdict.scanner_version + ")"};
}

/// Records of files that are gone go, too: whoever writes one clears up.
void clear_up(const store::Store& store) {
    std::error_code error;
    for (fs::directory_iterator at(store.root() / kFolder, error), end; !error && at != end;
         at.increment(error)) {
        const auto digest = store::Digest::parse(at->path().filename().string());
        if (digest && !store.has(*digest)) {
            std::error_code ignored;
            fs::remove(at->path(), ignored);
        }
    }
}

} // namespace

bool still_counts(std::string_view said, const Result<std::string>& now) {
    return now ? said == *now : said.starts_with(gate::own_scanners());
}

LoadGate::Gate LoadGate::shared() {
    return {[](const Fd& fd, std::string_view name) { return gate::judge(fd, name); },
            [] { return gate::shared_gate().scanners(); }};
}

Status LoadGate::check(const Fd& fd, const store::Digest& digest) const {
    const auto scanners = gate_.scanners();
    const auto known = find(digest);
    const bool counts = known && still_counts(known->scanners, scanners);
    const Record record = counts ? *known
                                 : Record{scanners ? *scanners : "",
                                          // Under no name: files of the store have none.
                                          gate_.judge(fd, "")};
    if (!counts && scanners && record.verdict.label != formats::Label::Unreadable) {
        keep(digest, record);
    }
    return may_load(record.verdict) ? Status() : Status(refusal(digest, record.verdict));
}

engine::ModelFiles::Judge LoadGate::as_judge() const {
    return [this](const Fd& fd, const store::Digest& digest) { return check(fd, digest); };
}

std::optional<LoadGate::Record> LoadGate::find(const store::Digest& digest) const {
    const auto text = read_file(store_.root() / kFolder / digest.render(), kRecordBytes);
    if (!text) {
        return std::nullopt;
    }
    const auto json = parse_json(*text);
    const auto has = [&json](const char* key) { return json->contains(key); };
    if (!json || !json->is_object() || json->size() != 3 || !has("schema") || !has("scanners") ||
        !has("verdict") || (*json)["schema"] != Json(kSchema) || !(*json)["scanners"].is_string()) {
        return std::nullopt;
    }
    auto verdict = formats::parse_verdict((*json)["verdict"]);
    if (!verdict) {
        return std::nullopt;
    }
    return Record{(*json)["scanners"].get<std::string>(), std::move(*verdict)};
}

void LoadGate::keep(const store::Digest& digest, const Record& record) const {
    const fs::path folder = store_.root() / kFolder;
    if (!create_folders(folder)) {
        return;
    }
    const Json json = {{"schema", kSchema},
                       {"scanners", record.scanners},
                       {"verdict", formats::render_verdict(record.verdict)}};
    if (write_file_atomically(folder / digest.render(), as_bytes(render_json(json)))) {
        clear_up(store_);
    }
}

} // namespace locara::runtime
