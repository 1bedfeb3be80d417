#include "rate_limit.hpp"

#include "lfs_json.hpp"

#include <locara/base/json.hpp>

#include <algorithm>
#include <random>

namespace locara::hub {
namespace {

std::string_view name_of(RequestClass kind) {
    return kind == RequestClass::Api ? "api" : "resolvers";
}

std::uint64_t random_number() {
    std::random_device device;
    return std::uint64_t{device()} << 32U | device();
}

} // namespace

std::optional<RequestClass> classify(const http::Request& request) {
    const auto& parts = request.segments;
    if (request.method == "OPTIONS") {
        return std::nullopt; // Browsers ask by themselves.
    }
    const std::string_view first = parts.empty() ? std::string_view() : parts.front();
    if (parts.size() == 1 && (first == "healthz" || first == "metrics")) {
        return std::nullopt;
    }
    if (first == "api") {
        return RequestClass::Api;
    }
    const auto is_content = [](const std::string& part) {
        return part == "resolve" || part == "raw" || part == "objects";
    };
    return first == "cas" || first == "catalog" ||
                   std::any_of(parts.begin(), parts.end(), is_content)
               ? RequestClass::Resolvers
               : RequestClass::Api;
}

RateLimiter::RateLimiter(LimitConfig config)
    : config_(std::move(config)), salt_(random_number()), shared_(kShared) {}

/// With the lock held.
RateLimiter::Counts& RateLimiter::counts_of(const Key& key) {
    const auto found = clients_.find(key);
    if (found != clients_.end()) {
        return found->second;
    }
    if (clients_.size() < kClients) {
        return clients_[key];
    }
    // FNV-1a, begun with what nobody outside knows.
    std::uint64_t hash = salt_;
    const auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; };
    if (const auto* const address = std::get_if<IpAddress>(&key)) {
        std::for_each(address->bytes().begin(), address->bytes().end(), mix);
    } else {
        for (const std::byte byte : std::get<Token>(key).bytes) {
            mix(std::to_integer<std::uint8_t>(byte));
        }
    }
    return shared_[(hash ^ hash >> 32U) % kShared];
}

std::optional<RateLimiter::Verdict> RateLimiter::take(const IpAddress& address,
                                                      const std::optional<Token>& token,
                                                      RequestClass kind,
                                                      Now now) {
    if (config_.enabled == LimitConfig::Enabled::No || contains(config_.exempt, address)) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    if (!begin_ || now >= *begin_ + config_.window) {
        begin_ = now;
        clients_.clear();
        std::fill(shared_.begin(), shared_.end(), Counts{});
    }
    const bool by_token = token && known_.count(*token) != 0;
    const Key key = by_token ? Key(*token) : Key(address.client());
    Verdict verdict;
    verdict.kind = kind;
    verdict.quota = kind == RequestClass::Api ? (by_token ? config_.token_api : config_.api)
                    : by_token                ? config_.token_resolvers
                                              : config_.resolvers;
    verdict.window = config_.window;
    const auto left = *begin_ + config_.window - now;
    verdict.reset =
        std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds(1));
    std::uint64_t& count = counts_of(key)[static_cast<std::size_t>(kind)];
    verdict.allowed = count < verdict.quota;
    if (verdict.allowed) {
        ++count;
    } else {
        ++refused_;
    }
    verdict.remaining = verdict.quota - std::min(count, verdict.quota);
    return verdict;
}

bool RateLimiter::begin_lookup(const IpAddress& address, const Token& token) {
    const std::lock_guard lock(mutex_);
    if (known_.count(token) != 0) {
        return false; // It has used up a quota of its own.
    }
    std::uint64_t& count = counts_of(address.client())[2];
    return count < kLookups && ++count > 0;
}

void RateLimiter::note_token(const Token& token, bool good) {
    const std::lock_guard lock(mutex_);
    if (!good) {
        known_.erase(token);
        return;
    }
    if (known_.size() >= kClients) {
        known_.clear(); // Those in use are known again after a request each.
    }
    known_.insert(token);
}

std::uint64_t RateLimiter::refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
}

std::size_t RateLimiter::size() const {
    const std::lock_guard lock(mutex_);
    return clients_.size() + shared_.size() + known_.size();
}

void add_headers(const RateLimiter::Verdict& verdict, http::Headers& headers) {
    const std::string name = "\"" + std::string(name_of(verdict.kind)) + "\"";
    headers.set("RateLimit",
                name + ";r=" + std::to_string(verdict.remaining) +
                    ";t=" + std::to_string(verdict.reset.count()));
    headers.set("RateLimit-Policy",
                "\"fixed window\";" + name + ";q=" + std::to_string(verdict.quota) +
                    ";w=" + std::to_string(verdict.window.count()));
}

http::Response render_limited(const RateLimiter::Verdict& verdict, const http::Request& request) {
    const std::string wait = std::to_string(verdict.reset.count());
    const std::string text = "too many requests: " + std::to_string(verdict.quota) + " in " +
                             std::to_string(verdict.window.count()) +
                             " seconds are allowed here; go on in " + wait + " seconds";
    Json body = {{"error", text}};
    const bool lfs = is_lfs(request);
    if (lfs) {
        body["message"] = text;
    }
    http::Response response = http::json_response(429, render_json(body));
    if (lfs) {
        response.headers.set("Content-Type", kLfsJson);
    }
    add_headers(verdict, response.headers);
    response.headers.add("Retry-After", wait);
    response.headers.add("X-Error-Message", text);
    return response;
}

} // namespace locara::hub
