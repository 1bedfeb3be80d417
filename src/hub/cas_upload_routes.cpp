// What a Xet client uploads: xorbs, then the shards that name them.
#include "cas_access.hpp"
#include "incoming_body.hpp"
#include "quota_check.hpp"
#include "routes.hpp"
#include "slots.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using http::Request;
using http::Response;

/// How often a long check of a shard says that it goes on.
constexpr std::chrono::milliseconds kTick{100};
constexpr int kTicksPerReport = 10;
/// How many shards are checked at once, and of one account: a thread stays for other uploads.
constexpr Slots::Limits kChecks{3, 2};
/// How long a shard waits for its turn before its client is asked to send it again.
constexpr std::chrono::seconds kCheckWait{30};

/// What the handlers here work with.
struct Xet {
    const Services& services;
    http::BlockingPool& pool;
    std::shared_ptr<Slots> checks; ///< Shared by the handlers.
};

// ------------------------------------------------------------------------------------------ xorbs

Refusal gone() {
    return {401, "", "the repository of this Xet token is gone"};
}

/// A Xet token names its repository by key.
Answer<std::monostate>
require_room_for_xet(const Services& services, const XetClaims& claims, std::uint64_t more) {
    LOCARA_TRY(const auto repo, services.names.find_repo(claims.repo));
    if (!repo) {
        return gone();
    }
    return require_room(services, *repo, more);
}

/// Xorbs that no file is made of yet count here, and nowhere else: with their file they count as
/// it.
Answer<std::monostate> require_room_for_xorb(const Services& services,
                                             const XetClaims& claims,
                                             const xet::XorbHash& xorb,
                                             std::uint64_t size) {
    LOCARA_TRY(const auto repo, services.names.find_repo(claims.repo));
    if (!repo) {
        return gone();
    }
    LOCARA_TRY(const std::uint64_t others, services.names.unnamed_bytes(repo->id.space, xorb));
    return require_room(services, *repo, add_bytes(size, others));
}

struct XorbCall {
    XetClaims claims;
    xet::XorbHash hash;
    cas::XorbUpload upload;
};

Answer<XorbCall> begin_xorb(const Services& services, const Request& request) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Write));
    LOCARA_TRY(const auto hash, parse_path_hash<xet::XorbHash>(request.param("hash")));
    LOCARA_CHECK(require_room_for_xorb(services, claims, hash, announced_bytes(request)));
    LOCARA_TRY(cas::XorbUpload upload, services.cas.begin_xorb(hash));
    return XorbCall{claims, hash, std::move(upload)};
}

/// Whoever sent all the bytes of a xorb may refer to it from now on.
Answer<Response> finish_xorb(const Services& services, XorbCall& call) {
    const auto inserted = call.upload.finish();
    if (!inserted) {
        return refuse_upload(inserted.error());
    }
    LOCARA_TRY(const std::uint64_t size, services.cas.xorb_size(call.hash));
    LOCARA_CHECK(services.names.add_unnamed_xorb(
        call.claims.repo,
        call.hash,
        size,
        *inserted == cas::Inserted::Yes ? Names::IsNew::Yes : Names::IsNew::No));
    return json_answer({{"was_inserted", *inserted == cas::Inserted::Yes}});
}

/// Nothing is read from who may not write.
asio::awaitable<Answer<Response>> put_xorb(const Xet& xet, const Request& request) {
    const Services& services = xet.services;
    http::BlockingPool& pool = xet.pool;
    const auto begin = [&] { return begin_xorb(services, request); };
    auto call = co_await http::run_blocking(pool, begin);
    if (!call) {
        co_return std::move(call).error();
    }
    TakeBlock write = [&call](ByteView block) { return call->upload.write(block); };
    auto read = co_await read_blocks(request, pool, std::move(write));
    if (!read) {
        const auto& cause = read.error().cause;
        co_return cause ? refuse_upload(*cause) : read.error();
    }
    const auto finish = [&] { return finish_xorb(services, *call); };
    co_return co_await http::run_blocking(pool, finish);
}

// ----------------------------------------------------------------------------------------- shards

/// What a running check tells to whoever waits for it. Shared by the pool's thread that checks and
/// the connection's strand that reports.
struct ShardProgress {
    std::atomic<std::uint64_t> verified{0};
    std::atomic<std::uint64_t> total{0};
    std::atomic<bool> finished{false};
};

/// Refuses files for which there is no room. What says no is left in `refusal`.
Status require_room_for_files(const Services& services,
                              const XetClaims& claims,
                              const std::vector<cas::ShardClaim>& files,
                              std::optional<Refusal>& refusal) {
    std::uint64_t more = 0;
    for (const auto& file : files) {
        LOCARA_TRY(const auto known, services.names.find_file(claims.repo, file.hash));
        more = add_bytes(more, known ? 0 : file.size);
    }
    auto room = more > 0 ? require_room_for_xet(services, claims, more) : std::monostate();
    if (!room) {
        refusal = std::move(room).error();
        return Error(ErrorCode::Refused, refusal->message);
    }
    return {};
}

/// Takes a shard, whose files are the repository's then, if there is room for them: whether any was
/// new.
Answer<bool> take_shard(const Services& services,
                        const XetClaims& claims,
                        ByteView shard,
                        const std::shared_ptr<ShardProgress>& progress) {
    cas::ShardOptions options;
    options.may_use = may_use(services, claims);
    options.check_sha256 = cas::ShardOptions::CheckSha256::Now;
    options.progress = [progress](std::uint64_t done, std::uint64_t total) {
        progress->verified = done;
        progress->total = total;
    };
    std::optional<Refusal> refusal;
    options.admit = [&](const std::vector<cas::ShardClaim>& files) {
        return require_room_for_files(services, claims, files, refusal);
    };
    const auto result = services.cas.put_shard(shard, options);
    if (refusal) {
        return std::move(*refusal);
    }
    if (!result) {
        return refuse_upload(result.error());
    }
    for (const auto& file : result->files) {
        LOCARA_CHECK(own_file(services, claims.repo, file.info.hash));
    }
    return result->inserted() == cas::Inserted::Yes;
}

/// A turn to have a shard checked. Nobody is kept from it by who sends shards of many bytes: 429
/// when an account has its share for long, 503 when others have the rest.
asio::awaitable<Answer<Slots::Hold>> take_turn(const Xet& xet, const XetClaims& claims) {
    const std::string client = std::to_string(claims.account);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const auto until = std::chrono::steady_clock::now() + kCheckWait;
    while (true) {
        auto hold = xet.checks->try_take(client);
        if (hold) {
            co_return std::move(*hold);
        }
        if (std::chrono::steady_clock::now() >= until) {
            Refusal refusal(xet.checks->has_share(client) ? 429 : 503,
                            "",
                            "this hub checks other shards just now; send it again later");
            refusal.headers.add("Retry-After", std::to_string(kCheckWait.count()));
            co_return refusal;
        }
        timer.expires_after(kTick);
        static_cast<void>(co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)));
    }
}

/// A shard that has come in, with who sent it.
struct ShardCall {
    XetClaims claims;
    std::shared_ptr<IncomingBody> body; ///< Shared with the answer that is still being streamed.
    std::shared_ptr<Slots::Hold> turn;  ///< Until it is checked.
};

asio::awaitable<Answer<ShardCall>> receive_shard(const Xet& xet, const Request& request) {
    const Services& services = xet.services;
    http::BlockingPool& pool = xet.pool;
    const auto check = [&] { return require_xet(services, request, XetRole::Write); };
    auto claims = co_await http::run_blocking(pool, check);
    if (!claims) {
        co_return std::move(claims).error();
    }
    auto body = co_await receive_body(request, pool, services.backend);
    if (!body) {
        co_return std::move(body).error();
    }
    auto turn = co_await take_turn(xet, *claims);
    if (!turn) {
        co_return std::move(turn).error();
    }
    co_return ShardCall{*claims,
                        std::make_shared<IncomingBody>(std::move(body).value()),
                        std::make_shared<Slots::Hold>(std::move(turn).value())};
}

asio::awaitable<Answer<Response>> put_shard(const Xet& xet, const Request& request) {
    auto call = co_await receive_shard(xet, request);
    if (!call) {
        co_return std::move(call).error();
    }
    const auto progress = std::make_shared<ShardProgress>();
    const auto take = [&] {
        return take_shard(xet.services, call->claims, call->body->bytes(), progress);
    };
    auto inserted = co_await http::run_blocking(xet.pool, take);
    if (!inserted) {
        co_return inserted.error();
    }
    co_return json_answer({{"result", *inserted ? 1 : 0}});
}

// ------------------------------------------------------------------------ shards with a report

asio::awaitable<Status> write_line(http::BodyWriter& writer, const Json& json) {
    const std::string line = render_json(json) + "\n";
    co_return co_await writer.write(line);
}

/// Writes a line about every second until the check is finished.
asio::awaitable<Status> report(http::BodyWriter& writer, std::shared_ptr<ShardProgress> progress) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int tick = 0; !progress->finished; ++tick) {
        if (tick % kTicksPerReport == 0) {
            const Json line = {{"type", "validating"},
                               {"verified", progress->verified.load()},
                               {"total", progress->total.load()}};
            LOCARA_CO_CHECK(co_await write_line(writer, line));
        }
        timer.expires_after(kTick);
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_return Status();
}

Json render_end(const Services& services, Answer<bool>& taken) {
    if (taken) {
        return {{"type", "result"}, {"result", *taken ? 1 : 0}};
    }
    const Refusal& refusal = taken.error();
    const bool ours = refusal.status >= 500;
    if (ours) {
        services.log.error("hub", "shard_failed", {{"error", refusal.message}});
    }
    return {{"type", "error"},
            {"message", ours ? "something went wrong on this hub" : refusal.message},
            {"retryable", ours}};
}

asio::awaitable<Status> check_and_report(const Services& services,
                                         http::BlockingPool& pool,
                                         ShardCall call,
                                         http::BodyWriter& writer) {
    using namespace asio::experimental::awaitable_operators;
    const auto progress = std::make_shared<ShardProgress>();
    std::optional<Answer<bool>> taken;
    const auto take = [&] {
        taken = take_shard(services, call.claims, call.body->bytes(), progress);
        progress->finished = true;
    };
    auto both = http::run_blocking(pool, take) && report(writer, progress);
    LOCARA_CO_CHECK(co_await std::move(both));
    if (*taken) {
        const Json stage = {{"type", "committing"}, {"stage", "syncing"}};
        LOCARA_CO_CHECK(co_await write_line(writer, stage));
    }
    const Json end = render_end(services, *taken);
    co_return co_await write_line(writer, end);
}

asio::awaitable<Answer<Response>> put_shard_reporting(const Xet& xet, const Request& request) {
    auto call = co_await receive_shard(xet, request);
    if (!call) {
        co_return std::move(call).error();
    }
    Response response;
    response.headers.add("Content-Type", "application/x-ndjson");
    response.body = http::StreamBody([xet, call = *call](http::BodyWriter& writer) {
        return check_and_report(xet.services, xet.pool, call, writer);
    });
    co_return response;
}

} // namespace

void add_cas_upload_routes(Routes& routes, const Services& services) {
    using Handle = asio::awaitable<Answer<Response>> (*)(const Xet&, const Request&);
    const Xet xet{services, routes.pools().uploads, std::make_shared<Slots>(kChecks)};
    const auto bind = [&xet](Handle handle) {
        return [xet, handle](const Request& request) { return handle(xet, request); };
    };
    routes.add_streamed(
        "POST", "/cas/v1/xorbs/{prefix}/{hash}", xet::kMaxUploadBytes, bind(&put_xorb));
    routes.add_streamed("POST", "/cas/v1/shards", xet::kMaxShardBytes, bind(&put_shard));
    routes.add_streamed("POST", "/cas/v2/shards", xet::kMaxShardBytes, bind(&put_shard_reporting));
}

} // namespace locara::hub
