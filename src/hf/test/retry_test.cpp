#include "../answer.hpp"

#include <gtest/gtest.h>

namespace locara::hf {
namespace {

using namespace std::chrono_literals;

Failure later(std::optional<std::chrono::seconds> asked = {}) {
    return {Error(ErrorCode::Unavailable, "busy"), Failure::Again::Later, asked};
}

RetryPolicy policy(int attempts) {
    RetryPolicy policy;
    policy.attempts = attempts;
    return policy;
}

TEST(RetryTest, waits_double_with_jitter_up_to_a_bound) {
    FakeTimer timer;
    Retry retry(policy(100), timer, null_log());
    for (int n = 1; n <= 60; ++n) {
        const auto full =
            std::min<std::chrono::milliseconds>(30s, 500ms * (1LL << std::min(n - 1, 20)));
        const auto wait = retry.wait_before(n);
        EXPECT_GE(wait, full / 2) << n;
        EXPECT_LE(wait, full) << n;
    }
}

TEST(RetryTest, gives_up_after_the_last_attempt_and_progress_starts_anew) {
    FakeTimer timer;
    Retry retry(policy(3), timer, null_log());
    EXPECT_TRUE(retry.after(later(), {}));
    EXPECT_TRUE(retry.after(later(), {}));
    retry.progressed();
    EXPECT_TRUE(retry.after(later(), {}));
    EXPECT_TRUE(retry.after(later(), {}));
    const auto end = retry.after(later(), {});
    EXPECT_EQ(end.error().code(), ErrorCode::Unavailable);
    EXPECT_NE(end.error().message().find("3 tries"), std::string::npos);
    EXPECT_EQ(timer.waits().size(), 4U);
}

TEST(RetryTest, waits_as_long_as_asked_and_never_longer_than_the_bound) {
    FakeTimer timer;
    Retry retry(RetryPolicy(), timer, null_log());
    ASSERT_TRUE(retry.after(later(7s), {}));
    EXPECT_GE(timer.waits().at(0), 7s);
    EXPECT_LE(timer.waits().at(0), 8s);
    const auto end = retry.after(later(3600s), {});
    ASSERT_FALSE(end);
    EXPECT_NE(end.error().message().find("3600 s"), std::string::npos);
    EXPECT_EQ(timer.waits().size(), 1U);
}

TEST(RetryTest, does_not_repeat_what_cannot_help) {
    FakeTimer timer;
    Retry retry(RetryPolicy(), timer, null_log());
    const auto never =
        retry.after({Error(ErrorCode::NotFound, "x"), Failure::Again::Never, {}}, {});
    EXPECT_EQ(never.error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(retry.after({Error(ErrorCode::NotFound, "x"), Failure::Again::Now, {}}, {}));
    EXPECT_TRUE(timer.waits().empty());
}

TEST(AnswerTest, reads_how_long_to_stay_away) {
    EXPECT_EQ(asked_wait({{"Retry-After", "12"}}), 12s);
    EXPECT_EQ(asked_wait({{"RateLimit", "\"api\";r=0;t=55"}}), 55s);
    EXPECT_EQ(asked_wait({{"RateLimit", "\"api\";r=3;t=55"}}), std::nullopt);
    EXPECT_EQ(asked_wait({{"Retry-After", "soon"}}), std::nullopt);
    EXPECT_EQ(asked_wait({{"Retry-After", "-5"}}), std::nullopt);
    EXPECT_EQ(asked_wait({}), std::nullopt);
}

TEST(AnswerTest, parses_content_ranges) {
    const auto range = ContentRange::parse("bytes 5-9/100");
    ASSERT_TRUE(range);
    EXPECT_EQ(range->first, 5U);
    EXPECT_EQ(range->last, 9U);
    EXPECT_EQ(range->total, 100U);
    EXPECT_EQ(ContentRange::parse("bytes 5-9/*")->total, std::nullopt);
    for (const char* bad : {"",
                            "bytes",
                            "bytes 5-9",
                            "bytes */100",
                            "bytes 9-5/100",
                            "5-9/100",
                            "bytes -5/100",
                            "bytes 5-9/x",
                            "bytes 5-99999999999999999999/1",
                            "bytes 5/9-1"}) {
        EXPECT_FALSE(ContentRange::parse(bad)) << bad;
    }
}

TEST(AnswerTest, strips_entity_tags) {
    EXPECT_EQ(bare_etag("\"abc\""), "abc");
    EXPECT_EQ(bare_etag("W/\"abc\""), "abc");
    EXPECT_EQ(bare_etag("abc"), "abc");
    EXPECT_EQ(bare_etag("\""), "\"");
}

struct Case {
    int status;
    std::string code;
    bool with_token;
    ErrorCode expected;
    std::string fix;
};

TEST(AnswerTest, each_refusal_has_its_own_code_and_fix) {
    const std::vector<Case> cases = {
        {404,
         "RepoNotFound",
         false,
         ErrorCode::NotFound,
         "LOCARA_TOKEN for a hub of your own) if it is private"},
        {404, "RepoNotFound", true, ErrorCode::NotFound, "the token's rights"},
        {401, "RepoNotFound", false, ErrorCode::Unauthorized, "check the name, or set HF_TOKEN"},
        {404, "RevisionNotFound", false, ErrorCode::NotFound, "look for a newer version"},
        {404, "EntryNotFound", false, ErrorCode::NotFound, "check the path"},
        {401, "GatedRepo", false, ErrorCode::Unauthorized, "accept them"},
        {403, "GatedRepo", true, ErrorCode::Forbidden, "ask for access"},
        {401, "", true, ErrorCode::Unauthorized, "make a new one"},
        {403, "", true, ErrorCode::Forbidden, "ask its owner"},
        {403, "RefusedByGate", true, ErrorCode::Refused, "; `locara scan FILE...` shows"},
        {400, "", false, ErrorCode::InvalidArgument, "400"},
        {418, "", false, ErrorCode::Unavailable, "418"},
    };
    for (const Case& c : cases) {
        http::ResponseHead head;
        head.status = c.status;
        head.url = "https://hub.example/o/n";
        head.headers.add("X-Error-Code", c.code);
        const Failure failure =
            failure_of(head, "", {"https://hub.example", "o/n", "main", "f", c.with_token});
        EXPECT_EQ(failure.error.code(), c.expected) << c.status << " " << c.code;
        EXPECT_NE(failure.error.message().find(c.fix), std::string::npos)
            << failure.error.message();
        EXPECT_EQ(failure.again, Failure::Again::Never);
    }
}

TEST(AnswerTest, shows_the_words_of_the_server_in_one_clean_line) {
    http::ResponseHead head;
    head.status = 503;
    head.url = "https://hub.example/o/n";
    const Failure failure = failure_of(head, "{\"error\":\"down\\nfor \\u001b[31mrepair\"}", {});
    EXPECT_NE(failure.error.message().find("503 (down?for ?[31mrepair)"), std::string::npos)
        << failure.error.message();
    EXPECT_EQ(failure.again, Failure::Again::Later);
    EXPECT_NE(failure_of(head, "<html>not JSON", {}).error.message().find("answers 503"),
              std::string::npos);
}

} // namespace
} // namespace locara::hf
