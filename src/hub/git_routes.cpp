// git over HTTP (git's Documentation: gitprotocol-http). A fetch is answered by git's own
// upload-pack; of a push git only unpacks the pack, the rest is ours.
#include "git_answer.hpp"
#include "git_held.hpp"
#include "git_program.hpp"
#include "git_push.hpp"
#include "git_wire.hpp"
#include "gunzip.hpp"
#include "incoming_body.hpp"
#include "quota_check.hpp"
#include "routes.hpp"
#include "slots.hpp"

#include <locara/base/bytes.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/quotas.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using http::Request;
using http::Response;

/// What a client has and wants: some lines for each of its branches.
constexpr std::uint64_t kFetchBodyLimit = 32U << 20U;
/// How many of git's programs run at once for one purpose: two clients at least get some.
constexpr Slots::Limits kSlots{8, 4};
constexpr std::chrono::seconds kSlotWait{30};
/// The same while the client itself has its share.
constexpr std::chrono::seconds kShareWait{10};
constexpr std::chrono::milliseconds kSlotLook{50};
constexpr std::chrono::hours kProgramTime{1};
constexpr std::size_t kBlock = 64U << 10U;
constexpr ReadingPace::Limits kReaders{};
/// Of the words why a fetch is not answered.
constexpr std::size_t kObjectionBytes = 4000;

/// Whose share of the slots a request takes: a token's, else an address's. For requests whose token
/// was found to be good.
std::string client_of(const Request& request) {
    const auto token = credentials(request);
    return token ? crypto::sha256(as_bytes(*token)).render() : request.peer.address;
}

/// What every handler here works with.
struct Git {
    const Services& services;
    http::BlockingPool& pool;
    std::shared_ptr<Slots> slots; ///< Shared by the handlers.
};

Refusal too_many(int status, const std::string& message) {
    Refusal refusal(status, "", message + "; try again when one has ended");
    refusal.headers.add("Retry-After", "30");
    return refusal;
}

/// Waits for a slot, but not for ever: 429 then when the client itself has its share, 503 when
/// others have the rest.
asio::awaitable<Answer<Slots::Hold>> take_slot(Git git, std::string client) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const auto began = std::chrono::steady_clock::now();
    while (true) {
        auto hold = git.slots->try_take(client);
        if (hold) {
            co_return std::move(*hold);
        }
        const auto waited = std::chrono::steady_clock::now() - began;
        if (waited >= kShareWait && git.slots->has_share(client)) {
            co_return too_many(429,
                               "you have " + std::to_string(kSlots.per_client) +
                                   " git transfers under way, which is the most for one client");
        }
        if (waited >= kSlotWait) {
            co_return too_many(503, "this hub serves many git clients just now");
        }
        timer.expires_after(kSlotLook);
        static_cast<void>(co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)));
    }
}

// ----------------------------------------------------------------------------------------- fetch

/// One of git's programs and what its output is sent with.
struct Work {
    Work(Slots::Hold taken, std::unique_ptr<GitProgram> started)
        : hold(std::move(taken)), program(std::move(started)) {}

    Slots::Hold hold;
    std::unique_ptr<GitProgram> program;
    std::string first; ///< Sent before its output.
    Log* log = nullptr;
};

asio::awaitable<Status> send_output(std::shared_ptr<Work> work, http::BodyWriter& writer) {
    const Status sent =
        co_await send_answer(*work->program, work->first, kReaders, *work->log, writer);
    co_return sent;
}

/// Starts the program; the answer is `first` and what it writes.
asio::awaitable<Answer<Response>> run_program(
    Git git, std::string client, GitProgram::Call call, std::string type, std::string first) {
    auto hold = co_await take_slot(git, std::move(client));
    if (!hold) {
        co_return std::move(hold).error();
    }
    const auto executor = co_await asio::this_coro::executor;
    call.time = kProgramTime;
    const auto start = [&] { return GitProgram::start(executor, std::move(call)); };
    auto program = co_await http::run_blocking(git.pool, start);
    if (!program) {
        co_return Refusal(std::move(program).error());
    }
    auto work = std::make_shared<Work>(std::move(hold).value(), std::move(*program));
    work->first = std::move(first);
    work->log = &git.services.log;
    Response response;
    response.headers.add("Content-Type", type);
    response.headers.add("Cache-Control", "no-cache");
    response.body = [work](http::BodyWriter& writer) { return send_output(work, writer); };
    co_return response;
}

/// The version that a client asks for, as git's programs take it; 0 needs no word.
std::string protocol_of(const Request& request) {
    const std::string_view asked = request.headers.find("Git-Protocol").value_or("");
    for (const std::string version : {"version=2", "version=1"}) {
        if (asked.find(version) != std::string_view::npos) {
            return version;
        }
    }
    return "";
}

GitProgram::Call upload_pack(Git git, const Request& request, const Repo& repo) {
    GitProgram::Call call;
    call.repository = git.services.folder_of(repo);
    call.arguments = {"upload-pack", "--strict", "--stateless-rpc", call.repository.string()};
    call.protocol = protocol_of(request);
    return call;
}

/// A request body that is not large, gzipped or not, in a file.
asio::awaitable<Answer<Fd>> spool(Git git, const Request& request) {
    const std::string_view coding = request.headers.find("Content-Encoding").value_or("");
    if (!coding.empty() && coding != "gzip" && coding != "x-gzip") {
        co_return Refusal(415, "", "a body may be gzipped, or plain");
    }
    const auto make = [&git] { return git.services.backend.stage(); };
    auto staged = co_await http::run_blocking(git.pool, make);
    if (!staged) {
        co_return Refusal(std::move(staged).error());
    }
    std::optional<Gunzip> gunzip;
    if (!coding.empty()) {
        gunzip.emplace(kFetchBodyLimit);
    }
    const auto append = [&staged](ByteView bytes) { return staged->append(bytes); };
    TakeBlock take = [&](ByteView bytes) {
        return gunzip ? gunzip->unpack(bytes, append) : append(bytes);
    };
    auto read = co_await read_blocks(request, git.pool, std::move(take));
    if (!read) {
        co_return std::move(read).error();
    }
    const Status whole = gunzip ? gunzip->finish() : Status();
    if (!whole) {
        co_return bad_request(whole.error().message());
    }
    // Written by position, so that it is read from its beginning.
    Fd file(::fcntl(staged->fd().get(), F_DUPFD_CLOEXEC, 0));
    if (!file.valid()) {
        co_return Refusal(Error::from_errno("handing a request on", errno));
    }
    co_return file;
}

/// All of a spooled body.
Result<std::string> read_spooled(const Fd& file) {
    LOCARA_TRY(const std::uint64_t size, regular_file_size(file, "a request"));
    std::string body(static_cast<std::size_t>(size), '\0');
    LOCARA_CHECK(read_exactly_at(file, 0, std::as_writable_bytes(std::span(body))));
    return body;
}

/// Why git may not give what a fetch asks for; nothing if it may.
using Objection = std::optional<std::string>;

/// In words, of a file that was found.
Result<Objection> describe(const Services& services, const Repo& repo, const HeldFile& file) {
    const std::string name = file.path.empty() ? "object " + file.blob : file.path;
    services.log.info("git", "fetch_refused", {{"repo", repo.id.render()}, {"path", name}});
    LOCARA_TRY(const auto verdict, services.verdicts.find_refusal(file.blob));
    const std::string why = verdict ? ": " + verdict->reason + " (" + verdict->rule + ", " +
                                          std::string(formats::render(verdict->label)) + ")"
                                    : std::string();
    return Objection(name + " was let in and is refused by now" + why +
                     ". No history that has it is given away; who may write can push one without "
                     "it.");
}

asio::awaitable<Answer<Objection>>
find_objection(Git git, const Request& request, const Repo& repo, const Fd& body) {
    const auto find = [&] { return find_held(git.services, repo); };
    LOCARA_CO_TRY(const RefusedBlobs held, co_await http::run_blocking(git.pool, find));
    if (held.empty()) {
        co_return Objection();
    }
    const auto read = [&body] { return read_spooled(body); };
    LOCARA_CO_TRY(const std::string text, co_await http::run_blocking(git.pool, read));
    const auto wants = parse_wants(text);
    if (!wants) {
        co_return bad_request(wants.error().message());
    }
    if (wants->empty()) {
        co_return Objection(); // It asks which refs there are.
    }
    const auto hold = co_await take_slot(git, client_of(request));
    if (!hold) {
        co_return hold.error();
    }
    const auto file = co_await find_held_file(git.pool, git.services.folder_of(repo), *wants, held);
    if (!file && file.error().code() == ErrorCode::NotFound) {
        co_return Objection(file.error().message());
    }
    if (!file) {
        co_return file.error();
    }
    if (!*file) {
        co_return Objection();
    }
    const auto tell = [&] { return describe(git.services, repo, **file); };
    LOCARA_CO_TRY(Objection objection, co_await http::run_blocking(git.pool, tell));
    co_return objection;
}

/// The repository, whose folder is there: git's programs would begin an answer before they look.
Answer<Repo> find_readable(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Repo repo, find_git_repo(services, request, type, Action::Read));
    LOCARA_CHECK(GitRepo::open(services.folder_of(repo)));
    return repo;
}

asio::awaitable<Answer<Response>> fetch(Git git, const Request& request, RepoType type) {
    const auto find = [&] { return find_readable(git.services, request, type); };
    auto repo = co_await http::run_blocking(git.pool, find);
    if (!repo) {
        co_return std::move(repo).error();
    }
    auto body = co_await spool(git, request);
    if (!body) {
        co_return std::move(body).error();
    }
    const std::string type_of_answer = "application/x-git-upload-pack-result";
    auto objection = co_await find_objection(git, request, *repo, *body);
    if (!objection) {
        co_return std::move(objection).error();
    }
    if (*objection) {
        // With another status than 200 git would not show it.
        Response response = http::text_response(
            200, type_of_answer, render_error((*objection)->substr(0, kObjectionBytes)));
        response.headers.add("Cache-Control", "no-cache");
        co_return response;
    }
    GitProgram::Call call = upload_pack(git, request, *repo);
    call.input = std::move(body).value();
    co_return co_await run_program(git, client_of(request), std::move(call), type_of_answer, "");
}

// ------------------------------------------------------------------------------------------ push

/// A push whose body has come in.
struct PushWork {
    PushWork(Git g, Push p, std::uint64_t limit)
        : git(std::move(g)), push(std::move(p)), pack_limit(limit) {}

    const Git git;
    Push push;
    const std::uint64_t pack_limit;
    std::optional<Slots::Hold> hold;
};

/// Takes and drops the rest of a body: a client that still sends would not hear an answer.
asio::awaitable<Status> drain(const Request& request, std::span<std::byte> block) {
    while (true) {
        LOCARA_CO_TRY(const std::size_t count, co_await request.incoming->read(block));
        if (count == 0) {
            co_return Status();
        }
    }
}

/// Hands the pack (what of it is in `rest`, and the rest of the body) to the program.
asio::awaitable<Status>
feed_pack(GitProgram& program, const Request& request, std::span<std::byte> block, ByteView rest) {
    bool reads = true;
    while (true) {
        if (reads && !rest.empty()) {
            const Status sent = co_await program.write(rest);
            reads = sent.has_value();
            if (!sent && sent.error().code() != ErrorCode::Conflict) {
                co_return sent;
            }
        }
        LOCARA_CO_TRY(const std::size_t count, co_await request.incoming->read(block));
        if (count == 0) {
            break;
        }
        rest = ByteView(block).first(count);
    }
    program.close_input();
    co_return Status();
}

/// Lets git unpack and check the pack.
asio::awaitable<Answer<std::monostate>> unpack(std::shared_ptr<PushWork> work,
                                               const Request& request,
                                               std::span<std::byte> block,
                                               ByteView rest) {
    auto hold = co_await take_slot(work->git, client_of(request));
    if (!hold) {
        co_return std::move(hold).error();
    }
    work->hold.emplace(std::move(hold).value());
    const auto executor = co_await asio::this_coro::executor;
    const auto start = [&]() -> Result<std::unique_ptr<GitProgram>> {
        GitProgram::Call call;
        call.repository = work->push.repository();
        LOCARA_TRY(call.quarantine, work->push.make_quarantine());
        call.arguments = {"index-pack",
                          "--stdin",
                          "--fix-thin",
                          "--strict",
                          "--threads=1",
                          "--max-input-size=" + std::to_string(work->pack_limit)};
        call.time = kProgramTime;
        return GitProgram::start(executor, std::move(call));
    };
    auto program = co_await http::run_blocking(work->git.pool, start);
    if (!program) {
        co_return Refusal(std::move(program).error());
    }
    LOCARA_CO_CHECK(co_await feed_pack(**program, request, block, rest));
    std::size_t count = 1;
    while (count > 0) { // The name of the pack, which we shall see.
        LOCARA_CO_TRY(count, co_await (*program)->read(block));
    }
    LOCARA_CO_TRY(const GitProgram::End end, co_await (*program)->wait());
    if (end.code != 0) {
        const bool full = work->pack_limit < kPackLimit &&
                          end.message.find("maximum allowed size") != std::string::npos;
        work->push.refuse_pack(full ? "storage limit reached: its owner may store " +
                                          render_size(work->pack_limit) + " more on this hub"
                                    : end.message);
    }
    co_return std::monostate();
}

/// Looks at what came, moves the refs, and says how it went.
asio::awaitable<Status> finish_push(std::shared_ptr<PushWork> work, http::BodyWriter& writer) {
    Push& push = work->push;
    const bool banded = push.can("side-band-64k");
    if (banded && !push.can("quiet") && !push.is_refused()) {
        LOCARA_CO_CHECK(
            co_await writer.write(render_band(Band::Progress, "Checking what came ...\n")));
    }
    const auto check = [&push] { return push.check_objects(); };
    LOCARA_CO_CHECK(co_await http::run_blocking(work->git.pool, check));
    const auto apply = [&push] { return push.apply(); };
    LOCARA_CO_CHECK(co_await http::run_blocking(work->git.pool, apply));
    if (!push.can("report-status")) {
        co_return Status();
    }
    std::string report = push.report();
    if (banded) {
        report = render_band(Band::Answer, report).append(kFlushPkt);
    }
    co_return co_await writer.write(report);
}

/// Who pushes, and where to.
struct Pusher {
    Repo repo;
    Identity who;
    std::uint64_t pack_limit = 0; ///< Bytes: kPackLimit, or what its owner may still store.
};

/// Who may write to the repository, and who has a pull request there to push to; which ref is
/// whose is asked for each.
Answer<Pusher> find_pusher(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(Repo repo, find_git_repo(services, request, caller, type, Action::See));
    bool proposes = false;
    if (may(caller, repo, Action::Propose)) {
        LOCARA_TRY(proposes,
                   services.discussions.has_pull_under_way(repo.key, caller->account.key));
    }
    if (!proposes) {
        LOCARA_CHECK(require(caller, repo, Action::Write));
    }
    LOCARA_CHECK(require_room(services, repo, announced_bytes(request)));
    LOCARA_TRY(const Quota room, services.quotas.room(repo.id.space));
    return Pusher{std::move(repo), *caller, std::min(room.value_or(kPackLimit), kPackLimit)};
}

asio::awaitable<Answer<Response>> receive(Git git, const Request& request, RepoType type) {
    const auto find = [&] { return find_pusher(git.services, request, type); };
    auto pusher = co_await http::run_blocking(git.pool, find);
    if (!pusher) {
        co_return std::move(pusher).error();
    }
    Response response;
    response.headers.add("Content-Type", "application/x-git-receive-pack-result");
    response.headers.add("Cache-Control", "no-cache");
    Bytes block(kBlock);
    ByteView rest;
    PushParser parser;
    std::optional<PushRequest> commands;
    while (!commands) {
        LOCARA_CO_TRY(const std::size_t count, co_await request.incoming->read(block));
        if (count == 0) {
            co_return bad_request("the push ends before its commands do");
        }
        rest = ByteView(block).first(count);
        LOCARA_CO_TRY(commands, parser.take(rest));
    }
    if (commands->commands.empty()) {
        co_return response; // git asks like this whether it may push, before it sends a lot.
    }
    http::Request asked; // The request itself goes before its answer is sent.
    asked.id = request.id;
    asked.peer = request.peer;
    asked.notes = request.notes;
    auto work = std::make_shared<PushWork>(
        git,
        Push(git.services, pusher->repo, pusher->who, std::move(*commands), std::move(asked)),
        pusher->pack_limit);
    const auto check = [&work] { return work->push.check_commands(); };
    LOCARA_CO_CHECK(co_await http::run_blocking(git.pool, check));
    if (work->push.brings_pack() && !work->push.is_refused()) {
        auto unpacked = co_await unpack(work, request, block, rest);
        if (!unpacked) {
            co_return std::move(unpacked).error();
        }
    } else {
        LOCARA_CO_CHECK(co_await drain(request, block));
    }
    response.body = [work](http::BodyWriter& writer) { return finish_push(work, writer); };
    co_return response;
}

// ---------------------------------------------------------------------------------------- routes

asio::awaitable<Answer<Response>> advertise(Git git, const Request& request, RepoType type) {
    const std::string service(request.query.find("service").value_or(""));
    std::string first = render_pkt("# service=" + service + "\n").append(kFlushPkt);
    const std::string media = "application/x-" + service + "-advertisement";
    if (service == "git-receive-pack") {
        const auto tell = [&]() -> Answer<std::string> {
            LOCARA_TRY(const Pusher pusher, find_pusher(git.services, request, type));
            return advertise_push(git.services, pusher.repo);
        };
        auto refs = co_await http::run_blocking(git.pool, tell);
        if (!refs) {
            co_return std::move(refs).error();
        }
        Response response = http::text_response(200, media, first + *refs);
        response.headers.add("Cache-Control", "no-cache");
        co_return response;
    }
    if (service != "git-upload-pack") {
        co_return Refusal(403, "", "this hub speaks git's smart protocol only; use a newer git");
    }
    const auto find = [&] { return find_readable(git.services, request, type); };
    auto repo = co_await http::run_blocking(git.pool, find);
    if (!repo) {
        co_return std::move(repo).error();
    }
    GitProgram::Call call = upload_pack(git, request, *repo);
    call.arguments.insert(call.arguments.begin() + 1, "--http-backend-info-refs");
    if (call.protocol == "version=2") {
        first.clear(); // It tells what it can by itself.
    }
    co_return co_await run_program(
        git, client_of(request), std::move(call), media, std::move(first));
}

/// A refusal in the words that git shows to its user, which are those of plain text.
Response tell_plainly(const Services& services, const Request& request, const Refusal& refusal) {
    Response response = render_refusal(refusal, request, services.log);
    response.body = std::string(response.headers.find("X-Error-Message").value_or("")) + "\n";
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    if (response.status == 401) {
        // Without it git asks nobody for a password.
        response.headers.set("WWW-Authenticate", "Basic realm=\"locara-hub\"");
    }
    return response;
}

using Handle = asio::awaitable<Answer<Response>> (*)(Git, const Request&, RepoType);

asio::awaitable<Answer<Response>>
answer(Handle handle, Git git, const Request& request, RepoType type) {
    auto answer = co_await handle(git, request, type);
    if (!answer) {
        co_return tell_plainly(git.services, request, answer.error());
    }
    co_return answer;
}

} // namespace

void add_git_routes(Routes& routes, const Services& services) {
    // Fetches, which anybody may ask for, cannot keep pushes waiting.
    const Git fetches{services, routes.pools().fetches, std::make_shared<Slots>(kSlots)};
    const Git pushes{services, routes.pools().uploads, std::make_shared<Slots>(kSlots)};
    for_each_type([&](RepoType type, const std::string& prefix) {
        const std::string repo = prefix + "{org}/{repo}/";
        const auto bind = [type](const Git& git, Handle handle) {
            return [git, type, handle](const Request& request) {
                return answer(handle, git, request, type);
            };
        };
        routes.add_streamed("GET", repo + "info/refs", 0, bind(fetches, &advertise));
        routes.add_streamed(
            "POST", repo + "git-upload-pack", kFetchBodyLimit, bind(fetches, &fetch));
        // Somewhat more than the pack may have, so that git, which says what is wrong, sees it.
        routes.add_streamed(
            "POST", repo + "git-receive-pack", kPackLimit + (16U << 20U), bind(pushes, &receive));
    });
}

} // namespace locara::hub
