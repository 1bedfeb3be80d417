#include "remote_header.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/base/path.hpp>
#include <locara/base/percent.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/gate/gate.hpp>
#include <locara/manifest/card_license.hpp>
#include <locara/manifest/license.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/model_pin.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace locara::runtime {

namespace {

constexpr std::uint64_t kSmallText = 4U << 20U; ///< Of configuration files.
constexpr std::uint64_t kLicenseBytes = 1U << 20U;
constexpr std::size_t kMostVariants = 32;      ///< As the schema has it.
constexpr std::size_t kMostAncestors = 16;     ///< Likewise.
constexpr std::size_t kNameBytes = 80;         ///< Likewise.
constexpr std::size_t kDescriptionBytes = 240; ///< Likewise.
constexpr std::size_t kUrlBytes = 300;         ///< Likewise.
constexpr std::size_t kLicenseIdBytes = 256;   ///< Likewise.
constexpr std::size_t kBaseBytes = 200;        ///< Likewise.

/// Where a repository has the text of its license, in small letters.
constexpr std::array<std::string_view, 7> kLicenseFiles = {
    "license", "license.txt", "license.md", "licence", "licence.txt", "licence.md", "copying"};

std::string file_name(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

/// Letters and digits, with single separators of `kept` (or hyphens) between them.
std::string slug(std::string_view text, std::string_view kept, std::size_t limit) {
    const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    std::string out;
    for (const char c : ascii_lower(text)) {
        if (is_plain(c)) {
            out += c;
        } else if (!out.empty() && is_plain(out.back())) { // no separator at the start, nor two
            out += kept.find(c) != std::string_view::npos ? c : '-';
        }
    }
    out.resize(std::min(out.size(), limit));
    while (!out.empty() && !is_plain(out.back())) {
        out.pop_back();
    }
    return out;
}

/// A text for one line of a manifest, cut at the limit.
std::string one_line(const std::string& text, std::size_t limit) {
    return cut_line(clean_line(text), limit);
}

/// "model-00001-of-00003.gguf": the parts of a split model, as llama.cpp names them.
struct SplitName {
    std::string stem;
    unsigned part = 0;
    unsigned count = 0;
};

std::optional<SplitName> parse_split(const std::string& path) {
    constexpr std::size_t kTail = sizeof("-00001-of-00003.gguf") - 1;
    if (path.size() <= kTail) {
        return std::nullopt;
    }
    const std::string_view tail = std::string_view(path).substr(path.size() - kTail);
    const auto number = [&](std::size_t at) -> std::optional<unsigned> {
        unsigned value = 0;
        for (const char c : tail.substr(at, 5)) {
            if (c < '0' || c > '9') {
                return std::nullopt;
            }
            value = value * 10 + static_cast<unsigned>(c - '0');
        }
        return value;
    };
    const auto part = number(1);
    const auto count = number(10);
    if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !part || !count) {
        return std::nullopt;
    }
    return SplitName{path.substr(0, path.size() - kTail), *part, *count};
}

bool is_named(const std::string& path, std::initializer_list<std::string_view> endings) {
    const std::string name = ascii_lower(path);
    return std::any_of(
        endings.begin(), endings.end(), [&](auto end) { return name.ends_with(end); });
}

/// One pin, from the first question to the text.
class Pinner {
  public:
    Pinner(hf::Client& client,
           const PinRequest& request,
           ProgressSink& progress,
           const std::stop_token& stop)
        : client_(client), request_(request), progress_(progress), stop_(stop) {}

    Result<PinnedModel> run() {
        LOCARA_CHECK(pin_weights());
        LOCARA_TRY(card_, read_card(request_.repo, commit_, files_));
        LOCARA_CHECK(choose());
        LOCARA_CHECK(read_configuration());
        LOCARA_CHECK(add_lineage());
        LOCARA_CHECK(read_safetensors());
        LOCARA_TRY(const Json json, make_manifest());
        PinnedModel out;
        out.text = json.dump(2) + "\n";
        LOCARA_TRY(out.manifest,
                   manifest::ModelManifest::parse(out.text).context("the manifest that was made"));
        out.notes = std::move(notes_);
        out.fetched_bytes = fetched_;
        return out;
    }

    /// Only the weights, in a manifest that has the rest.
    Result<std::string> run_within(Json json) {
        LOCARA_CHECK(pin_weights());
        if (commit_ != request_.revision) {
            return Error(ErrorCode::Corrupt,
                         client_.endpoint() + " has " + commit_ + " for " + request_.repo + "@" +
                             request_.revision);
        }
        LOCARA_CHECK(choose());
        json["source"] = {{"repo", request_.repo}, {"revision", commit_}};
        json["variants"] = make_variants();
        json["default"] = chosen_->variant.name;
        json.erase("validation");
        return json.dump(2) + "\n";
    }

  private:
    /// Revision, files, variants.
    Status pin_weights() {
        LOCARA_TRY(const auto revision,
                   client_.get_revision(request_.repo, request_.revision, stop_));
        commit_ = revision.commit;
        gated_ = revision.gated;
        LOCARA_TRY(files_, client_.list_files(request_.repo, commit_, stop_));
        LOCARA_TRY(const auto groups, find_weights());
        for (const auto& group : groups) {
            LOCARA_CHECK(add_variant(group));
        }
        if (variants_.empty()) {
            return Error(ErrorCode::Unsupported,
                         request_.repo + " has no GGUF file that is a model by itself");
        }
        if (variants_.size() > kMostVariants) {
            return Error(ErrorCode::TooLarge,
                         request_.repo + " has " + std::to_string(variants_.size()) +
                             " variants; a manifest holds " + std::to_string(kMostVariants));
        }
        return {};
    }

    struct Weights {
        manifest::Variant variant;
        formats::Gguf header;
    };

    using Group = std::vector<const hf::RepoFile*>;

    const hf::RepoFile* find(const std::vector<hf::RepoFile>& files, std::string_view path) const {
        const auto at = std::find_if(
            files.begin(), files.end(), [&](const auto& file) { return file.path == path; });
        return at == files.end() ? nullptr : &*at;
    }

    Result<std::string> get_text(const std::string& repo,
                                 const std::string& commit,
                                 const std::string& path,
                                 std::uint64_t limit) {
        LOCARA_TRY(auto text, client_.get_text(repo, commit, path, limit, stop_));
        fetched_ += text.size();
        return text;
    }

    Result<manifest::ModelCard> read_card(const std::string& repo,
                                          const std::string& commit,
                                          const std::vector<hf::RepoFile>& files) {
        if (find(files, "README.md") == nullptr) {
            return manifest::ModelCard();
        }
        LOCARA_TRY(const auto text, get_text(repo, commit, "README.md", manifest::kCardLimitBytes));
        return manifest::ModelCard::parse(text).context("README.md of " + repo);
    }

    /// GGUF files by what they belong to. Names say where to look; the content decides later.
    Result<std::vector<Group>> find_weights() {
        std::vector<Group> groups;
        std::map<std::string, std::vector<const hf::RepoFile*>> splits;
        std::string code;
        bool safetensors = false;
        for (const auto& file : files_) {
            if (is_named(file.path, {".safetensors"})) {
                safetensors = true;
            }
            if (is_named(file.path,
                         {".bin",
                          ".pt",
                          ".pth",
                          ".ckpt",
                          ".pkl",
                          ".pickle",
                          ".h5",
                          ".keras",
                          ".onnx",
                          ".npz",
                          ".msgpack"})) {
                code = code.empty() ? file.path : code;
            }
            if (!is_named(file.path, {".gguf"})) {
                continue;
            }
            LOCARA_CHECK(validate_path(file.path).context(request_.repo));
            const auto split = parse_split(file.path);
            if (!split || split->count < 2) {
                groups.push_back({&file});
            } else {
                splits[split->stem + "/" + std::to_string(split->count)].push_back(&file);
            }
        }
        for (auto& [name, parts] : splits) {
            std::sort(parts.begin(), parts.end(), [](const auto* a, const auto* b) {
                return a->path < b->path;
            });
            const unsigned count = parse_split(parts.front()->path)->count;
            if (parts.size() != count || parse_split(parts.front()->path)->part != 1) {
                notes_.push_back(parts.front()->path + " and its kind are " +
                                 std::to_string(parts.size()) + " of " + std::to_string(count) +
                                 " parts; they are left out");
                continue;
            }
            groups.push_back(parts);
        }
        if (!groups.empty()) {
            if (!code.empty()) {
                notes_.push_back(code + " can carry code; it is not pinned, and never fetched");
            }
            return groups;
        }
        if (safetensors) {
            return Error(
                ErrorCode::Unsupported,
                request_.repo +
                    " has safetensors and no GGUF, which is what the engine loads: "
                    "convert it with llama.cpp's convert_hf_to_gguf.py, and put the result into a "
                    "repository of yours");
        }
        if (!code.empty()) {
            return Error(ErrorCode::Refused,
                         request_.repo + " has no weights but " + code +
                             ", whose format can carry code: ask its maker for safetensors or "
                             "GGUF (name.mismatch)");
        }
        return Error(ErrorCode::NotFound,
                     request_.repo + " has no weights at " + request_.revision);
    }

    Result<formats::Gguf> read_header(const hf::RepoFile& file) {
        const RemoteHeader header(client_, request_.repo, commit_, file, stop_);
        Progress progress;
        progress.task = "pin";
        progress.item = file.path;
        progress_.report(progress);
        const auto verdict = gate::judge(header, file_name(file.path));
        fetched_ += header.fetched_bytes();
        if (auto error = header.error()) {
            return *std::move(error);
        }
        LOCARA_CHECK(policy::check(policy::Door::Install, file.path, verdict));
        if (verdict.format != "gguf") {
            return Error(ErrorCode::Refused,
                         file.path + " is refused: " + verdict.reason + " (" + verdict.rule + ")");
        }
        progress.done_bytes = progress.total_bytes = header.fetched_bytes();
        progress_.report(progress);
        return formats::parse_gguf(header).context(file.path);
    }

    Result<manifest::ModelFile> pin_file(const hf::RepoFile& file) {
        manifest::ModelFile out;
        out.path = file.path;
        out.size = file.size;
        out.xet_hash = file.xet_hash ? file.xet_hash->render() : "";
        if (file.sha256) {
            out.sha256 = *file.sha256;
            return out;
        }
        if (file.size > kMaxHashedFile) {
            return Error(ErrorCode::Unsupported,
                         client_.endpoint() + " gives no SHA-256 of " + file.path +
                             ", and it is too large to fetch for that");
        }
        LOCARA_TRY(const auto bytes, get_text(request_.repo, commit_, file.path, kMaxHashedFile));
        if (bytes.size() != file.size) {
            return Error(ErrorCode::Corrupt,
                         file.path + " has " + std::to_string(bytes.size()) +
                             " bytes where the listing says " + std::to_string(file.size));
        }
        out.sha256 = crypto::sha256(as_bytes(bytes));
        return out;
    }

    Status add_variant(const Group& group) {
        const auto& first = *group.front();
        LOCARA_TRY(auto header, read_header(first));
        const std::string type = header.find_text("general.type").value_or("model");
        if (header.architecture() == "clip" || type != "model") {
            notes_.push_back(first.path + " is no model by itself (" +
                             (type == "model" ? header.architecture() : type) +
                             "); it is left out");
            return {};
        }
        manifest::Variant variant;
        variant.quantization = header.quantization();
        if (variant.quantization.empty()) {
            return Error(ErrorCode::Unsupported, first.path + " holds no tensors");
        }
        for (const auto* file : group) {
            LOCARA_TRY(auto pinned, pin_file(*file));
            variant.files.push_back(std::move(pinned));
        }
        const auto kv = header.kv_bytes_per_token();
        if (!kv) {
            return Error(ErrorCode::Unsupported,
                         first.path + " (" + header.architecture() +
                             ") does not say how much memory a token of context takes");
        }
        variant.weights_bytes = variant.download_bytes();
        variant.kv_bytes_per_token = *kv;
        variant.name = name_variant(variant.quantization, first.path);
        variants_.push_back({std::move(variant), std::move(header)});
        return {};
    }

    /// The quantization in small letters; the file's own name where two have the same.
    std::string name_variant(const std::string& quantization, const std::string& path) const {
        constexpr std::size_t kLimit = 32;
        const auto is_free = [&](const std::string& name) {
            return std::none_of(variants_.begin(), variants_.end(), [&](const auto& one) {
                return one.variant.name == name;
            });
        };
        std::string name = slug(quantization, "_", kLimit);
        if (is_free(name)) {
            return name;
        }
        name = slug(std::filesystem::path(path).stem().string(), "._", kLimit);
        for (int n = 2; name.empty() || !is_free(name); ++n) {
            name = slug(quantization, "_", kLimit - 4) + "-" + std::to_string(n);
        }
        return name;
    }

    Status choose() {
        std::vector<manifest::Variant> all;
        for (const auto& one : variants_) {
            all.push_back(one.variant);
        }
        const std::string name =
            request_.default_variant.empty() ? choose_default(all).name : request_.default_variant;
        const auto at = std::find_if(variants_.begin(), variants_.end(), [&](const auto& one) {
            return one.variant.name == name;
        });
        if (at == variants_.end()) {
            std::string known;
            for (const auto& one : all) {
                known += (known.empty() ? "" : ", ") + one.name;
            }
            return Error(ErrorCode::NotFound,
                         request_.repo + " has no variant " + name + "; it has " + known);
        }
        chosen_ = &*at;
        for (const auto& one : variants_) {
            if (one.header.architecture() != chosen_->header.architecture()) {
                notes_.push_back("variant " + one.variant.name + " is of another architecture (" +
                                 one.header.architecture() + ") than the default (" +
                                 chosen_->header.architecture() + ")");
            }
        }
        return {};
    }

    /// config.json and tokenizer_config.json: what the weights do not say, and whether they agree.
    Status read_configuration() {
        context_ = chosen_->header.context_length().value_or(0);
        if (find(files_, "config.json") != nullptr) {
            LOCARA_TRY(const auto text,
                       get_text(request_.repo, commit_, "config.json", kSmallText));
            LOCARA_TRY(const auto json, parse_json(text).context("config.json"));
            const auto most = json.is_object() ? json.find("max_position_embeddings") : json.end();
            const std::uint64_t stated =
                json.is_object() && most != json.end() && most->is_number_unsigned()
                    ? most->get<std::uint64_t>()
                    : 0;
            if (context_ != 0 && stated != 0 && stated != context_) {
                notes_.push_back("config.json says " + std::to_string(stated) +
                                 " tokens of context, the weights " + std::to_string(context_) +
                                 "; the weights count");
            }
            context_ = context_ != 0 ? context_ : stated;
        }
        if (context_ == 0) {
            return Error(ErrorCode::Unsupported,
                         "neither the weights nor config.json of " + request_.repo +
                             " say how long a context they were made for");
        }
        template_ = chosen_->header.chat_template().value_or("");
        if (find(files_, "tokenizer_config.json") != nullptr) {
            LOCARA_TRY(const auto text,
                       get_text(request_.repo, commit_, "tokenizer_config.json", kSmallText));
            const auto verdict =
                gate::judge(formats::MemorySource(as_bytes(text)), "tokenizer_config.json");
            // No client ever installs it; what a hub would take in may be read.
            LOCARA_CHECK(policy::check(policy::Door::Upload, "tokenizer_config.json", verdict));
            LOCARA_TRY(const auto json, parse_json(text).context("tokenizer_config.json"));
            const auto own = json.is_object() ? json.find("chat_template") : json.end();
            if (json.is_object() && own != json.end() && own->is_string() &&
                own->get<std::string>() != template_) {
                notes_.push_back(template_.empty()
                                     ? "the weights have no chat template; that of "
                                       "tokenizer_config.json is not used by the engine"
                                     : "the chat template of tokenizer_config.json is another one "
                                       "than the weights have; theirs is used");
            }
        }
        if (const auto* file = find(files_, "tokenizer.json"); file != nullptr) {
            LOCARA_TRY(const auto pinned, pin_file(*file));
            tokenizer_ = pinned.sha256;
        }
        return {};
    }

    /// What it was made from, nearest first; of each its license, by its own card.
    Status add_lineage() {
        std::set<std::string> seen{request_.repo};

        struct Next {
            manifest::ModelCard card;
            bool gguf;
        };

        std::vector<Next> queue{{card_, true}};
        for (std::size_t i = 0; i < queue.size(); ++i) {
            const auto card = queue[i].card;
            std::string relation = card.base_model_relation;
            if (!manifest::is_relation(relation)) {
                relation = card.base_models.size() > 1 ? "merge"
                           : queue[i].gguf             ? "quantized"
                                                       : "finetune";
            }
            for (const auto& base : card.base_models) {
                if (!seen.insert(base).second) {
                    continue;
                }
                if (lineage_.size() == kMostAncestors) {
                    return Error(ErrorCode::TooLarge,
                                 request_.repo + " was made from more than " +
                                     std::to_string(kMostAncestors) + " models");
                }
                const auto revision = client_.get_revision(base, "main", stop_);
                if (!revision) {
                    const auto& error = revision.error();
                    const bool hidden = error.code() == ErrorCode::NotFound ||
                                        error.code() == ErrorCode::Unauthorized ||
                                        error.code() == ErrorCode::InvalidArgument;
                    return hidden
                               ? Error(
                                     error.code(),
                                     "the card says that it was made from " + one_line(base, 200) +
                                         ", whose license counts too, and it cannot be read "
                                         "there: " +
                                         error.message() + "; ask a hub that has both (--endpoint)")
                               : error;
                }
                manifest::Ancestor ancestor{base, revision->commit, relation, "", revision->gated};
                LOCARA_TRY(const auto files, client_.list_files(base, revision->commit, stop_));
                LOCARA_TRY(auto next, read_card(base, revision->commit, files));
                if (const auto terms = manifest::license_of(next)) {
                    ancestor.license = terms->id;
                } else {
                    notes_.push_back("the card of " + base +
                                     " names no license; the strictest is assumed");
                }
                LOCARA_CHECK(add_license_text(ancestor, next, files));
                lineage_.push_back(std::move(ancestor));
                const bool gguf = std::any_of(files.begin(), files.end(), [](const auto& file) {
                    return is_named(file.path, {".gguf"});
                });
                queue.push_back({std::move(next), gguf});
            }
        }
        return {};
    }

    /// A repository at a commit, and what was read of it.
    struct Place {
        const std::string& repo;
        const std::string& commit;
        const manifest::ModelCard& card;
        const std::vector<hf::RepoFile>& files;
    };

    /// Notes something of the text of a license; of an ancestor's with the name.
    void note_text(const Place& place, const std::string& note) {
        notes_.push_back((place.repo == request_.repo ? "" : "of " + place.repo + ": ") + note);
    }

    /// The file of a repository with the text of the license: the one that the card links to, else
    /// the first of the usual names. Nothing if the card links elsewhere.
    const hf::RepoFile* find_license_file(const Place& place) {
        std::string link = place.card.license_link;
        const std::string here = client_.endpoint() + "/" + place.repo + "/";
        for (const std::string& start : {here + "blob/main/", here + "resolve/main/"}) {
            link = link.starts_with(start) ? link.substr(start.size()) : link;
        }
        if (link.find("://") != std::string::npos) {
            note_text(place,
                      "the text of the license is at " + one_line(link, 200) +
                          ", which is not read: there is no hash of it (text_sha256)");
            return nullptr;
        }
        if (const auto* file = find(place.files, link.starts_with("./") ? link.substr(2) : link)) {
            return file;
        }
        if (!link.empty()) {
            note_text(place,
                      "the card links to " + one_line(link, 200) +
                          " as its license, and there is no such file");
            return nullptr;
        }
        for (const auto name : kLicenseFiles) {
            const auto at =
                std::find_if(place.files.begin(), place.files.end(), [name](const auto& file) {
                    return ascii_lower(file.path) == name;
                });
            if (at != place.files.end()) {
                return &*at;
            }
        }
        note_text(place,
                  "no file has the text of the license: there is no hash of it (text_sha256)");
        return nullptr;
    }

    struct LicenseText {
        std::string url;
        crypto::Sha256Digest sha256;
    };

    Result<std::optional<LicenseText>> read_license_text(const Place& place) {
        const auto* file = find_license_file(place);
        if (file == nullptr) {
            return std::optional<LicenseText>();
        }
        LOCARA_CHECK(validate_path(file->path).context(place.repo));
        LOCARA_TRY(const auto text,
                   get_text(place.repo, place.commit, file->path, kLicenseBytes)
                       .context("the text of the license of " + place.repo));
        LicenseText out{client_.endpoint() + "/" + place.repo + "/blob/" + place.commit + "/" +
                            percent_encode(file->path, "/"),
                        crypto::sha256(as_bytes(text))};
        if (out.url.size() > kUrlBytes) {
            note_text(place,
                      one_line(file->path, 200) +
                          " has too long a name for the address of a license");
            return std::optional<LicenseText>();
        }
        return std::optional(std::move(out));
    }

    /// What the card says, if the license of the request is another and takes its place; else
    /// empty. Refused if it would do so unsaid.
    Result<std::string> find_replaced_license() const {
        const bool has_license = !card_.license.empty();
        const bool replaces = has_license && !request_.license.empty() &&
                              !manifest::names_license_of(card_, request_.license);
        const auto& named = request_.license_instead_of;
        const std::string says =
            "the card of " + request_.repo + " names " +
            (has_license ? "the license " + one_line(card_.license, kLicenseIdBytes)
                         : "no license");
        if (!named.empty() && (!replaces || !manifest::names_license_of(card_, named))) {
            return Error(ErrorCode::InvalidArgument,
                         says + "; --license-instead-of takes the license that it names, where "
                                "--license is another");
        }
        if (replaces && named.empty()) {
            return Error(ErrorCode::Refused,
                         says + ", not " + request_.license +
                             "; if the card is wrong, pass --license-instead-of " +
                             one_line(card_.license, kLicenseIdBytes) +
                             " too: the manifest will say so");
        }
        return replaces ? one_line(card_.license, kLicenseIdBytes) : std::string();
    }

    /// The text of an ancestor's license. One that may not be read is told, and no error: its terms
    /// are known by the card.
    Status add_license_text(manifest::Ancestor& ancestor,
                            const manifest::ModelCard& card,
                            const std::vector<hf::RepoFile>& files) {
        const Place place{ancestor.repo, ancestor.revision, card, files};
        const auto text = read_license_text(place);
        if (!text) {
            const auto code = text.error().code();
            if (code != ErrorCode::Unauthorized && code != ErrorCode::Forbidden &&
                code != ErrorCode::TooLarge) {
                return text.error();
            }
            note_text(place, text.error().describe() + " (text_sha256)");
            return {};
        }
        if (*text) {
            ancestor.license_url = (*text)->url;
            ancestor.license_text_sha256 = (*text)->sha256.render();
        }
        return {};
    }

    /// What a header says of terms and origin.
    struct Stated {
        std::string license;
        std::vector<std::string> made_from; ///< Repositories, addresses or names.
    };

    /// "org/name" of an address at a hub, else the address.
    std::string repo_of(const std::string& address) const {
        for (const std::string& hub : {std::string(hf::kDefaultEndpoint), client_.endpoint()}) {
            if (address.starts_with(hub + "/")) {
                const std::filesystem::path path = address.substr(hub.size() + 1);
                auto part = path.begin();
                if (std::distance(path.begin(), path.end()) >= 2) {
                    const std::string org = (part++)->string();
                    return org + "/" + part->string();
                }
            }
        }
        return address;
    }

    /// The keys that llama.cpp's converter fills from the card of what it converts.
    Stated stated_in(const formats::Gguf& header) const {
        Stated out;
        manifest::ModelCard card;
        card.license = header.license().value_or("");
        card.license_name = header.find_text("general.license.name").value_or("");
        if (const auto terms = manifest::license_of(card)) {
            out.license = terms->id;
        }
        for (std::size_t i = 0; i < kMostAncestors; ++i) {
            const std::string key = "general.base_model." + std::to_string(i) + ".";
            const auto address = header.find_text(key + "repo_url").value_or("");
            const auto name = header.find_text(key + "name").value_or("");
            if (!address.empty()) {
                out.made_from.push_back(repo_of(address));
            } else if (!name.empty() && card_.base_models.empty()) { // else it may be one of these
                out.made_from.push_back(name);
            }
        }
        return out;
    }

    /// The first file of safetensors beside the GGUF that are pinned, if it can be read: what
    /// whoever trained the model wrote into it.
    Status read_safetensors() {
        const auto file = std::find_if(files_.begin(), files_.end(), [](const auto& one) {
            return is_named(one.path, {".safetensors"});
        });
        if (file == files_.end()) {
            return {};
        }
        const RemoteHeader header(client_, request_.repo, commit_, *file, stop_);
        const auto parsed = formats::parse_safetensors(header);
        fetched_ += header.fetched_bytes();
        if (auto error = header.error(); error && error->code() == ErrorCode::Cancelled) {
            return *std::move(error);
        }
        if (!parsed) {
            return {}; // nobody loads it
        }
        const auto text = [&parsed](const char* key) {
            const auto found = parsed->metadata.find(key);
            return found == parsed->metadata.end() ? std::string() : found->second;
        };
        manifest::ModelCard card;
        card.license = text("license");
        if (const auto terms = manifest::license_of(card)) {
            stated_.license = terms->id;
        }
        if (const std::string base = text("base_model"); !base.empty()) {
            stated_.made_from.push_back(repo_of(base));
        }
        return {};
    }

    /// Null if the headers say nothing that the manifest does not say.
    Json compare_with_weights(const std::string& license) {
        std::vector<Stated> all = {stated_};
        for (const auto& one : variants_) {
            all.push_back(stated_in(one.header));
        }
        // What the card says and the manifest replaces is told already.
        std::vector<std::string> licenses = {license};
        if (const auto card = manifest::license_of(card_)) {
            licenses.push_back(card->id);
        }
        std::set<std::string> known = {ascii_lower(request_.repo)};
        for (const auto& ancestor : lineage_) {
            licenses.push_back(ancestor.license);
            known.insert(ascii_lower(ancestor.repo));
        }
        Json other;
        Json made_from = Json::array();
        for (const Stated& stated : all) {
            const bool named =
                std::any_of(licenses.begin(), licenses.end(), [&stated](const auto& one) {
                    return manifest::is_same_license(one, stated.license);
                });
            if (other.is_null() && !stated.license.empty() && !named) {
                other = one_line(stated.license, kLicenseIdBytes);
                notes_.push_back("the weights say " + other.get<std::string>() +
                                 ", the card does not (license.weights_say)");
            }
            for (const auto& base : stated.made_from) {
                if (made_from.size() < kMostAncestors && known.insert(ascii_lower(base)).second) {
                    made_from.push_back(one_line(base, kBaseBytes));
                    notes_.push_back("the weights say that it was made from " +
                                     one_line(base, kBaseBytes) +
                                     ", the card does not (license.weights_say)");
                }
            }
        }
        return other.is_null() && made_from.empty()
                   ? Json()
                   : Json{{"license", std::move(other)}, {"made_from", std::move(made_from)}};
    }

    Result<Json> make_license() {
        LOCARA_TRY(const auto replaced, find_replaced_license());
        auto card = card_;
        if (!request_.license.empty()) {
            card = {};
            card.license = request_.license;
        }
        auto terms = manifest::license_of(card);
        if (!terms) {
            return Error(ErrorCode::InvalidArgument,
                         "the card of " + request_.repo +
                             " names no license; if you know it, pass --license ID");
        }
        if (!replaced.empty()) {
            notes_.push_back("the card says " + replaced + "; the manifest says " + terms->id +
                             " instead (license.instead_of)");
        }
        LOCARA_TRY(const auto text, read_license_text({request_.repo, commit_, card_, files_}));
        if (text) {
            terms->url = text->url;
        }
        const auto* known = manifest::find_license(terms->id);
        const auto is = [&](manifest::FactKind kind, manifest::Answer answer) {
            return known != nullptr && known->fact(kind).answer == answer;
        };
        using manifest::Answer;
        using manifest::FactKind;
        Json restrictions = Json::array();
        if (is(FactKind::UseRestrictions, Answer::Yes)) {
            const auto clause = std::string(known->fact(FactKind::UseRestrictions).clause);
            restrictions.push_back("as the license says" + (clause.empty() ? "" : ", " + clause));
        } else if (!is(FactKind::UseRestrictions, Answer::No)) {
            restrictions.push_back("not known; read the license");
        }
        // Unknown is never taken for freedom.
        Json license = {{"id", terms->id},
                        {"url",
                         terms->url.empty() ? client_.endpoint() + "/" + request_.repo + "/blob/" +
                                                  commit_ + "/README.md"
                                            : terms->url},
                        {"text_sha256", text ? Json(text->sha256.render()) : Json()},
                        {"terms",
                         {{"commercial", is(FactKind::CommercialUse, Answer::Yes)},
                          {"redistribution", is(FactKind::Redistribution, Answer::Yes)},
                          {"attribution", !is(FactKind::Attribution, Answer::No)},
                          {"use_restrictions", std::move(restrictions)},
                          {"gated", gated_}}}};
        if (!replaced.empty()) {
            license["instead_of"] = replaced;
        }
        if (Json say = compare_with_weights(terms->id); !say.is_null()) {
            license["weights_say"] = std::move(say);
        }
        return license;
    }

    Json make_variants() const {
        Json variants = Json::array();
        for (const auto& [variant, header] : variants_) {
            Json files = Json::array();
            for (const auto& file : variant.files) {
                files.push_back({{"path", file.path},
                                 {"size", file.size},
                                 {"sha256", file.sha256.render()},
                                 {"xet_hash", file.xet_hash.empty() ? Json() : Json(file.xet_hash)},
                                 {"format", "gguf"}});
            }
            variants.push_back(
                {{"name", variant.name},
                 {"quantization", variant.quantization},
                 {"files", std::move(files)},
                 {"engine", {{"name", "llama.cpp"}, {"minimum_version", kPinnedEngine}}},
                 {"weights_bytes", variant.weights_bytes},
                 {"kv_bytes_per_token", variant.kv_bytes_per_token},
                 {"quality", nullptr},
                 {"speed", nullptr}});
        }
        return variants;
    }

    std::string make_id() const {
        if (!request_.id.empty()) {
            return request_.id;
        }
        const auto slash = request_.repo.find('/');
        std::string publisher = slug(request_.repo.substr(0, slash), "", 24);
        std::string name = slug(request_.repo.substr(slash + 1), ".", 64);
        return publisher + "/" + name;
    }

    Result<Json> make_manifest() {
        const std::string id = make_id();
        if (const auto parsed = manifest::ModelId::parse(id); !parsed) {
            return Error(ErrorCode::InvalidArgument,
                         parsed.error().message() + "; pass --id publisher/name");
        }
        const auto& header = chosen_->header;
        const bool embeddings = card_.pipeline_tag == "feature-extraction" ||
                                card_.pipeline_tag == "sentence-similarity" ||
                                header.architecture().find("bert") != std::string::npos;
        const std::string name = header.name().value_or("");
        const std::string description = header.find_text("general.description").value_or("");
        LOCARA_TRY(Json license, make_license());
        Json lineage = Json::array();
        for (const auto& one : lineage_) {
            Json entry = {
                {"repo", one.repo}, {"revision", one.revision}, {"relation", one.relation}};
            if (!one.license.empty()) {
                entry["license"] = one.license;
            }
            if (!one.license_text_sha256.empty()) {
                entry["license_url"] = one.license_url;
                entry["license_text_sha256"] = one.license_text_sha256;
            }
            entry["gated"] = one.gated;
            lineage.push_back(std::move(entry));
        }
        const auto digest = [](const std::optional<crypto::Sha256Digest>& value) {
            return value ? Json{{"sha256", value->render()}} : Json();
        };
        return Json{
            {"schema", "locara.dev/model/v1"},
            {"id", id},
            {"version", request_.version},
            {"name", one_line(name.empty() ? request_.repo : name, kNameBytes)},
            {"description",
             one_line(description.empty()
                          ? (name.empty() ? request_.repo : name) + ", of " + request_.repo
                          : description,
                      kDescriptionBytes)},
            {"task", embeddings ? "embeddings" : "text-generation"},
            {"modality", {{"input", {"text"}}, {"output", {embeddings ? "embedding" : "text"}}}},
            {"context_length", context_},
            {"source", {{"repo", request_.repo}, {"revision", commit_}}},
            {"variants", make_variants()},
            {"default", chosen_->variant.name},
            {"lineage", std::move(lineage)},
            {"license", std::move(license)},
            {"chat_template",
             digest(template_.empty() ? std::nullopt
                                      : std::optional(crypto::sha256(as_bytes(template_))))},
            {"tokenizer", digest(tokenizer_)},
            {"recommended", Json::object()},
            {"validation",
             {{"date", nullptr},
              {"engine_version", nullptr},
              {"probes", Json::array()},
              {"results", nullptr},
              {"variants", nullptr}}}};
    }

    hf::Client& client_;
    const PinRequest& request_;
    ProgressSink& progress_;
    const std::stop_token& stop_;
    std::string commit_;
    bool gated_ = false;
    std::vector<hf::RepoFile> files_;
    manifest::ModelCard card_;
    std::vector<Weights> variants_;
    const Weights* chosen_ = nullptr;
    std::uint64_t context_ = 0;
    std::string template_;
    std::optional<crypto::Sha256Digest> tokenizer_;
    std::vector<manifest::Ancestor> lineage_;
    Stated stated_; ///< By safetensors.
    std::vector<std::string> notes_;
    std::uint64_t fetched_ = 0;
};

} // namespace

std::uint64_t estimate_memory(const manifest::ModelManifest& model,
                              const manifest::Variant& variant) {
    return variant.weights_bytes +
           variant.kv_bytes_per_token * std::min(model.context_length, kEstimateContext);
}

const manifest::Variant& choose_default(const std::vector<manifest::Variant>& variants) {
    LOCARA_ASSERT(!variants.empty());
    static constexpr std::array<std::string_view, 8> kOrder = {
        "Q4_K_M", "Q5_K_M", "Q4_K_S", "Q6_K", "Q8_0", "F16", "BF16", "F32"};
    for (const auto wanted : kOrder) {
        for (const auto& variant : variants) {
            if (variant.quantization == wanted) {
                return variant;
            }
        }
    }
    return variants.front();
}

Result<PinnedModel> pin_model(hf::Client& client,
                              const PinRequest& request,
                              ProgressSink& progress,
                              const std::stop_token& stop) {
    return Pinner(client, request, progress, stop).run();
}

Result<std::string> pin_ancestor(hf::Client& client,
                                 std::string_view text,
                                 const manifest::Ancestor& ancestor,
                                 ProgressSink& progress,
                                 const std::stop_token& stop) {
    LOCARA_TRY(Json json, parse_json(text));
    PinRequest request;
    request.repo = ancestor.repo;
    request.revision = ancestor.revision;
    return Pinner(client, request, progress, stop).run_within(std::move(json));
}

} // namespace locara::runtime
