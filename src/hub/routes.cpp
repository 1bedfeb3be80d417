#include "routes.hpp"

#include "openapi.hpp"
#include "query_flags.hpp"

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

/// `handler` and `log` belong to the router, which outlives every request.
boost::asio::awaitable<Response>
run_on_pool(http::BlockingPool& pool, const SyncHandler& handler, Log& log, Request request) {
    const auto call = [&handler, &request, &log] {
        const auto flags = check_flags(request);
        auto answer = flags ? handler(request) : Answer<Response>(flags.error());
        return answer ? std::move(answer).value() : render_refusal(answer.error(), request, log);
    };
    co_return co_await http::run_blocking(pool, call);
}

boost::asio::awaitable<Response>
run_streamed(const StreamHandler& handler, Log& log, Request request) {
    const auto flags = check_flags(request);
    if (!flags) {
        co_return render_refusal(flags.error(), request, log);
    }
    auto answer = co_await handler(request);
    co_return answer ? std::move(answer).value() : render_refusal(answer.error(), request, log);
}

/// A route that openapi.cpp does not describe is a mistake of ours.
void require_described(std::string_view method, std::string_view pattern, Log& log) {
    if (!is_described(method, pattern)) {
        log.error("hub",
                  "route_not_described",
                  {{"route", std::string(method) + " " + std::string(pattern)}});
    }
    LOCARA_ASSERT(is_described(method, pattern));
}

} // namespace

void Routes::add(std::string_view method, std::string_view pattern, SyncHandler handler) {
    add_on(pools_.answers, method, pattern, std::move(handler));
}

void Routes::add_long(std::string_view method, std::string_view pattern, SyncHandler handler) {
    add_on(pools_.uploads, method, pattern, std::move(handler));
}

void Routes::add_compare(std::string_view method, std::string_view pattern, SyncHandler handler) {
    add_on(pools_.compares, method, pattern, std::move(handler));
}

void Routes::add_on(http::BlockingPool& pool,
                    std::string_view method,
                    std::string_view pattern,
                    SyncHandler handler) {
    require_described(method, pattern, log_);
    router_.add(
        method, pattern, [&pool, &log = log_, handler = std::move(handler)](Request request) {
            return run_on_pool(pool, handler, log, std::move(request));
        });
}

void Routes::add_streamed(std::string_view method,
                          std::string_view pattern,
                          std::uint64_t limit,
                          StreamHandler handler) {
    require_described(method, pattern, log_);
    http::RouteOptions options;
    options.body_limit = limit;
    options.delivery = http::Delivery::Streamed;
    router_.add(
        method,
        pattern,
        [&log = log_, handler = std::move(handler)](Request request) {
            return run_streamed(handler, log, std::move(request));
        },
        options);
}

} // namespace locara::hub
