#include "review_check.hpp"

#include "catalog_files.hpp"
#include "layout.hpp"

#include <locara/base/path.hpp>
#include <locara/gate/gate.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/bundle.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <fcntl.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
using policy::AppFinding;

/// Packing an app has its own limits; this one is for what lies beside it in the repository.
constexpr std::uint64_t kCheckoutLimit = 1ULL << 30U;
constexpr std::size_t kFileLimit = 10'000;

Result<Repo> find_app_repo(const Names& names, const std::string& app) {
    LOCARA_TRY(const auto id, manifest::AppId::parse(app));
    LOCARA_TRY(auto repo, names.find_repo(RepoId{RepoType::Space, id.publisher, id.name}));
    if (!repo) {
        return Error(ErrorCode::NotFound, "the repository spaces/" + app + " is gone");
    }
    return *std::move(repo);
}

/// One run of check_submission.
class Check {
  public:
    Check(const ReviewSources& sources,
          const Submission& submission,
          const PageCheck& page,
          PinDepth pins,
          TempFolder scratch)
        : sources_(sources), submission_(submission), page_(page), pins_(pins),
          scratch_(std::move(scratch)), folder_(scratch_.path() / "app") {}

    Result<CheckedSubmission> run() {
        LOCARA_CHECK(read_catalog());
        LOCARA_CHECK(check_out());
        // Asked before, so that a report never names signatures that came after its verdicts.
        LOCARA_TRY(const std::string scanners, gate::shared_gate().scanners());
        CheckedSubmission out{std::move(scratch_), {}, {}};
        LOCARA_TRY(out.app,
                   policy::check_app(folder_, out.archive(), models_, policy::Door::Review));
        PinReport pins;
        if (out.app.app) {
            add_what_only_a_hub_knows(out.app);
            LOCARA_TRY(pins, check_pins(sources_, pinned_by(*out.app.app), pins_));
            for (const Error& wrong : pins.wrong) {
                out.app.add_error("models", wrong.code(), wrong.message());
            }
            LOCARA_CHECK(add_what_is_called_back(out.app));
        }
        out.report = policy::render_app_report(out.app, published_);
        hide_scratch(out.report);
        out.report["schema"] = "locara-hub.review/1";
        out.report["submission"] = submission_.number;
        out.report["commit"] = submission_.commit;
        if (out.app.bundle) { // by either digest, or by a file, a takedown may call it back
            Json& bundle = out.report["bundle"];
            bundle["archive"] = "sha256:" + out.app.bundle->archive_sha256.render();
            bundle["sha256"] = Json::array();
            for (const manifest::BundleFile& file : out.app.bundle->list.files) {
                bundle["sha256"].push_back(file.sha256.render());
            }
        }
        out.report["pins"] = std::move(pins.models);
        LOCARA_CHECK(note_accepted(out.report));
        out.report["scanner"] = scanners;
        out.report["checked"] = render_time(sources_.clock.now());
        LOCARA_TRY(out.report["publisher"], compare_publisher());
        LOCARA_TRY(out.report["page"], look_at_page(out));
        return out;
    }

  private:
    /// The models that apps may pin, and the newest version of this app.
    Status read_catalog() {
        const fs::path tree = sources_.data / "catalog";
        LOCARA_TRY(const auto repository, catalog::Repository::load(tree, sources_.data / "keys"));
        takedown_ = repository.takedown();
        const std::string entries = "apps/" + submission_.app + "-"; // of names that begin so, too
        for (const catalog::Target& target : repository.targets()) {
            if (fs::path(target.name).extension() != ".json") {
                continue;
            }
            if (target.role == "models") {
                LOCARA_TRY(const std::string bytes, read_target(tree, target));
                LOCARA_CHECK(models_.add(bytes));
                LOCARA_TRY(auto model, manifest::ModelManifest::parse(bytes));
                manifests_.emplace(crypto::sha256(as_bytes(bytes)), std::move(model));
            } else if (target.name.starts_with(entries)) {
                LOCARA_TRY(const std::string bytes, read_target(tree, target));
                LOCARA_TRY(auto entry, manifest::AppEntry::parse(bytes));
                if (entry.manifest.id.render() == submission_.app &&
                    (!published_ || published_->manifest.version < entry.manifest.version)) {
                    published_ = std::move(entry);
                }
            }
        }
        return {};
    }

    Status check_out() {
        LOCARA_TRY(const Repo repo, find_app_repo(sources_.names, submission_.app));
        LOCARA_TRY(const auto git,
                   GitRepo::open(repo_folder(sources_.data / kRepos, repo.internal)));
        LOCARA_TRY(const auto entries, git.list(submission_.commit, "", GitRepo::Recursive::Yes));
        std::uint64_t total = 0;
        std::size_t files = 0;
        for (const GitEntry& entry : entries) {
            if (entry.kind == GitEntry::Kind::Directory) {
                continue;
            }
            total += entry.size();
            if (++files > kFileLimit || total > kCheckoutLimit) {
                return Error(ErrorCode::TooLarge,
                             "the repository holds more than " + std::to_string(kFileLimit) +
                                 " files or " + std::to_string(kCheckoutLimit >> 20U) + " MiB");
            }
            LOCARA_CHECK(validate_path(entry.path));
            const fs::path path = folder_ / entry.path;
            LOCARA_CHECK(create_folders(path.parent_path(), 0700));
            LOCARA_CHECK(write(repo, git, entry, path).context(entry.path));
        }
        return {};
    }

    Status
    write(const Repo& repo, const GitRepo& git, const GitEntry& entry, const fs::path& path) const {
        LOCARA_TRY(const Fd fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
        if (!entry.lfs) {
            LOCARA_TRY(const std::string bytes, git.read_blob(entry.oid, entry.blob_size));
            return write_all(fd, as_bytes(bytes));
        }
        LOCARA_TRY(const auto file, sources_.names.find_file(repo.key, entry.lfs->sha256));
        if (!file) {
            return Error(ErrorCode::Corrupt, "its content is not among the repository's files");
        }
        return sources_.cas.read(
            file->xet, std::nullopt, [&fd](ByteView bytes) { return write_all(fd, bytes); });
    }

    /// Of each flagged file, the submission in which a curator accepted these bytes by this rule.
    Status note_accepted(Json& report) const {
        LOCARA_TRY(const AcceptedFlags accepted,
                   Reviews(sources_.data, sources_.clock).accepted_flags());
        const auto note = [&accepted](Json& file, const Json& verdict) {
            const auto found = accepted.find({file.at("sha256"), verdict.at("rule")});
            file["accepted"] = found == accepted.end() ? Json() : Json(found->second);
        };
        for (Json& found : report["verdicts"]) {
            note(found, found);
        }
        for (Json& model : report["pins"]) {
            for (Json& file : model["files"]) {
                if (!file.at("verdict").is_null()) {
                    note(file, file.at("verdict"));
                }
            }
        }
        return {};
    }

    /// A name that was freed may have been given to somebody else.
    Result<Json> compare_publisher() const {
        LOCARA_TRY(const auto before,
                   Reviews(sources_.data, sources_.clock).find_before(submission_));
        Json other;
        if (before && !before->publisher.empty() && before->publisher != submission_.publisher) {
            other = {{"submission", before->number},
                     {"version", before->version},
                     {"by", before->by},
                     {"id", before->publisher}};
        }
        return Json{{"id", submission_.publisher}, {"before", std::move(other)}};
    }

    /// As clients get it: what was packed is unpacked.
    Result<Json> look_at_page(const CheckedSubmission& out) const {
        const auto unchecked = [](const char* why) {
            return Json{{"checked", false}, {"why", why}};
        };
        if (!out.passes()) {
            return unchecked("it does not pass without that");
        }
        if (!page_) {
            return unchecked("`locara-hub review check` does it, on a curator's machine");
        }
        const fs::path bundle = out.scratch.path() / "bundle";
        LOCARA_CHECK(create_folders(bundle, 0700));
        LOCARA_TRY(const auto unpacked,
                   manifest::unpack_bundle(out.archive(), out.app.bundle->id, bundle));
        return page_(bundle, unpacked.manifest);
    }

    /// The models that the app may come to run with; of those that the catalog has.
    std::vector<manifest::ModelManifest> pinned_by(const manifest::AppManifest& app) const {
        std::vector<manifest::ModelManifest> models;
        for (const crypto::Sha256Digest& digest : digests_pinned_by(app)) {
            if (const auto found = manifests_.find(digest); found != manifests_.end()) {
                models.push_back(found->second);
            }
        }
        return models;
    }

    static std::set<crypto::Sha256Digest> digests_pinned_by(const manifest::AppManifest& app) {
        std::set<crypto::Sha256Digest> digests;
        for (const manifest::ModelNeed& need : app.models) {
            const auto pins = need.pins();
            digests.insert(pins.begin(), pins.end());
        }
        return digests;
    }

    /// No client would install it, or all would be warned of what they just got.
    Status add_what_is_called_back(policy::AppReport& report) const {
        for (const crypto::Sha256Digest& digest : digests_pinned_by(*report.app)) {
            const auto found = manifests_.find(digest);
            if (found == manifests_.end()) {
                continue; // an error already
            }
            const manifest::ModelManifest& model = found->second;
            const Status fine =
                policy::check(policy::Door::Review,
                              "the model " + model.id.render(),
                              takedown_.find(catalog::takedown_names(model, digest)));
            if (!fine) {
                report.add_error("takedown", ErrorCode::Refused, fine.error().message());
            }
        }
        return policy::add_what_is_called_back(
            report,
            [this](std::span<const catalog::TakedownName> names)
                -> Result<std::optional<catalog::TakedownEntry>> { return takedown_.find(names); });
    }

    void add_what_only_a_hub_knows(policy::AppReport& report) const {
        const std::string id = report.app->id.render();
        if (id != submission_.app) {
            report.add_error("manifest",
                             ErrorCode::InvalidArgument,
                             "the repository is " + submission_.app +
                                 ", but locara.json says \"id\": \"" + id + "\"");
        }
        if (published_ && report.app->version <= published_->manifest.version) {
            report.add_error("version",
                             ErrorCode::Conflict,
                             "the catalog has version " + published_->manifest.version.render() +
                                 "; raise \"version\" above it");
        }
    }

    /// Messages name files as the repository does.
    void hide_scratch(Json& report) const {
        const std::string prefix = folder_.string() + "/";
        for (Json& finding : report["findings"]) {
            auto text = finding["message"].get<std::string>();
            for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
                text.erase(at, prefix.size());
            }
            finding["message"] = std::move(text);
        }
    }

    const ReviewSources& sources_;
    const Submission& submission_;
    const PageCheck& page_;
    const PinDepth pins_;
    TempFolder scratch_;
    const fs::path folder_;
    catalog::TakedownList takedown_;
    policy::KnownModels models_;
    std::map<crypto::Sha256Digest, manifest::ModelManifest> manifests_;
    std::optional<manifest::AppEntry> published_;
};

} // namespace

Result<CheckedSubmission> check_submission(const ReviewSources& sources,
                                           const Submission& submission,
                                           const PageCheck& page,
                                           PinDepth pins) {
    LOCARA_TRY(auto scratch, TempFolder::create(sources.data, ".review-"));
    return Check(sources, submission, page, pins, std::move(scratch)).run();
}

} // namespace locara::hub
