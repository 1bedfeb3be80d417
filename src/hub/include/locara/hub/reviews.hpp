// Reviews: the way of an app's version from its repository into the catalog, each step on record.
//
//     draft -> checking -> needs-review -> approved -> published -> yanked, taken-down
//                       -> rejected     -> rejected
//
// What the takedown list blocks is taken down here too, and stands where it stood when that is
// lifted.
//
// A draft is what lies in an app's repository and was not submitted. A submission names one commit
// of it; it is checked at once (policy/app_report.hpp and what only a hub knows), and what has an
// error is rejected by that. Curators decide about the rest. There is no other record than the log
// `reviews.jsonl`, a crypto::ChainedLog (docs/formats/reviews.md): where a submission stands is
// read from its lines. The report of a check lies beside it in `reviews/`, named by its digest.
// Threads and processes: calls may come from any; writers take turns. Calls block on the disk.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/chained_log.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::hub {

enum class ReviewState {
    Checking,
    NeedsReview,
    Approved,
    Published,
    Rejected,
    Yanked,
    TakenDown,
};

/// "checking", "needs-review", ...
std::string_view render(ReviewState state);
std::optional<ReviewState> parse_review_state(std::string_view text);

struct Submission {
    std::uint64_t number = 0; ///< From 1.
    std::string app;          ///< "publisher/name", which names its repository too.
    std::string version;
    std::string commit;    ///< 40 hex digits.
    std::string by;        ///< The account that submitted it.
    std::string publisher; ///< The id of the account that had the namespace; empty if not known.
    TimePoint when;
    ReviewState state = ReviewState::Checking;
    std::string report; ///< SHA-256 of the newest check's report; empty before.
};

/// A curator's or the hub's step.
struct ReviewStep {
    ReviewState to = ReviewState::Rejected;
    std::string who;                        ///< "hub" for what it decides by itself.
    std::string rule;                       ///< Of a rejection; else empty.
    std::string why;                        ///< One line for people; see Reviews::step.
    std::vector<std::string> accepted = {}; ///< Of an approval: what was accepted knowingly.
};

/// What the audit log's `reviewed` has of a step that a submission just made.
Json audit_fields(const Submission& one, const std::string& curator);

/// What stands against an approval until a curator accepts it knowingly, by its word.
struct Obstacle {
    std::string word; ///< One of kPageObstacles, kPublisherObstacle, or the rule of a flag.
    std::string text; ///< One line for people.
};

inline constexpr std::string_view kPageObstacles[] = {
    "accessibility", "blank", "reach", "unchecked"};

/// Whether a word is the rule of a flag.
bool is_flag(std::string_view word);

/// Files of the app and of what it pins that the gate flags and nobody accepted, a rule each; by
/// the members `verdicts` and `pins` of a report.
std::vector<Obstacle> flag_obstacles(const Json& report);

/// By the member `page`: a page that nobody looked at, that stays empty, with an accessibility
/// fault of impact serious or critical, or that reaches for anything outside.
std::vector<Obstacle> page_obstacles(const Json& report);

/// Another account has the namespace than had it when the version before was submitted.
inline constexpr std::string_view kPublisherObstacle = "publisher";

/// By the member `publisher`: that one.
std::vector<Obstacle> publisher_obstacles(const Json& report);

/// All of them.
std::vector<Obstacle> obstacles(const Json& report);

/// What a curator accepted though the gate flags it: content by its SHA-256, and the rule. With
/// the number of the submission whose record says who did, and why.
using AcceptedFlags = std::map<std::pair<std::string, std::string>, std::uint64_t>;

/// Keeps everybody from the record of reviews of a data folder as long as it is held: for copying.
Result<FileLock> lock_reviews(const std::filesystem::path& data);

class Reviews {
  public:
    /// The reviews of a hub's data folder; nothing is touched before a call.
    Reviews(std::filesystem::path data, const Clock& clock);

    /// Notes a submission. An open one of the same commit is returned as it is; open ones of the
    /// same version are rejected as superseded. `by` is the name of who submits, `publisher` as in
    /// Submission. Conflict when the version was published before: what was published once stays
    /// as it is.
    Result<Submission> submit(const std::string& app,
                              const std::string& version,
                              const std::string& commit,
                              const std::string& by,
                              const std::string& publisher = "");

    /// Keeps the report and moves the submission on: to needs-review if it passes, else to
    /// rejected. NotFound; Conflict when it is decided already.
    Result<Submission> note_check(std::uint64_t number, const Json& report, bool passes);

    /// Moves a submission on. NotFound; Conflict where no arrow leads; InvalidArgument unless `why`
    /// is a line that says something (check_filled_line), or nothing where it is neither rejected
    /// nor yanked.
    Result<Submission> step(std::uint64_t number, const ReviewStep& step);

    /// Brings the record in line with the takedown list. Published and yanked submissions whose
    /// app or bundle, or a file in it, it blocks (a warning does not) become taken-down; those it
    /// blocks no longer stand again where they stood. Returns those that moved; `who` says who
    /// changed the list. Calling it again moves nothing. Corrupt if a report is needed and is not
    /// what was noted.
    Result<std::vector<Submission>> follow(const catalog::TakedownList& list,
                                           const std::string& who);

    /// The version before: of the same app's earlier submissions that were published, the last.
    Result<std::optional<Submission>> find_before(const Submission& submission) const;

    /// In order of submission.
    Result<std::vector<Submission>> list() const;
    Result<Submission> get(std::uint64_t number) const; ///< NotFound

    /// The lines of the log about one submission.
    Result<std::vector<Json>> steps(std::uint64_t number) const;

    /// The report of the newest check. NotFound before; Corrupt if it is not what was noted.
    Result<Json> report(const Submission& submission) const;

    /// Of the submissions that are approved, published or yanked: what was rejected or taken down
    /// afterwards vouches for nothing. Errors as report().
    Result<AcceptedFlags> accepted_flags() const;

    /// Checks the whole log and hashes every report that it names. Corrupt names the first bad
    /// line, or the first report that is absent or another.
    Result<crypto::ChainedLog::Report> verify() const;

  private:
    /// The strictest entry in force for a submission's app, bundle and files.
    Result<std::optional<catalog::TakedownEntry>> find_entry(const catalog::TakedownList& list,
                                                             const Submission& one) const;

    std::filesystem::path data_;
    const Clock& clock_;
};

/// What a curator's machine does with a hub's data folder, whether that hub is serving or not.
class ReviewDesk {
  public:
    /// Looks at the page of an unpacked bundle and answers the report's member `page`
    /// (runtime::check_page, which this module cannot know).
    using PageCheck =
        std::function<Json(const std::filesystem::path& bundle, const manifest::AppManifest& app)>;

    /// NotFound if no hub has worked there. `clock` is borrowed.
    static Result<ReviewDesk> open(const std::filesystem::path& data, const Clock& clock);

    ReviewDesk(ReviewDesk&&) noexcept;
    ReviewDesk& operator=(ReviewDesk&&) noexcept;
    ~ReviewDesk();

    Reviews& reviews();

    /// Checks a submission again and notes it: for one whose check was cut off, or after the gate
    /// learned something, and its page, which the hub itself does not look at. Errors as
    /// Reviews::note_check; Unavailable if a scanner is down.
    Result<Submission> check(std::uint64_t number, const PageCheck& page);

    /// Reviews::step to approved. Refused, naming the first, if an obstacle of its newest report is
    /// not among those accepted; InvalidArgument for a word that is none, and for what is not of
    /// the page and accepted without a why.
    Result<Submission> approve(std::uint64_t number, const ReviewStep& step);

    /// Reviews::step to rejected. Conflict, saying what to do, while the catalog lists the bundle
    /// that was checked: it may have come there by `keys import`.
    Result<Submission> reject(std::uint64_t number, const ReviewStep& step);

    /// Puts an approved app's bundle and entry into the catalog that `repository` is to publish; No
    /// if they are in it already, Conflict if another bundle is under that name. Checked once more:
    /// Refused, with the first error, if it no longer passes, or if the gate flags by now what
    /// nobody accepted.
    enum class Staged { No, Yes };
    Result<Staged> stage(const Submission& submission, catalog::Repository& repository);

    /// Takes them out again. The bytes stay in the tree, and what is installed stays installed.
    static Result<Staged> unstage(const Submission& submission, catalog::Repository& repository);

  private:
    struct State;
    explicit ReviewDesk(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::hub
