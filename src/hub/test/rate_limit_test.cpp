#include "rate_limit.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace locara::hub {
namespace {

const RateLimiter::Now kStart{std::chrono::hours(1)};

LimitConfig small_limits() {
    LimitConfig config;
    config.api = 3;
    config.resolvers = 5;
    config.token_api = 4;
    config.token_resolvers = 6;
    config.window = std::chrono::seconds(60);
    return config;
}

IpAddress v6(std::uint64_t network, std::uint64_t host) {
    char text[64];
    std::snprintf(text,
                  sizeof text,
                  "2001:db8:%x:%x::%x",
                  static_cast<unsigned>(network >> 16U & 0xffffU),
                  static_cast<unsigned>(network & 0xffffU),
                  static_cast<unsigned>(host));
    return *IpAddress::parse(text);
}

TEST(RateLimit, an_address_has_its_quota_of_each_class_in_each_window) {
    RateLimiter limiter(small_limits());
    const IpAddress one = *IpAddress::parse("192.0.2.1");
    for (const std::uint64_t remaining : {2U, 1U, 0U}) {
        const auto verdict = limiter.take(one, {}, RequestClass::Api, kStart);
        ASSERT_TRUE(verdict);
        EXPECT_TRUE(verdict->allowed);
        EXPECT_EQ(verdict->remaining, remaining);
        EXPECT_EQ(verdict->reset, std::chrono::seconds(60));
    }
    const auto later = kStart + std::chrono::milliseconds(59'500);
    const auto refused = limiter.take(one, {}, RequestClass::Api, later);
    EXPECT_FALSE(refused->allowed);
    EXPECT_EQ(refused->reset, std::chrono::seconds(1));
    EXPECT_EQ(limiter.refused(), 1U);
    EXPECT_TRUE(limiter.take(one, {}, RequestClass::Resolvers, later)->allowed);
    EXPECT_TRUE(
        limiter.take(*IpAddress::parse("192.0.2.2"), {}, RequestClass::Api, later)->allowed);
    const auto next = kStart + std::chrono::seconds(60);
    EXPECT_TRUE(limiter.take(one, {}, RequestClass::Api, next)->allowed);
}

TEST(RateLimit, a_network_of_one_machine_counts_once) {
    RateLimiter limiter(small_limits());
    for (unsigned host = 0; host < 3; ++host) {
        EXPECT_TRUE(limiter.take(v6(1, host), {}, RequestClass::Api, kStart)->allowed);
    }
    EXPECT_FALSE(limiter.take(v6(1, 9), {}, RequestClass::Api, kStart)->allowed);
    EXPECT_TRUE(limiter.take(v6(2, 9), {}, RequestClass::Api, kStart)->allowed);
}

TEST(RateLimit, made_up_tokens_give_nobody_a_quota_of_their_own) {
    RateLimiter limiter(small_limits());
    const IpAddress one = *IpAddress::parse("192.0.2.1");
    int allowed = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto token = crypto::sha256(as_bytes("hf_" + std::to_string(i)));
        allowed += limiter.take(one, token, RequestClass::Api, kStart)->allowed ? 1 : 0;
        limiter.note_token(token, false);
    }
    EXPECT_EQ(allowed, 3);
    // A good one goes on, from any address, with a quota of its own.
    const auto good = crypto::sha256(as_bytes("hf_good"));
    limiter.note_token(good, true);
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_TRUE(limiter.take(v6(i, 1), good, RequestClass::Api, kStart)->allowed);
    }
    EXPECT_FALSE(limiter.take(one, good, RequestClass::Api, kStart)->allowed);
    limiter.note_token(good, false); // Revoked: back to the address, whose quota is spent.
    EXPECT_EQ(limiter.take(one, good, RequestClass::Api, kStart)->quota, 3U);
}

TEST(RateLimit, a_token_may_be_looked_up_unless_it_is_known_or_too_many_were) {
    RateLimiter limiter(small_limits());
    const IpAddress one = *IpAddress::parse("192.0.2.1");
    const auto good = crypto::sha256(as_bytes("hf_good"));
    EXPECT_TRUE(limiter.begin_lookup(one, good));
    limiter.note_token(good, true);
    EXPECT_FALSE(limiter.begin_lookup(one, good));
    std::uint64_t begun = 1;
    for (std::uint64_t i = 0; i < 2 * RateLimiter::kLookups; ++i) {
        const auto made_up = crypto::sha256(as_bytes("hf_" + std::to_string(i)));
        begun += limiter.begin_lookup(one, made_up) ? 1U : 0U;
    }
    EXPECT_EQ(begun, RateLimiter::kLookups);
}

TEST(RateLimit, memory_is_bounded_and_a_flood_of_addresses_makes_nobody_free) {
    RateLimiter limiter(small_limits());
    std::uint64_t allowed = 0;
    constexpr std::uint64_t kFlood = 300'000;
    for (std::uint64_t i = 0; i < kFlood; ++i) {
        allowed += limiter.take(v6(i, 1), {}, RequestClass::Api, kStart)->allowed ? 1U : 0U;
    }
    EXPECT_LE(limiter.size(), RateLimiter::kClients + RateLimiter::kShared);
    EXPECT_LE(allowed, RateLimiter::kClients + 3 * RateLimiter::kShared);
    // Who was there before the flood is counted as before; after it all is as new.
    EXPECT_EQ(limiter.take(v6(0, 1), {}, RequestClass::Api, kStart)->remaining, 1U);
    const auto next = kStart + std::chrono::seconds(60);
    EXPECT_EQ(limiter.take(v6(kFlood, 1), {}, RequestClass::Api, next)->remaining, 2U);
    EXPECT_LE(limiter.size(), RateLimiter::kShared + 1);
    for (std::uint64_t i = 0; i < 2 * RateLimiter::kClients; ++i) {
        limiter.note_token(crypto::sha256(as_bytes(std::to_string(i))), true);
    }
    EXPECT_LE(limiter.size(), RateLimiter::kClients + RateLimiter::kShared + 1);
}

TEST(RateLimit, classes_are_those_of_the_hub) {
    const auto of = [](const std::string& path) {
        http::Request request;
        request.segments = *http::split_path(path.substr(1));
        return classify(request);
    };
    EXPECT_EQ(of("/api/models/a/b"), RequestClass::Api);
    EXPECT_EQ(of("/api/models/a/resolve"), RequestClass::Api);
    EXPECT_EQ(of("/"), RequestClass::Api);
    EXPECT_EQ(of("/a/b.git/git-upload-pack"), RequestClass::Api);
    EXPECT_EQ(of("/a/b/resolve/main/x"), RequestClass::Resolvers);
    EXPECT_EQ(of("/datasets/a/b/raw/main/x"), RequestClass::Resolvers);
    EXPECT_EQ(of("/cas/v1/xorbs/default/00"), RequestClass::Resolvers);
    EXPECT_EQ(of("/a/b.git/info/lfs/objects/00"), RequestClass::Resolvers);
    EXPECT_EQ(of("/healthz"), std::nullopt);
    EXPECT_EQ(of("/metrics"), std::nullopt);
    http::Request asks; // As browsers do before they ask.
    asks.method = "OPTIONS";
    EXPECT_EQ(classify(asks), std::nullopt);
}

} // namespace
} // namespace locara::hub
