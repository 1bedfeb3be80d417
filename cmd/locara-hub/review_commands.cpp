#include "review_commands.hpp"

#include "audit_commands.hpp"
#include "filled_line.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/review_catalog.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/runtime/page_check.hpp>

#include <algorithm>
#include <cstdio>

using namespace locara;
using hub::ReviewDesk;
using hub::ReviewState;
using hub::Submission;

namespace fs = std::filesystem;

namespace {

/// What others wrote goes to a terminal: nothing in it may drive one, or turn what stands beside.
std::string clean(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return clean_line(text);
}

std::string text_of(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_string() ? clean(found->get<std::string>()) : "";
}

Json as_json(const Submission& one) {
    return {{"number", one.number},
            {"app", one.app},
            {"version", one.version},
            {"commit", one.commit},
            {"by", one.by},
            {"submitted", render_time(one.when)},
            {"state", render(one.state)}};
}

void print_facts(const char* mark, const Json& facts) {
    for (const Json& fact : facts) {
        std::printf("  %s %s\n", mark, text_of(fact, "text").c_str());
    }
}

std::string number_of(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_number() ? found->dump() : "?";
}

/// The elements of a list; none where there is no list.
Json list_of(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_array() ? *found : Json::array();
}

std::string line_of(const Json& text) {
    return text.is_string() ? clean(text.get<std::string>()) : "";
}

/// What a browser showed and did, in words.
void print_page(const Json& report) {
    const Json page = report.value("page", Json::object());
    if (page.value("checked", Json()) != true) {
        const std::string why = text_of(page, "why");
        std::printf("Its page was not looked at%s%s\n", why.empty() ? "" : ": ", why.c_str());
        return;
    }
    std::printf("Its page, \"%s\", in %s:\n",
                text_of(page, "title").c_str(),
                text_of(page, "browser").c_str());
    if (page.value("blank", Json()) != false) {
        std::printf("  stays empty\n");
    } else {
        std::printf("  shows something after %s ms\n", number_of(page, "first_paint_ms").c_str());
    }
    for (const Json& fault : list_of(page, "violations")) {
        std::printf("  %-8s %s (%s)\n",
                    text_of(fault, "impact").c_str(),
                    text_of(fault, "help").c_str(),
                    text_of(fault, "rule").c_str());
        for (const Json& place : list_of(fault, "places")) {
            std::printf("           at %s\n", line_of(place).c_str());
        }
    }
    for (const Json& error : list_of(page, "errors")) {
        std::printf("  error    %s\n", line_of(error).c_str());
    }
    const Json reach = list_of(page, "reach");
    for (const Json& tried : reach) {
        std::printf("  reached  for %s (%s, times: %s); nothing got out\n",
                    text_of(tried, "what").c_str(),
                    text_of(tried, "kind").c_str(),
                    number_of(tried, "count").c_str());
    }
    if (page.value("reach_total", Json()) != Json(reach.size())) {
        std::printf("  reached  for %s different things; those above are the first\n",
                    number_of(page, "reach_total").c_str());
    }
    if (hub::page_obstacles(report).empty()) {
        std::printf("  reached for nothing; no grave fault of accessibility (axe-core %s)\n",
                    text_of(page, "axe").c_str());
    }
}

/// What a curator must accept by name.
void print_obstacles(const Json& report) {
    for (const auto& one : hub::obstacles(report)) {
        std::printf(
            "Against an approval: %s (--accept %s)\n", clean(one.text).c_str(), one.word.c_str());
    }
}

/// "; accepted in submission 5": of a flagged file.
std::string acceptance_of(const Json& file) {
    const std::string number = number_of(file, "accepted");
    return number == "?" ? "" : "; accepted in submission " + number;
}

/// What became of the weights that it pins.
void print_pins(const Json& report) {
    for (const Json& model : list_of(report, "pins")) {
        std::printf("Weights of %s %s, %s@%.12s:\n",
                    text_of(model, "model").c_str(),
                    text_of(model, "version").c_str(),
                    text_of(model, "repository").c_str(),
                    text_of(model, "revision").c_str());
        for (const Json& file : list_of(model, "files")) {
            std::printf("  %-9s %s (%s)\n",
                        text_of(file, "state").c_str(),
                        text_of(file, "path").c_str(),
                        text_of(file, "variant").c_str());
            if (const Json verdict = file.value("verdict", Json()); verdict.is_object()) {
                std::printf("            %s: %s (%s)%s\n",
                            text_of(verdict, "verdict").c_str(),
                            text_of(verdict, "reason").c_str(),
                            text_of(verdict, "rule").c_str(),
                            acceptance_of(file).c_str());
            }
        }
    }
}

/// How large it is and who judged its files: what of them they do not simply allow.
void print_bundle(const Json& report) {
    const Json bundle = report.value("bundle", Json());
    if (bundle.is_object()) {
        std::printf("Bundle: %s files, %s\n",
                    number_of(bundle, "files").c_str(),
                    render_size(bundle.value("size", std::uint64_t{0})).c_str());
        // As `review sign` shows it, to be compared.
        std::printf("  archive %s\n", text_of(bundle, "archive").c_str());
        std::printf("  files   %s\n", text_of(bundle, "id").c_str());
    }
    std::printf("Judged by %s\n", text_of(report, "scanner").c_str());
    for (const Json& found : list_of(report, "verdicts")) {
        const std::string member = text_of(found, "member");
        const bool placed = found.value("offset", Json()).is_number();
        std::printf("  %-8s %s%s (%s, %s): %s\n           rule %s%s, by %s %s%s\n",
                    text_of(found, "verdict").c_str(),
                    text_of(found, "path").c_str(),
                    member.empty() ? "" : ("!/" + member).c_str(),
                    text_of(found, "format").c_str(),
                    text_of(found, "label").c_str(),
                    text_of(found, "reason").c_str(),
                    text_of(found, "rule").c_str(),
                    placed ? (" at byte " + number_of(found, "offset")).c_str() : "",
                    text_of(found, "scanner").c_str(),
                    text_of(found, "version").c_str(),
                    acceptance_of(found).c_str());
    }
}

/// What it says of its own license, and what follows from those of its models, each fact with the
/// clause it comes from.
void print_licenses(const Json& report) {
    const Json own = report.value("license", Json());
    if (own.is_object()) {
        std::printf("License: %s%s\n",
                    text_of(own, "id").c_str(),
                    own.value("commercial", Json()) == false ? ", no commercial use" : "");
        for (const Json& conflict : list_of(own, "conflicts")) {
            std::printf("  conflict          %s\n", line_of(conflict).c_str());
        }
    }
    for (const Json& model : list_of(report, "models")) {
        const Json license = model.value("license", Json::object());
        std::printf("License of %s (%s): %s\n",
                    text_of(model, "model").c_str(),
                    text_of(model, "role").c_str(),
                    text_of(license, "id").c_str());
        for (const Json& fact : list_of(license, "facts")) {
            std::string source = text_of(fact, "license");
            for (const char* const member : {"clause", "from"}) {
                const std::string more = text_of(fact, member);
                source += (source.empty() || more.empty() ? "" : ", ") + more;
            }
            std::printf("  %-17s %-8s %s\n",
                        text_of(fact, "fact").c_str(),
                        text_of(fact, "answer").c_str(),
                        source.c_str());
        }
        for (const Json& conflict : list_of(license, "conflicts")) {
            std::printf("  conflict          %s\n", line_of(conflict).c_str());
        }
    }
}

/// A value of a manifest: text line by line behind a mark, the rest as JSON.
void print_value(const char* mark, const Json& value) {
    if (value.is_null()) {
        return;
    }
    std::string_view rest;
    const std::string text = value.is_string() ? value.get<std::string>() : render_json(value);
    for (rest = text;; rest.remove_prefix(rest.find('\n') + 1)) {
        std::printf(
            "    %s %s\n", mark, clean(std::string(rest.substr(0, rest.find('\n')))).c_str());
        if (rest.find('\n') == std::string_view::npos) {
            return;
        }
    }
}

/// What it says it is, and starts with: all of locara.json but what other parts of the report tell.
void print_manifest(const Json& report) {
    const Json manifest = report.value("manifest", Json());
    if (!manifest.is_object()) {
        return; // wrong, or of a report made before this was kept
    }
    std::printf("What it is, by its locara.json:\n");
    for (const char* const member : {"name",
                                     "description",
                                     "category",
                                     "tags",
                                     "details",
                                     "screenshots",
                                     "repository",
                                     "entry"}) {
        const Json value = manifest.value(member, Json());
        if (value.is_null()) {
            continue;
        }
        std::printf("  %s\n", member);
        if (std::string_view(member) != "entry") {
            print_value(" ", value);
            continue;
        }
        // The prompt's text is read as text.
        for (const Json& one : manifest::changed_fields(Json::object(), value)) {
            std::printf("    %s\n", text_of(one, "field").c_str());
            print_value(" ", one.at("now"));
        }
    }
}

/// What of that was another in the version that the catalog has.
void print_changed_fields(const Json& changes) {
    for (const Json& one : list_of(changes, "fields")) {
        std::printf("  ~ %s\n", text_of(one, "field").c_str());
        print_value("-", one.value("was", Json()));
        print_value("+", one.value("now", Json()));
    }
    if (const Json files = changes.value("files", Json()); files.is_object()) {
        std::printf("  ~ its files\n    - %s\n    + %s\n",
                    text_of(files, "was").c_str(),
                    text_of(files, "now").c_str());
    }
}

void print_report(const Json& report) {
    print_manifest(report);
    for (const Json& finding : report.at("findings")) {
        std::printf("  %-8s %-9s %s\n",
                    text_of(finding, "level").c_str(),
                    text_of(finding, "rule").c_str(),
                    text_of(finding, "message").c_str());
    }
    std::printf("People are told:\n");
    print_facts(" ", report.at("facts"));
    const Json& changes = report.at("changes");
    if (changes.is_null()) {
        std::printf("No version of it is in the catalog.\n");
    } else {
        std::printf("Since %s:\n", text_of(changes, "since").c_str());
        print_facts("-", changes.at("gone"));
        print_facts("+", changes.at("come"));
        print_changed_fields(changes);
        if (changes.at("gone").empty() && changes.at("come").empty() &&
            list_of(changes, "fields").empty() && changes.value("files", Json()).is_null()) {
            std::printf("    no change\n");
        }
    }
    print_bundle(report);
    print_licenses(report);
    print_pins(report);
    print_page(report);
    print_obstacles(report);
}

} // namespace

ReviewCommands::ReviewCommands(CLI::App& app)
    : review_(app.add_subcommand("review", "decide which submitted apps enter the catalog")) {
    review_->require_subcommand(1);
    review_->footer("Examples:\n"
                    "  locara-hub review list --state needs-review --data DATA\n"
                    "  locara-hub review show 7 --data DATA\n"
                    "  locara-hub review check 7 --data DATA\n"
                    "  locara-hub review approve 7 --data DATA\n"
                    "  locara-hub review publish 7 --data DATA\n"
                    "  locara-hub review publish 7 --to DRAFTS --data DATA\n"
                    "  locara-hub review sign DRAFTS/3.apps.json --keys KEYS\n"
                    "  locara-hub review reject 7 --rule quality --why \"the page stays empty\" "
                    "--data DATA\n");

    CLI::App* made = verb("list", "what was submitted, and where it stands", &ReviewCommands::list);
    made->add_option("--state", state_, "only these: checking, needs-review, approved, ...");
    made->add_flag("--json", json_, "the result as one JSON object");

    verb_on_one("show", "the report of a submission, and each step", &ReviewCommands::show)
        ->add_flag("--json", json_, "the result as one JSON object");
    configuration_.add_to(
        verb_on_one("check",
                    "check it again, and look at its page in a browser that reaches nothing",
                    &ReviewCommands::check));
    made = verb_on_one("approve", "say yes, after a look at the report", &ReviewCommands::approve);
    add_curator(made);
    made->add_option(
            "--why", why_, "one line for the record; a must where more than its page is accepted")
        ->check(filled_line());
    made->add_option(
            "--accept",
            accepted_,
            "approve in spite of it: accessibility, blank, reach or unchecked (its page), "
            "publisher (another account than before), or the rule by which the gate flags a file")
        ->type_name("WORD");
    made = verb_on_one("reject", "say no, and why", &ReviewCommands::reject);
    add_curator(made);
    made->add_option("--rule", rule_, "capability, content, license, quality or trust")
        ->required()
        ->check(CLI::IsMember({"capability", "content", "license", "quality", "trust"}));
    made->add_option("--why", why_, "one line that its author reads")
        ->required()
        ->check(filled_line());
    made = verb_on_one("publish", "put an approved app into the catalog", &ReviewCommands::publish);
    add_curator(made);
    add_signing(made);
    configuration_.add_to(made);
    made = review_->add_subcommand("sign",
                                   "sign, on the curator's machine, what `publish --to` wrote");
    signing_.add_to(made);
    verbs_.emplace_back(made, &ReviewCommands::sign);
    made = verb_on_one(
        "yank", "take it out again; who has it keeps it (else: takedown)", &ReviewCommands::yank);
    add_curator(made);
    made->add_option("--why", why_, "one line for the record")->required()->check(filled_line());
    add_signing(made);
    verb("verify",
         "check that the record was not changed, and that it agrees with the catalog",
         &ReviewCommands::verify);
}

CLI::App*
ReviewCommands::verb(const char* name, const char* help, Status (ReviewCommands::*action)() const) {
    CLI::App* const made = review_->add_subcommand(name, help);
    access_.add_data(made);
    verbs_.emplace_back(made, action);
    return made;
}

CLI::App* ReviewCommands::verb_on_one(const char* name,
                                      const char* help,
                                      Status (ReviewCommands::*action)() const) {
    CLI::App* const made = verb(name, help, action);
    made->add_option("NUMBER", number_, "of the submission, as in the list")->required();
    return made;
}

void ReviewCommands::add_curator(CLI::App* verb) {
    verb->add_option("--by", who_, "who decides, for the record; else USER");
}

void ReviewCommands::add_signing(CLI::App* verb) {
    access_.add_to(verb);
    access_.add_passphrase(verb);
}

Status ReviewCommands::run() const {
    for (const auto& [command, action] : verbs_) {
        if (command->parsed()) {
            return (this->*action)();
        }
    }
    return {};
}

Result<ReviewDesk> ReviewCommands::open() const {
    return ReviewDesk::open(access_.data, system_clock());
}

void ReviewCommands::print(const Submission& one) const {
    std::printf("%4llu  %-12s  %s %s  commit %.12s  by %s\n",
                static_cast<unsigned long long>(one.number),
                std::string(render(one.state)).c_str(),
                one.app.c_str(),
                one.version.c_str(),
                one.commit.c_str(),
                one.by.c_str());
}

Status ReviewCommands::list() const {
    std::optional<ReviewState> wanted;
    if (!state_.empty()) {
        wanted = hub::parse_review_state(state_);
        if (!wanted) {
            return Error(ErrorCode::InvalidArgument,
                         "--state: found '" + state_ +
                             "', wanted checking, needs-review, approved, published, rejected, "
                             "yanked or taken-down");
        }
    }
    LOCARA_TRY(auto desk, open());
    LOCARA_TRY(auto all, desk.reviews().list());
    std::erase_if(all, [&](const Submission& one) { return wanted && one.state != *wanted; });
    if (json_) {
        Json list = Json::array();
        for (const Submission& one : all) {
            list.push_back(as_json(one));
        }
        std::printf(
            "%s\n",
            render_json({{"schema", "locara-hub.reviews/1"}, {"submissions", list}}).c_str());
        return {};
    }
    for (const Submission& one : all) {
        print(one);
    }
    if (all.empty()) {
        std::printf("nothing%s was submitted yet; authors do it with `locara publish`\n",
                    wanted ? " in this state" : "");
    }
    LOCARA_TRY(const auto pending, hub::list_pending_takedowns(access_.data, system_clock()));
    if (!pending.empty()) {
        std::printf("%zu takedowns wait for their key: locara-hub takedown pending --data %s\n",
                    pending.size(),
                    access_.data.c_str());
    }
    return {};
}

Status ReviewCommands::show() const {
    LOCARA_TRY(auto desk, open());
    LOCARA_TRY(const Submission one, desk.reviews().get(number_));
    LOCARA_TRY(const auto steps, desk.reviews().steps(number_));
    Json report;
    if (!one.report.empty()) {
        LOCARA_TRY(report, desk.reviews().report(one));
    }
    if (json_) {
        Json out = as_json(one);
        out["schema"] = "locara-hub.submission/1";
        out["report"] = report;
        out["steps"] = steps;
        std::printf("%s\n", render_json(out).c_str());
        return {};
    }
    print(one);
    if (!report.is_null()) {
        print_report(report);
    }
    std::printf("Steps:\n");
    for (const Json& step : steps) {
        const std::string rule = text_of(step, "rule");
        const std::string why = text_of(step, "why");
        std::printf("  %s  %s by %s%s%s\n",
                    text_of(step, "time").c_str(),
                    text_of(step, "event").c_str(),
                    text_of(step, "by").c_str(),
                    rule.empty() ? "" : (" (" + rule + ")").c_str(),
                    why.empty() ? "" : (": " + why).c_str());
        for (const Json& word : list_of(step, "accepted")) {
            std::printf("      in spite of: %s\n", line_of(word).c_str());
        }
    }
    return {};
}

Status ReviewCommands::check() const {
    LOCARA_CHECK(configuration_.start(access_.data));
    LOCARA_TRY(auto desk, open());
    const auto page = [](const auto& bundle, const auto& app) {
        return runtime::check_page(bundle, app, {});
    };
    LOCARA_TRY(const Submission one, desk.check(number_, page));
    print(one);
    LOCARA_TRY(const Json report, desk.reviews().report(one));
    print_report(report);
    return {};
}

Status ReviewCommands::decide(ReviewState to) const {
    const hub::ReviewStep step{to, who_decides(who_), rule_, why_, accepted_};
    if (step.who.empty()) {
        return Error(ErrorCode::InvalidArgument, "who decides? Pass --by NAME");
    }
    LOCARA_TRY(auto desk, open());
    LOCARA_TRY(const Submission one,
               to == ReviewState::Approved   ? desk.approve(number_, step)
               : to == ReviewState::Rejected ? desk.reject(number_, step)
                                             : desk.reviews().step(number_, step));
    print(one);
    return record(access_.data, "reviewed", hub::audit_fields(one, step.who));
}

Status ReviewCommands::approve() const {
    return decide(ReviewState::Approved);
}

Status ReviewCommands::reject() const {
    return decide(ReviewState::Rejected);
}

Status ReviewCommands::change_catalog(
    ReviewState to,
    const std::function<Result<ReviewDesk::Staged>(
        ReviewDesk&, const Submission&, catalog::Repository&)>& stage) const {
    const ReviewState from =
        to == ReviewState::Published ? ReviewState::Approved : ReviewState::Published;
    LOCARA_TRY(auto desk, open());
    LOCARA_TRY(const Submission one, desk.reviews().get(number_));
    if (one.state != from) {
        return Error(ErrorCode::Conflict,
                     "submission " + std::to_string(number_) + " is " +
                         std::string(render(one.state)) + ", not " + std::string(render(from)));
    }
    LOCARA_TRY(auto repository, access_.load());
    LOCARA_TRY(const auto staged, stage(desk, one, repository));
    if (staged == ReviewDesk::Staged::Yes) {
        LOCARA_CHECK(access_.finish(repository, {"apps"}));
        if (!access_.to.empty()) {
            std::printf("which notes the step in the record, too\n");
            return {};
        }
    }
    return decide(to);
}

Status ReviewCommands::publish() const {
    LOCARA_CHECK(configuration_.start(access_.data));
    return change_catalog(
        ReviewState::Published,
        [](ReviewDesk& desk, const Submission& one, catalog::Repository& repository) {
            return desk.stage(one, repository);
        });
}

Status ReviewCommands::sign() const {
    return signing_.run();
}

Status ReviewCommands::yank() const {
    return change_catalog(ReviewState::Yanked,
                          [](ReviewDesk&, const Submission& one, catalog::Repository& repository) {
                              return ReviewDesk::unstage(one, repository);
                          });
}

Status ReviewCommands::verify() const {
    LOCARA_TRY(auto desk, open());
    LOCARA_TRY(const auto report, desk.reviews().verify());
    std::printf("%llu lines hang together; the last has hash %s\n",
                static_cast<unsigned long long>(report.records),
                report.head.c_str());
    const fs::path tree = fs::path(access_.data) / "catalog";
    LOCARA_TRY(const auto repository,
               catalog::Repository::load(tree, fs::path(access_.data) / "keys"));
    LOCARA_TRY(const auto differ, hub::find_disagreements(desk.reviews(), tree, repository));
    for (const std::string& what : differ) {
        std::printf("%s\n", clean(what).c_str());
    }
    return differ.empty() ? Status()
                          : Error(ErrorCode::Conflict,
                                  "the record and the catalog disagree about " +
                                      std::to_string(differ.size()) + " of what was submitted");
}
