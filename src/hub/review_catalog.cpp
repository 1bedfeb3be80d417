#include "catalog_files.hpp"

#include <locara/base/ascii.hpp>
#include <locara/hub/review_catalog.hpp>
#include <locara/manifest/app_entry.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoLongerListed = "no longer in the catalog that was imported";

Result<std::string> entry_name(const Submission& submission) {
    LOCARA_TRY(const auto id, manifest::AppId::parse(submission.app));
    LOCARA_TRY(const auto version, manifest::Version::parse(submission.version));
    return manifest::entry_target(id, version);
}

/// Null if there is none. REQUIRES: sorted by name, as Repository::targets is.
const catalog::Target* find_target(const std::vector<catalog::Target>& targets,
                                   const std::string& name) {
    const auto found = std::lower_bound(
        targets.begin(), targets.end(), name, [](const catalog::Target& one, const auto& wanted) {
            return one.name < wanted;
        });
    return found != targets.end() && found->name == name ? &*found : nullptr;
}

/// "sha256:<hex>" of the files that the newest check packed; empty if the record does not say.
Result<std::string> checked_bundle(const Reviews& reviews, const Submission& submission) {
    if (submission.report.empty()) {
        return std::string();
    }
    LOCARA_TRY(const Json report, reviews.report(submission));
    const auto bundle = report.find("bundle");
    if (bundle == report.end() || !bundle->is_object()) {
        return std::string();
    }
    const auto id = bundle->find("id");
    return id != bundle->end() && id->is_string() ? id->get<std::string>() : std::string();
}

Result<ListedEntry> read_entry(const Reviews& reviews,
                               const Submission& submission,
                               const fs::path& tree,
                               const catalog::Target& target) {
    LOCARA_TRY(const std::string text, read_target(tree, target));
    LOCARA_TRY(const auto entry, manifest::AppEntry::parse(text).context(target.name));
    LOCARA_TRY(const std::string checked, checked_bundle(reviews, submission));
    ListedEntry out;
    out.bundle = "sha256:" + entry.files_sha256.render();
    out.same = out.bundle == checked;
    return out;
}

/// Whether its last step was a check that found an error.
Result<bool> failed_its_check(const Reviews& reviews, const Submission& submission) {
    if (submission.state != ReviewState::Rejected) {
        return false;
    }
    LOCARA_TRY(const auto steps, reviews.steps(submission.number));
    return !steps.empty() && steps.back().contains("report");
}

/// What a submission's state and the catalog say differently; empty if they agree.
std::string describe_disagreement(const Submission& one, const std::optional<ListedEntry>& listed) {
    const bool published = one.state == ReviewState::Published;
    const bool taken_down = one.state == ReviewState::TakenDown; // as it stood, in it or yanked
    const std::string what = "submission " + std::to_string(one.number) + " (" + one.app + " " +
                             one.version + ") is " + std::string(render(one.state));
    if (!listed) {
        return published ? what + ", and the catalog does not list it" : "";
    }
    if (!listed->same) {
        return what + ", and the catalog lists that version with another bundle, whose files are " +
               listed->bundle;
    }
    return published || taken_down ? "" : what + ", and the catalog lists it";
}

} // namespace

Result<std::optional<ListedEntry>> find_entry(const Reviews& reviews,
                                              const Submission& submission,
                                              const fs::path& tree,
                                              const catalog::Repository& repository) {
    LOCARA_TRY(const std::string name, entry_name(submission));
    const auto targets = repository.targets();
    const catalog::Target* const target = find_target(targets, name);
    if (target == nullptr) {
        return std::optional<ListedEntry>();
    }
    LOCARA_TRY(auto entry, read_entry(reviews, submission, tree, *target));
    return std::optional(std::move(entry));
}

Result<std::vector<Submission>> follow_catalog(Reviews& reviews,
                                               const std::vector<catalog::Target>& before,
                                               const fs::path& tree,
                                               const catalog::Repository& repository,
                                               const std::string& who,
                                               const std::string& why) {
    std::vector<Submission> moved;
    const auto now = repository.targets();
    if (now == before) {
        return moved;
    }
    LOCARA_TRY(const auto all, reviews.list());
    for (const Submission& one : all) {
        LOCARA_TRY(const std::string name, entry_name(one));
        const catalog::Target* const was = find_target(before, name);
        const catalog::Target* const is = find_target(now, name);
        const bool came = is != nullptr && (was == nullptr || was->hashes != is->hashes);
        const bool went = is == nullptr && was != nullptr;
        std::optional<ReviewStep> step;
        if (one.state == ReviewState::Approved && came) {
            LOCARA_TRY(const auto entry, read_entry(reviews, one, tree, *is));
            if (entry.same) {
                step = ReviewStep{ReviewState::Published, who, "", why};
            }
        } else if (one.state == ReviewState::Published && went) {
            step = ReviewStep{ReviewState::Yanked, who, "", why.empty() ? kNoLongerListed : why};
        }
        if (step) {
            LOCARA_TRY(moved.emplace_back(), reviews.step(one.number, *step));
        }
    }
    return moved;
}

Result<std::vector<std::string>> find_disagreements(const Reviews& reviews,
                                                    const fs::path& tree,
                                                    const catalog::Repository& repository) {
    LOCARA_TRY(const auto all, reviews.list());
    const auto targets = repository.targets();
    // Of a version that was submitted several times the newest counts: after a publication there is
    // none, and who submits before it rejects what waits.
    std::map<std::string, const Submission*> newest;
    for (const Submission& one : all) {
        LOCARA_TRY(const std::string name, entry_name(one));
        if (find_target(targets, name) != nullptr) {
            LOCARA_TRY(const bool failed, failed_its_check(reviews, one));
            if (failed) {
                continue;
            }
        }
        newest[name] = &one;
    }
    std::vector<std::string> found;
    for (const auto& [name, one] : newest) {
        std::optional<ListedEntry> listed;
        if (const catalog::Target* const target = find_target(targets, name)) {
            LOCARA_TRY(listed, read_entry(reviews, *one, tree, *target));
        }
        if (std::string what = describe_disagreement(*one, listed); !what.empty()) {
            found.push_back(std::move(what));
        }
    }
    return found;
}

Status check_lists_nothing_of(const fs::path& data, const std::string& publisher) {
    const auto repository = catalog::Repository::load(data / "catalog", data / "keys");
    if (!repository) {
        const bool none = repository.error().code() == ErrorCode::NotFound; // yet
        return none ? Status() : Status(repository.error());
    }
    std::set<std::string> listed; // without versions
    LOCARA_TRY(const auto bundles, list_bundles(data / "catalog", *repository));
    for (const PublishedBundle& bundle : bundles) {
        if (equals_ignoring_case(bundle.app.publisher, publisher)) {
            listed.insert("the app " + bundle.app.render());
        }
    }
    for (const catalog::Target& target : repository->targets()) {
        const fs::path model = fs::path(target.name).parent_path().lexically_relative("models");
        if (target.role == "models" &&
            equals_ignoring_case(model.parent_path().string(), publisher)) {
            listed.insert("the model " + model.string());
        }
    }
    if (listed.empty()) {
        return {};
    }
    std::string names;
    for (const std::string& one : listed) {
        names += (names.empty() ? "" : ", ") + one;
    }
    return Error(ErrorCode::Conflict,
                 "the catalog lists " + names + " of '" + publisher +
                     "', and whoever had the name next would get their users; take them out first "
                     "(`locara-hub review yank`, `locara-hub model rm`)");
}

} // namespace locara::hub
