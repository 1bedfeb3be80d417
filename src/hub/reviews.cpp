#include <locara/base/file.hpp>
#include <locara/base/line.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/formats/rules.hpp>
#include <locara/hub/reviews.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLog = "reviews.jsonl";
constexpr const char* kLock = "reviews.lock";
constexpr const char* kReports = "reviews";
constexpr std::uint64_t kReportLimit = 16U << 20U;

/// A line of the log has at most 64 KiB.
constexpr std::size_t kWhyBytes = 4096;

/// Nothing of it ever goes: it is the record.
constexpr crypto::ChainedLogLimits kKeepAll{.file_bytes = 1ULL << 40U, .older_files = 1};

struct Name {
    ReviewState state;
    std::string_view text;
};

constexpr Name kNames[] = {{ReviewState::Checking, "checking"},
                           {ReviewState::NeedsReview, "needs-review"},
                           {ReviewState::Approved, "approved"},
                           {ReviewState::Published, "published"},
                           {ReviewState::Rejected, "rejected"},
                           {ReviewState::Yanked, "yanked"},
                           {ReviewState::TakenDown, "taken-down"}};

struct Arrow {
    ReviewState from;
    ReviewState to;
};

constexpr Arrow kArrows[] = {{ReviewState::Checking, ReviewState::NeedsReview},
                             {ReviewState::Checking, ReviewState::Rejected},
                             {ReviewState::NeedsReview, ReviewState::NeedsReview}, // checked again
                             {ReviewState::NeedsReview, ReviewState::Approved},
                             {ReviewState::NeedsReview, ReviewState::Rejected},
                             {ReviewState::Approved, ReviewState::Published},
                             {ReviewState::Approved, ReviewState::Rejected},
                             {ReviewState::Published, ReviewState::Yanked},
                             {ReviewState::Published, ReviewState::TakenDown},
                             {ReviewState::Yanked, ReviewState::TakenDown},
                             {ReviewState::TakenDown, ReviewState::Published}, // lifted
                             {ReviewState::TakenDown, ReviewState::Yanked}};   // lifted

bool leads(ReviewState from, ReviewState to) {
    return std::any_of(std::begin(kArrows), std::end(kArrows), [&](const Arrow& arrow) {
        return arrow.from == from && arrow.to == to;
    });
}

bool is_open(ReviewState state) {
    return state == ReviewState::Checking || state == ReviewState::NeedsReview ||
           state == ReviewState::Approved;
}

bool was_published(ReviewState state) {
    return state == ReviewState::Published || state == ReviewState::Yanked ||
           state == ReviewState::TakenDown;
}

std::string text_of(const Json& line, const char* member) {
    const auto found = line.find(member);
    return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The elements of a list; none where there is no list.
Json list_of(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_array() ? *found : Json::array();
}

/// Calls `visit` with each file of the app or of what it pins that is flagged, and its verdict.
template <class Visit> void each_flag(const Json& report, Visit visit) {
    const auto look = [&visit](const Json& file, const Json& verdict) {
        if (verdict.is_object() && text_of(verdict, "verdict") == "flag") {
            visit(file, verdict);
        }
    };
    for (const Json& found : list_of(report, "verdicts")) {
        look(found, found);
    }
    for (const Json& model : list_of(report, "pins")) {
        for (const Json& file : list_of(model, "files")) {
            look(file, file.value("verdict", Json()));
        }
    }
}

/// Where every submission stands after the lines seen so far.
class Replay {
  public:
    Status add(const Json& line) {
        const auto number = line.find("submission");
        if (number == line.end() || !number->is_number_unsigned()) {
            return {}; // "recovered"
        }
        const std::string event = text_of(line, "event");
        if (event == "submitted") {
            Submission made;
            made.number = number->get<std::uint64_t>();
            made.app = text_of(line, "app");
            made.version = text_of(line, "version");
            made.commit = text_of(line, "commit");
            made.by = text_of(line, "by");
            made.publisher = text_of(line, "publisher");
            LOCARA_TRY(made.when, parse_time(text_of(line, "time")));
            all_[made.number] = std::move(made);
            return {};
        }
        const auto found = all_.find(number->get<std::uint64_t>());
        const auto state = parse_review_state(event);
        if (found == all_.end() || !state || !may_become(found->second, *state)) {
            return Error(ErrorCode::Corrupt,
                         "the reviews' log has a step '" + event + "' of submission " +
                             std::to_string(number->get<std::uint64_t>()) + " that cannot be");
        }
        if (*state == ReviewState::TakenDown) {
            stood_[found->first] = found->second.state;
        }
        found->second.state = *state;
        if (const std::string report = text_of(line, "report"); !report.empty()) {
            found->second.report = report;
        }
        return {};
    }

    const std::map<std::uint64_t, Submission>& all() const { return all_; }

    /// Whether an arrow leads there. From taken-down only back to where it stood.
    bool may_become(const Submission& one, ReviewState to) const {
        return leads(one.state, to) && (one.state != ReviewState::TakenDown || stood(one) == to);
    }

    /// Of one that is taken down: where it stood before.
    ReviewState stood(const Submission& one) const { return stood_.at(one.number); }

  private:
    std::map<std::uint64_t, Submission> all_;
    std::map<std::uint64_t, ReviewState> stood_; // of those that are or were taken down
};

/// One at a time, readers too: a reader must not see half a line. What a crash left of one is cut
/// off before anybody reads.
Result<FileLock> take_turn(const fs::path& data, const Clock& clock) {
    LOCARA_TRY(FileLock turn, lock_reviews(data));
    std::error_code error;
    if (fs::exists(data / kLog, error)) {
        LOCARA_CHECK(crypto::ChainedLog::open(data / kLog, clock, kKeepAll));
    }
    return turn;
}

/// REQUIRES: take_turn. A log that is not there yet has no lines.
Result<Replay> replay(const fs::path& data) {
    Replay out;
    const auto read =
        crypto::ChainedLog::verify(data / kLog, [&out](const Json& line) { return out.add(line); });
    if (!read && read.error().code() != ErrorCode::NotFound) {
        return read.error();
    }
    return out;
}

Result<Submission> find(const Replay& reviews, std::uint64_t number) {
    const auto found = reviews.all().find(number);
    if (found == reviews.all().end()) {
        return Error(ErrorCode::NotFound,
                     "there is no submission " + std::to_string(number) +
                         "; `locara-hub review list` shows all");
    }
    return found->second;
}

Status append(crypto::ChainedLog& log,
              const Submission& submission,
              const ReviewStep& step,
              const std::string& report = "") {
    Json fields = {{"submission", submission.number}, {"by", step.who}};
    if (!step.rule.empty()) {
        fields["rule"] = step.rule;
    }
    if (!step.why.empty()) {
        fields["why"] = step.why;
    }
    if (!report.empty()) {
        fields["report"] = report;
    }
    if (!step.accepted.empty()) {
        fields["accepted"] = step.accepted;
    }
    return log.append(render(step.to), fields);
}

/// The report that the log names by its SHA-256. Corrupt if the file is another.
Result<std::string> read_report(const fs::path& data, const std::string& digest) {
    const fs::path path = data / kReports / (digest + ".json");
    LOCARA_TRY(std::string text, read_file(path, kReportLimit));
    if (crypto::sha256(as_bytes(text)).render() != digest) {
        return Error(ErrorCode::Corrupt, path.string() + " is not the report that was noted");
    }
    return text;
}

} // namespace

std::string_view render(ReviewState state) {
    return std::find_if(std::begin(kNames),
                        std::end(kNames),
                        [state](const Name& name) { return name.state == state; })
        ->text;
}

std::optional<ReviewState> parse_review_state(std::string_view text) {
    const auto* const found = std::find_if(std::begin(kNames),
                                           std::end(kNames),
                                           [text](const Name& name) { return name.text == text; });
    return found == std::end(kNames) ? std::nullopt : std::optional(found->state);
}

bool is_flag(std::string_view word) {
    const formats::Rule* const rule = formats::find_rule(word);
    return rule != nullptr && rule->decision == formats::Decision::Flag;
}

std::vector<Obstacle> flag_obstacles(const Json& report) {
    std::map<std::string, std::vector<std::string>> files; // by rule
    each_flag(report, [&files](const Json& file, const Json& verdict) {
        if (file.value("accepted", Json()).is_null()) {
            files[text_of(verdict, "rule")].push_back(text_of(file, "path") + ": " +
                                                      text_of(verdict, "reason"));
        }
    });
    std::vector<Obstacle> found;
    for (const auto& [rule, which] : files) {
        std::string text = "the gate flags " + which.front();
        if (which.size() > 1) {
            text += " (and " + std::to_string(which.size() - 1) + " more by the same rule)";
        }
        found.push_back({rule, std::move(text)});
    }
    return found;
}

std::vector<Obstacle> page_obstacles(const Json& report) {
    const auto page = report.find("page");
    if (page == report.end() || !page->is_object() || page->value("checked", Json()) != true) {
        const std::string why =
            page != report.end() && page->is_object() ? text_of(*page, "why") : "";
        return {{"unchecked", "nobody looked at its page" + (why.empty() ? "" : ": " + why)}};
    }
    std::vector<Obstacle> found;
    if (page->value("blank", Json()) != false) {
        found.push_back({"blank", "its page stays empty"});
    }
    const Json faults = list_of(*page, "violations");
    const auto grave = std::find_if(faults.begin(), faults.end(), [](const Json& fault) {
        return fault.is_object() &&
               (text_of(fault, "impact") == "serious" || text_of(fault, "impact") == "critical");
    });
    if (grave != faults.end()) {
        found.push_back(
            {"accessibility", "not everybody can use its page: " + text_of(*grave, "help")});
    }
    const Json reach = list_of(*page, "reach");
    if (!reach.empty()) {
        found.push_back({"reach", "its page reaches for " + text_of(reach.front(), "what")});
    }
    return found;
}

std::vector<Obstacle> publisher_obstacles(const Json& report) {
    const Json publisher = report.value("publisher", Json());
    const Json before = publisher.is_object() ? publisher.value("before", Json()) : Json();
    if (!before.is_object()) {
        return {};
    }
    return {{std::string(kPublisherObstacle),
             "another account has the name of its publisher (id " + text_of(publisher, "id") +
                 ") than had it when " + text_of(before, "version") + " was submitted (id " +
                 text_of(before, "id") + ", by " + text_of(before, "by") +
                 "), and it would get that one's users, with what the app has saved"}};
}

std::vector<Obstacle> obstacles(const Json& report) {
    std::vector<Obstacle> found = publisher_obstacles(report);
    for (const auto& more : {flag_obstacles(report), page_obstacles(report)}) {
        found.insert(found.end(), more.begin(), more.end());
    }
    return found;
}

Result<FileLock> lock_reviews(const fs::path& data) {
    return FileLock::acquire(data / kLock, [] { return false; });
}

Reviews::Reviews(fs::path data, const Clock& clock) : data_(std::move(data)), clock_(clock) {}

Result<Submission> Reviews::submit(const std::string& app,
                                   const std::string& version,
                                   const std::string& commit,
                                   const std::string& by,
                                   const std::string& publisher) {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto before, replay(data_));
    std::vector<Submission> superseded;
    for (const auto& [number, one] : before.all()) {
        if (one.app != app || one.version != version) {
            continue;
        }
        if (was_published(one.state)) {
            return Error(ErrorCode::Conflict,
                         app + " " + version + " was published before (submission " +
                             std::to_string(number) +
                             "), and what was published once stays as it is: raise \"version\"");
        }
        if (is_open(one.state) && one.commit == commit && one.publisher == publisher) {
            return one;
        }
        if (is_open(one.state)) {
            superseded.push_back(one);
        }
    }
    LOCARA_TRY(auto log, crypto::ChainedLog::open(data_ / kLog, clock_, kKeepAll));
    Submission made;
    made.number = before.all().empty() ? 1 : before.all().rbegin()->first + 1;
    for (const Submission& one : superseded) {
        LOCARA_CHECK(append(log,
                            one,
                            {ReviewState::Rejected,
                             "hub",
                             "superseded",
                             "submission " + std::to_string(made.number) +
                                 " brings another commit of the same version"}));
    }
    made.app = app;
    made.version = version;
    made.commit = commit;
    made.by = by;
    made.publisher = publisher;
    made.when = clock_.now();
    Json line = {{"submission", made.number},
                 {"app", app},
                 {"version", version},
                 {"commit", commit},
                 {"by", by}};
    if (!publisher.empty()) {
        line["publisher"] = publisher;
    }
    LOCARA_CHECK(log.append("submitted", line));
    return made;
}

Result<Submission> Reviews::note_check(std::uint64_t number, const Json& report, bool passes) {
    const std::string text = render_json(report);
    const std::string digest = crypto::sha256(as_bytes(text)).render();
    LOCARA_CHECK(create_folders(data_ / kReports, 0700));
    LOCARA_CHECK(
        write_file_atomically(data_ / kReports / (digest + ".json"), as_bytes(text), 0600));
    ReviewStep step{ReviewState::NeedsReview, "hub", "", ""};
    if (!passes) {
        const Json& first = report.at("findings").at(0);
        step.to = ReviewState::Rejected;
        step.rule = text_of(first, "rule");
        step.why = text_of(first, "message");
        if (step.why.size() > kWhyBytes) {
            step.why = "see the report";
        }
    }
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto before, replay(data_));
    LOCARA_TRY(Submission submission, find(before, number));
    if (!leads(submission.state, step.to)) {
        return Error(ErrorCode::Conflict,
                     "submission " + std::to_string(number) + " is " +
                         std::string(render(submission.state)) + " already");
    }
    LOCARA_TRY(auto log, crypto::ChainedLog::open(data_ / kLog, clock_, kKeepAll));
    LOCARA_CHECK(append(log, submission, step, digest));
    submission.state = step.to;
    submission.report = digest;
    return submission;
}

Result<Submission> Reviews::step(std::uint64_t number, const ReviewStep& step) {
    const bool must_say_why = step.to == ReviewState::Rejected || step.to == ReviewState::Yanked;
    if (must_say_why || !step.why.empty()) {
        LOCARA_CHECK(check_filled_line(step.why).context("why"));
    }
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto before, replay(data_));
    LOCARA_TRY(Submission submission, find(before, number));
    if (!before.may_become(submission, step.to)) {
        return Error(ErrorCode::Conflict,
                     "submission " + std::to_string(number) + " (" + submission.app + " " +
                         submission.version + ") is " + std::string(render(submission.state)) +
                         ": it cannot become " + std::string(render(step.to)));
    }
    LOCARA_TRY(auto log, crypto::ChainedLog::open(data_ / kLog, clock_, kKeepAll));
    LOCARA_CHECK(append(log, submission, step));
    submission.state = step.to;
    return submission;
}

Json audit_fields(const Submission& one, const std::string& curator) {
    return {{"submission", one.number},
            {"app", one.app},
            {"version", one.version},
            {"state", render(one.state)},
            {"curator", curator}};
}

Result<std::vector<Submission>> Reviews::follow(const catalog::TakedownList& list,
                                                const std::string& who) {
    std::error_code error;
    if (!fs::exists(data_ / kLog, error)) {
        return std::vector<Submission>(); // nothing was ever submitted: no files are made for that
    }
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto before, replay(data_));
    std::vector<Submission> moved;
    std::optional<crypto::ChainedLog> log;
    for (const auto& [number, one] : before.all()) {
        if (!was_published(one.state)) {
            continue;
        }
        LOCARA_TRY(const auto entry, find_entry(list, one));
        const bool blocked = entry && entry->action != catalog::TakedownAction::Warn;
        if (blocked == (one.state == ReviewState::TakenDown)) {
            continue;
        }
        ReviewStep step{ReviewState::TakenDown, who, "", ""};
        if (!blocked) {
            step.to = before.stood(one);
        }
        const std::string reason = entry && entry->reason.size() <= kWhyBytes ? entry->reason : "";
        step.why = blocked ? reason : "lifted" + (reason.empty() ? "" : ": " + reason);
        if (!log) {
            LOCARA_TRY(log, crypto::ChainedLog::open(data_ / kLog, clock_, kKeepAll));
        }
        LOCARA_CHECK(append(*log, one, step));
        moved.push_back(one);
        moved.back().state = step.to;
    }
    return moved;
}

Result<std::optional<catalog::TakedownEntry>> Reviews::find_entry(const catalog::TakedownList& list,
                                                                  const Submission& one) const {
    auto strictest = list.find("app", one.app, one.version);
    const bool by_content =
        std::any_of(list.entries().begin(), list.entries().end(), [](const auto& entry) {
            return entry.kind == "bundle" || entry.kind == "file";
        });
    if (!by_content || one.report.empty()) {
        return strictest;
    }
    LOCARA_TRY(const Json checked, report(one));
    const auto bundle = checked.find("bundle");
    if (bundle == checked.end() || !bundle->is_object()) {
        return strictest;
    }
    for (const char* member : {"id", "archive"}) {
        const auto found = list.find("bundle", text_of(*bundle, member));
        strictest = catalog::stricter(std::move(strictest), found);
    }
    for (const Json& file : list_of(*bundle, "sha256")) {
        if (file.is_string()) {
            strictest = catalog::stricter(std::move(strictest),
                                          list.find("file", "sha256:" + file.get<std::string>()));
        }
    }
    return strictest;
}

Result<std::optional<Submission>> Reviews::find_before(const Submission& submission) const {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto reviews, replay(data_));
    std::optional<Submission> found;
    for (const auto& [number, one] : reviews.all()) {
        if (number < submission.number && one.app == submission.app && was_published(one.state)) {
            found = one;
        }
    }
    return found;
}

Result<std::vector<Submission>> Reviews::list() const {
    std::error_code error;
    if (!fs::exists(data_ / kLog, error)) {
        return std::vector<Submission>(); // as follow()
    }
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto reviews, replay(data_));
    std::vector<Submission> out;
    for (const auto& [number, one] : reviews.all()) {
        out.push_back(one);
    }
    return out;
}

Result<Submission> Reviews::get(std::uint64_t number) const {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    LOCARA_TRY(const auto reviews, replay(data_));
    return find(reviews, number);
}

Result<std::vector<Json>> Reviews::steps(std::uint64_t number) const {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    std::vector<Json> out;
    LOCARA_CHECK(crypto::ChainedLog::verify(data_ / kLog, [&](const Json& line) -> Status {
        const auto of = line.find("submission");
        if (of != line.end() && *of == number) {
            out.push_back(line);
        }
        return {};
    }));
    return out;
}

Result<Json> Reviews::report(const Submission& submission) const {
    if (submission.report.empty()) {
        return Error(ErrorCode::NotFound,
                     "submission " + std::to_string(submission.number) +
                         " has not been checked; `locara-hub review check` does it");
    }
    LOCARA_TRY(const std::string text, read_report(data_, submission.report));
    return parse_json(text);
}

Result<AcceptedFlags> Reviews::accepted_flags() const {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    Replay reviews;
    std::map<std::uint64_t, std::set<std::string>> accepted;
    const auto read = crypto::ChainedLog::verify(data_ / kLog, [&](const Json& line) -> Status {
        LOCARA_CHECK(reviews.add(line));
        for (const Json& word : list_of(line, "accepted")) {
            if (word.is_string()) {
                accepted[line.at("submission").get<std::uint64_t>()].insert(
                    word.get<std::string>());
            }
        }
        return {};
    });
    if (!read && read.error().code() != ErrorCode::NotFound) {
        return read.error();
    }
    AcceptedFlags out;
    for (const auto& [number, words] : accepted) {
        const Submission& one = reviews.all().at(number);
        const bool stands = one.state == ReviewState::Approved ||
                            one.state == ReviewState::Published || one.state == ReviewState::Yanked;
        if (!stands || std::none_of(words.begin(), words.end(), is_flag)) {
            continue;
        }
        LOCARA_TRY(const Json checked, report(one));
        each_flag(checked,
                  [&, &number = number, &words = words](const Json& file, const Json& verdict) {
                      if (const std::string rule = text_of(verdict, "rule"); words.contains(rule)) {
                          out.emplace(std::pair(text_of(file, "sha256"), rule), number);
                      }
                  });
    }
    return out;
}

Result<crypto::ChainedLog::Report> Reviews::verify() const {
    LOCARA_TRY(const auto turn, take_turn(data_, clock_));
    std::set<std::string> reports;
    LOCARA_TRY(auto whole,
               crypto::ChainedLog::verify(data_ / kLog, [&reports](const Json& line) -> Status {
                   if (const std::string report = text_of(line, "report"); !report.empty()) {
                       reports.insert(report);
                   }
                   return {};
               }));
    for (const std::string& digest : reports) {
        auto read = read_report(data_, digest);
        if (!read && read.error().code() == ErrorCode::NotFound) {
            return Error(ErrorCode::Corrupt,
                         "the log names the report " + digest + ", and there is none");
        }
        LOCARA_CHECK(std::move(read));
    }
    return whole;
}

} // namespace locara::hub
