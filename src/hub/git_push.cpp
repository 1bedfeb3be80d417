#include "git_push.hpp"

#include "audit_record.hpp"
#include "git_leftovers.hpp"
#include "object_rules.hpp"
#include "pulls.hpp"
#include "ref_name.hpp"

#include <locara/hub/hub.hpp>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAbilities =
    "report-status delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1";

/// A pack's head and its checksum (gitformat-pack).
constexpr std::uintmax_t kEmptyPack = 12 + 20;

/// A line of the audit log has 64 KiB at most, a ref in it less than 400 bytes (ref_name.cpp).
constexpr std::size_t kRefsPerLine = 100;

std::optional<std::string> object_or_none(const std::string& id) {
    return id == kNoObject ? std::nullopt : std::optional(id);
}

} // namespace

Answer<std::string> advertise_push(const Services& services, const Repo& repo) {
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    LOCARA_TRY(const auto refs, git.refs());
    std::string abilities(1, '\0');
    abilities.append(kAbilities).append(" agent=locara-hub/").append(version()).append("\n");
    std::string out;
    for (const GitRef& ref : refs) {
        out += render_pkt(ref.object + " " + ref.name + (out.empty() ? abilities : "\n"));
    }
    if (out.empty()) {
        out = render_pkt(std::string(kNoObject) + " capabilities^{}" + abilities);
    }
    return out.append(kFlushPkt);
}

Push::Push(
    const Services& services, Repo repo, Identity who, PushRequest request, http::Request asked)
    : services_(services), repo_(std::move(repo)), who_(std::move(who)),
      request_(std::move(request)), asked_(std::move(asked)) {}

void Push::refuse(std::string ref, std::string_view why) {
    std::string line(why);
    while (!line.empty() && line.back() == '\n') {
        line.pop_back();
    }
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c >= 0 && c < 0x20; }, ' ');
    refused_ = {std::move(ref), std::move(line)};
}

Status Push::take_error(std::string ref, Status status) {
    if (status) {
        return {};
    }
    switch (status.error().code()) {
    case ErrorCode::Conflict:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Refused:
    case ErrorCode::TooLarge:
        refuse(std::move(ref), status.error().message());
        return {};
    default:
        return status;
    }
}

Status Push::check_commands() {
    LOCARA_TRY(const GitRepo git, GitRepo::open(repository()));
    LOCARA_TRY(const auto refs, git.refs());
    std::set<std::string> names;
    for (const RefCommand& command : request_.commands) {
        Status fine = check_command(command, refs);
        if (fine && !names.insert(command.name).second) {
            fine = Error(ErrorCode::InvalidArgument, command.name + " is named twice");
        }
        LOCARA_CHECK(take_error(command.name, std::move(fine)));
        if (refused_) {
            return {};
        }
    }
    return {};
}

/// That of a pull request, which is opened and closed by the API.
Status Push::check_pull(const RefCommand& command) const {
    if (command.removes()) {
        return Error(ErrorCode::Refused, "a pull request is not deleted; close it");
    }
    const auto target = require_target(services_, Caller(who_), repo_, command.name);
    if (target) {
        return {};
    }
    const Refusal& refusal = target.error();
    if (refusal.cause) {
        return *refusal.cause;
    }
    return Error(
        ErrorCode::Refused,
        refusal.status == 404
            ? "there is no such pull request; it is opened by the API before it is pushed to"
            : refusal.message);
}

Status Push::check_command(const RefCommand& command, const std::vector<GitRef>& refs) const {
    if (parse_pull_ref(command.name)) {
        return check_pull(command);
    }
    if (!may(Caller(who_), repo_, Action::Write)) {
        return Error(ErrorCode::Refused,
                     "you may push to refs/pr/N of a pull request that you opened, and to no other "
                     "ref of " +
                         repo_.id.render());
    }
    LOCARA_CHECK(check_ref_name(command.name));
    if (command.removes()) {
        return command.name == kMainRef
                   ? Status(Error(ErrorCode::Refused,
                                  "Cannot delete " + command.name + ", the default branch"))
                   : Status();
    }
    if (command.from != kNoObject) {
        return {}; // It is there: whatever is beside it is so already.
    }
    const auto in_the_way = [&command](const std::string& name) {
        return ref_names_collide(command.name, name);
    };
    for (const GitRef& ref : refs) {
        if (in_the_way(ref.name)) {
            return Error(ErrorCode::Conflict, ref.name + " is there and in the way");
        }
    }
    for (const RefCommand& other : request_.commands) {
        if (!other.removes() && in_the_way(other.name)) {
            return Error(ErrorCode::Conflict, other.name + " is in the way");
        }
    }
    return {};
}

bool Push::brings_pack() const {
    return std::any_of(request_.commands.begin(),
                       request_.commands.end(),
                       [](const RefCommand& command) { return !command.removes(); });
}

Result<fs::path> Push::make_quarantine() {
    LOCARA_TRY(auto folder, TempFolder::create(repository() / "objects", kQuarantine));
    quarantine_.emplace(std::move(folder));
    return quarantine_->path();
}

void Push::refuse_pack(const std::string& why) {
    refuse("", "the pack is no good: " + why);
    bad_pack_ = refused_->why;
}

Status Push::check_objects() {
    std::vector<NewTip> tips;
    for (const RefCommand& command : request_.commands) {
        if (!command.removes()) {
            tips.push_back({command.name, command.to});
        }
    }
    if (refused_ || tips.empty()) {
        return {};
    }
    ObjectRules rules = object_rules(services_, repo_);
    LOCARA_TRY(rules.judged, judged_blobs());
    const fs::path quarantine = quarantine_ ? quarantine_->path() : fs::path();
    return take_error("", check_pushed_objects(repository(), quarantine, tips, rules));
}

/// What is at the tip of a ref passed the gate on its way there. Of pull requests, of which there
/// may be many, only those that this push is about are read.
Result<std::unordered_set<std::string>> Push::judged_blobs() const {
    LOCARA_TRY(const GitRepo git, GitRepo::open(repository()));
    LOCARA_TRY(const auto refs, git.refs());
    std::vector<std::string> commits;
    for (const GitRef& ref : refs) {
        const bool named =
            std::any_of(request_.commands.begin(),
                        request_.commands.end(),
                        [&ref](const RefCommand& command) { return command.name == ref.name; });
        if (named || !parse_pull_ref(ref.name)) {
            commits.push_back(ref.commit);
        }
    }
    return blobs_of(git, commits);
}

Status Push::move_pack_in() const {
    const fs::path from = quarantine_ ? quarantine_->path() / "pack" : fs::path();
    std::error_code error;
    if (!quarantine_ || !fs::exists(from, error)) {
        return {};
    }
    const fs::path to = repository() / "objects" / "pack";
    LOCARA_CHECK(create_folders(to));
    std::vector<fs::path> files;
    for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
        if (at->path().extension() == ".pack" && at->file_size(error) <= kEmptyPack) {
            return {}; // Everything was here already.
        }
        files.push_back(at->path());
    }
    if (error) {
        return Error(ErrorCode::Io, "listing " + from.string() + ": " + error.message());
    }
    // The index last: git looks at a pack by it.
    std::stable_partition(files.begin(), files.end(), [](const fs::path& file) {
        return file.extension() != ".idx";
    });
    for (const fs::path& file : files) {
        LOCARA_TRY(const Fd fd, open_file(file, O_RDONLY | O_NOFOLLOW));
        LOCARA_CHECK(sync_file(fd));
        LOCARA_CHECK(rename_file(file, to / file.filename(), Replace::Yes));
    }
    return sync_folder(to);
}

void Push::record_moves() const {
    const auto object_or_null = [](const std::string& id) {
        return id == kNoObject ? Json() : Json(id);
    };
    Json refs = Json::array();
    for (const RefCommand& command : request_.commands) {
        refs.push_back({{"ref", command.name},
                        {"from", object_or_null(command.from)},
                        {"to", object_or_null(command.to)}});
        if (refs.size() == kRefsPerLine || &command == &request_.commands.back()) {
            record(
                services_, asked_, "pushed", repo_, {{"refs", std::exchange(refs, Json::array())}});
        }
    }
}

Status Push::apply() {
    if (!refused_) {
        std::vector<RefMove> moves;
        for (const RefCommand& command : request_.commands) {
            moves.push_back(
                {command.name, object_or_none(command.from), object_or_none(command.to)});
        }
        LOCARA_TRY(GitRepo git, GitRepo::open(repository()));
        Status moved = git.move_refs(moves, [this] { return move_pack_in(); });
        const bool fine = moved.has_value();
        // The message begins with the name of the ref.
        std::string ref;
        for (const RefCommand& command : request_.commands) {
            if (!fine && moved.error().message().rfind(command.name + " ", 0) == 0) {
                ref = command.name;
            }
        }
        LOCARA_CHECK(take_error(ref, std::move(moved)));
        if (fine) {
            services_.log.info("hub",
                               "pushed",
                               {{"repo", repo_.id.render()},
                                {"by", who_.account.name},
                                {"refs", std::to_string(moves.size())}});
            record_moves();
        }
    }
    quarantine_.reset();
    return {};
}

std::string Push::report() const {
    std::string out = render_pkt("unpack " + bad_pack_.value_or("ok") + "\n");
    for (const RefCommand& command : request_.commands) {
        if (!refused_) {
            out += render_pkt("ok " + command.name + "\n");
        } else if (refused_->ref.empty() || refused_->ref == command.name) {
            out += render_pkt("ng " + command.name + " " + refused_->why + "\n");
        } else {
            out += render_pkt("ng " + command.name + " a push moves all of its refs or none, and " +
                              refused_->ref + " was refused\n");
        }
    }
    return out.append(kFlushPkt);
}

} // namespace locara::hub
