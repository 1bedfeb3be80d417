#include "database.hpp"
#include "layout.hpp"
#include "review_check.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/review_catalog.hpp>
#include <locara/manifest/app_entry.hpp>

#include <algorithm>
#include <system_error>

namespace locara::hub {

namespace fs = std::filesystem;

namespace {

/// The names in the catalog of a submission's bundle and entry.
struct Targets {
    std::string bundle;
    std::string entry;

    static Result<Targets> of(const Submission& submission) {
        LOCARA_TRY(const auto id, manifest::AppId::parse(submission.app));
        LOCARA_TRY(const auto version, manifest::Version::parse(submission.version));
        return Targets{manifest::bundle_target(id, version), manifest::entry_target(id, version)};
    }
};

bool lists(const catalog::Repository& repository, const std::string& name) {
    const auto targets = repository.targets();
    return std::any_of(targets.begin(), targets.end(), [&name](const catalog::Target& target) {
        return target.name == name;
    });
}

} // namespace

struct ReviewDesk::State {
    State(fs::path folder,
          const Clock& c,
          const std::shared_ptr<Database>& database,
          std::unique_ptr<cas::Backend> b)
        : data(std::move(folder)), clock(c), names(database), verdicts(database),
          backend(std::move(b)), chunks(*backend, {.clock = &clock}), reviews(data, clock) {}

    ReviewSources sources() const { return {data, names, verdicts, chunks, clock}; }

    const fs::path data;
    const Clock& clock;
    const Names names;
    const VerdictStore verdicts;
    const std::unique_ptr<cas::Backend> backend;
    cas::Cas chunks;
    Reviews reviews;
};

ReviewDesk::ReviewDesk(std::unique_ptr<State> state) : state_(std::move(state)) {}

ReviewDesk::ReviewDesk(ReviewDesk&&) noexcept = default;
ReviewDesk& ReviewDesk::operator=(ReviewDesk&&) noexcept = default;
ReviewDesk::~ReviewDesk() = default;

Result<ReviewDesk> ReviewDesk::open(const fs::path& data, const Clock& clock) {
    LOCARA_TRY(const auto database, Database::open_in(data, Database::IfMissing::Fail));
    LOCARA_TRY(auto backend, cas::open_directory(data / kChunks, clock));
    return ReviewDesk(
        std::make_unique<State>(fs::absolute(data), clock, database, std::move(backend)));
}

Reviews& ReviewDesk::reviews() {
    return state_->reviews;
}

Result<Submission> ReviewDesk::check(std::uint64_t number, const PageCheck& page) {
    LOCARA_TRY(const Submission submission, state_->reviews.get(number));
    LOCARA_TRY(const auto checked,
               check_submission(state_->sources(), submission, page, PinDepth::Hash));
    return state_->reviews.note_check(number, checked.report, checked.passes());
}

Result<Submission> ReviewDesk::approve(std::uint64_t number, const ReviewStep& step) {
    for (const std::string& word : step.accepted) {
        const bool page = std::find(std::begin(kPageObstacles), std::end(kPageObstacles), word) !=
                          std::end(kPageObstacles);
        if (!page && word != kPublisherObstacle && !is_flag(word)) {
            return Error(ErrorCode::InvalidArgument,
                         "nothing called '" + word + "' can be accepted");
        }
        if (!page && step.why.empty()) {
            return Error(ErrorCode::InvalidArgument,
                         "whoever accepts '" + word + "' says why: --why TEXT");
        }
    }
    LOCARA_TRY(const Submission submission, state_->reviews.get(number));
    if (submission.state == ReviewState::NeedsReview) { // else the step says what is wrong
        LOCARA_TRY(const Json report, state_->reviews.report(submission));
        for (const Obstacle& one : obstacles(report)) {
            if (std::find(step.accepted.begin(), step.accepted.end(), one.word) ==
                step.accepted.end()) {
                return Error(ErrorCode::Refused,
                             one.text + "; whoever approves it all the same says `--accept " +
                                 one.word + "`");
            }
        }
    }
    return state_->reviews.step(number, step);
}

Result<Submission> ReviewDesk::reject(std::uint64_t number, const ReviewStep& step) {
    LOCARA_TRY(const Submission submission, state_->reviews.get(number));
    const fs::path tree = state_->data / "catalog";
    LOCARA_TRY(const auto repository, catalog::Repository::load(tree, state_->data / "keys"));
    LOCARA_TRY(const auto listed, find_entry(state_->reviews, submission, tree, repository));
    const bool waits = submission.state == ReviewState::NeedsReview; // and is listed all the same
    if (listed && listed->same && (waits || submission.state == ReviewState::Approved)) {
        const std::string n = std::to_string(number);
        return Error(ErrorCode::Conflict,
                     "the catalog lists " + submission.app + " " + submission.version +
                         ", so it cannot be called rejected: `locara-hub review " +
                         (waits ? "approve " + n + "`, `" : "") + "publish " + n +
                         "` notes that, and `yank " + n + "` takes it out");
    }
    return state_->reviews.step(number, step);
}

Result<ReviewDesk::Staged> ReviewDesk::stage(const Submission& submission,
                                             catalog::Repository& repository) {
    LOCARA_TRY(const auto listed,
               find_entry(state_->reviews, submission, state_->data / "catalog", repository));
    if (listed && !listed->same) {
        return Error(ErrorCode::Conflict,
                     "the catalog lists " + submission.app + " " + submission.version +
                         " with another bundle than the one that submission " +
                         std::to_string(submission.number) +
                         " was checked with, and nobody approved that; call it back: `locara-hub "
                         "takedown add " +
                         listed->bundle + " --kind bundle`");
    }
    if (listed) {
        return Staged::No;
    }
    LOCARA_TRY(const Targets names, Targets::of(submission));
    LOCARA_TRY(const auto checked,
               check_submission(state_->sources(), submission, {}, PinDepth::Hash));
    if (const Status passes = checked.app.status(); !passes) {
        return Error(ErrorCode::Refused,
                     submission.app + " " + submission.version + ": " + passes.error().describe());
    }
    if (const auto flags = flag_obstacles(checked.report); !flags.empty()) {
        return Error(ErrorCode::Refused,
                     submission.app + " " + submission.version + ": " + flags.front().text +
                         ", which nobody accepted (" + flags.front().word +
                         "): reject it; submitted again, it can be approved knowingly");
    }
    const manifest::PackedBundle& bundle = *checked.app.bundle;
    LOCARA_TRY(const std::string entry,
               manifest::AppEntry::render(
                   bundle.manifest_json, bundle.archive_bytes, bundle.archive_sha256, bundle.id));
    LOCARA_CHECK(repository.put_target_file(names.bundle, checked.archive()));
    LOCARA_CHECK(repository.put_target(names.entry, as_bytes(entry)));
    return Staged::Yes;
}

Result<ReviewDesk::Staged> ReviewDesk::unstage(const Submission& submission,
                                               catalog::Repository& repository) {
    LOCARA_TRY(const Targets names, Targets::of(submission));
    if (!lists(repository, names.entry)) {
        return Staged::No;
    }
    LOCARA_CHECK(repository.remove_target(names.entry));
    LOCARA_CHECK(repository.remove_target(names.bundle));
    return Staged::Yes;
}

} // namespace locara::hub
