#include "catalog_files.hpp"
#include "database.hpp"
#include "verdict_store.hpp"

#include <locara/base/line.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <map>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// By the SHA-256 of the file.
using Pending = std::map<std::string, PendingTakedown>;

/// The takedown of what the gate refuses.
PendingTakedown make_pending(const std::string& kind,
                             const std::string& digest,
                             const std::string& what,
                             const formats::Verdict& verdict,
                             TimePoint now) {
    PendingTakedown one;
    one.entry.kind = kind;
    one.entry.id = "sha256:" + digest;
    one.entry.reason =
        cut_line(clean_line(what + ": " + verdict.reason + " (" + verdict.rule + ")"),
                 catalog::kTakedownReasonBytes);
    one.entry.date = render_time(now);
    one.verdict = verdict;
    return one;
}

class Search {
  public:
    Search(const VerdictStore& verdicts, const catalog::TakedownList& list, TimePoint now)
        : verdicts_(verdicts), list_(list), now_(now) {}

    Status add(const manifest::ModelManifest& model) {
        for (const manifest::Variant& variant : model.variants) {
            for (const manifest::ModelFile& file : variant.files) {
                LOCARA_CHECK(add(model, file));
            }
        }
        return {};
    }

    Status add(const PublishedBundle& bundle) {
        const std::string digest = bundle.sha256.render();
        LOCARA_TRY(const auto known, verdicts_.find(digest, name_of(bundle.target)));
        if (!known ||
            policy::answer(policy::Door::Serve, known->verdict) != policy::Answer::Refuse ||
            list_.find("app", bundle.app.render(), bundle.version.render()) ||
            list_.find("bundle", "sha256:" + digest) ||
            list_.find("bundle", "sha256:" + bundle.files_sha256.render())) {
            return {};
        }
        const std::string name = bundle.app.render() + " " + bundle.version.render();
        PendingTakedown one = make_pending(
            "bundle", digest, name + ", " + known->verdict.member, known->verdict, now_);
        one.pinned_by = {name};
        bundles_.push_back(std::move(one));
        return {};
    }

    std::vector<PendingTakedown> take() {
        std::vector<PendingTakedown> out;
        for (auto& [digest, one] : pending_) {
            out.push_back(std::move(one));
        }
        for (PendingTakedown& one : bundles_) {
            out.push_back(std::move(one));
        }
        return out;
    }

  private:
    Status add(const manifest::ModelManifest& model, const manifest::ModelFile& file) {
        const std::string digest = file.sha256.render();
        auto known = pending_.find(digest);
        if (known == pending_.end()) {
            if (list_.find("file", "sha256:" + digest)) {
                return {};
            }
            LOCARA_TRY(const auto verdict, verdicts_.find_refusal(digest));
            if (!verdict) {
                return {};
            }
            known =
                pending_.emplace(digest, make_pending("file", digest, file.path, *verdict, now_))
                    .first;
        }
        std::vector<std::string>& by = known->second.pinned_by;
        std::string name = model.id.render() + " " + model.version.render();
        const auto at = std::lower_bound(by.begin(), by.end(), name);
        if (at == by.end() || *at != name) {
            by.insert(at, std::move(name));
        }
        return {};
    }

    const VerdictStore& verdicts_;
    const catalog::TakedownList& list_;
    const TimePoint now_;
    Pending pending_;
    std::vector<PendingTakedown> bundles_; ///< By the SHA-256 of the archive.
};

} // namespace

Json render(const PendingTakedown& one) {
    return {{"kind", one.entry.kind},
            {"id", one.entry.id},
            {"reason", one.entry.reason},
            {"label", formats::render(one.verdict.label)},
            {"rule", one.verdict.rule},
            {"pinned_by", one.pinned_by}};
}

Result<std::vector<PendingTakedown>> list_pending_takedowns(const fs::path& data,
                                                            const Clock& clock) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    const VerdictStore verdicts(std::move(database));
    const fs::path tree = data / "catalog";
    LOCARA_TRY(const auto repository, catalog::Repository::load(tree, data / "keys"));
    Search search(verdicts, repository.takedown(), clock.now());
    for (const catalog::Target& target : repository.targets()) {
        if (target.role == "models" && target.name.ends_with(".json")) {
            LOCARA_TRY(const std::string text, read_target(tree, target));
            LOCARA_TRY(const auto model, manifest::ModelManifest::parse(text));
            LOCARA_CHECK(search.add(model));
        }
    }
    LOCARA_TRY(const auto bundles, list_bundles(tree, repository));
    for (const PublishedBundle& bundle : bundles) {
        LOCARA_CHECK(search.add(bundle));
    }
    return search.take();
}

Result<std::vector<std::string>> find_in_catalog(const fs::path& tree,
                                                 const catalog::Repository& repository,
                                                 const catalog::TakedownEntry& entry) {
    catalog::TakedownList only;
    LOCARA_CHECK(only.append(entry));
    std::vector<std::string> found;
    for (const catalog::Target& target : repository.targets()) {
        if (target.role != "models" || !target.name.ends_with(".json")) {
            continue;
        }
        LOCARA_TRY(const std::string text, read_target(tree, target));
        LOCARA_TRY(const auto model, manifest::ModelManifest::parse(text));
        if (only.find(catalog::takedown_names(model, crypto::sha256(as_bytes(text))))) {
            found.push_back("the model " + model.id.render() + " " + model.version.render());
        }
    }
    LOCARA_TRY(const auto bundles, list_bundles(tree, repository));
    BundleFiles files;
    for (const PublishedBundle& bundle : bundles) {
        if (find_takedown(only, bundle, files)) {
            found.push_back("the app " + bundle.app.render() + " " + bundle.version.render());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace locara::hub
