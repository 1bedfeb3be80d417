#include "protocol.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

namespace locara::gate {
namespace {

using formats::Examination;
using formats::Verdict;

struct Pair {
    Pair() {
        int ends[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        here.reset(ends[0]);
        there.reset(ends[1]);
    }

    Fd here;
    Fd there;
};

Deadline soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(10);
}

Verdict pickle() {
    Verdict verdict = formats::make_verdict("pickle", {"pickle.import.malicious", "a reason", 7});
    verdict.member = "a.tar!/b.pkl";
    verdict.imports = {{"os", "system", "GLOBAL", 0, false}, {"x", "y", "INST", 9, true}};
    return verdict;
}

TEST(Protocol, carries_every_verdict_of_the_table) {
    for (const formats::Rule& rule : formats::rules()) {
        Examination answer{
            formats::make_verdict("some format", {std::string(rule.name), "why", std::nullopt}),
            {}};
        EXPECT_EQ(parse_answer(render_answer(answer)).value(), answer) << rule.name;
        answer.verdict.offset = ~0ULL;
        answer.tensors_at = 24;
        EXPECT_EQ(parse_answer(render_answer(answer)).value(), answer) << rule.name;
    }
    Examination answer{pickle(), {}};
    EXPECT_EQ(parse_answer(render_answer(answer)).value(), answer);
    answer.verdict.imports.resize(1'000);
    EXPECT_EQ(parse_answer(render_answer(answer)).value().verdict.imports.size(), kMaxImports);
}

TEST(Protocol, takes_nothing_but_exactly_a_verdict) {
    const Json right = render_answer({pickle(), {}});
    for (const auto& [name, value] : right["verdict"].items()) {
        Json without = right;
        without["verdict"].erase(name);
        EXPECT_FALSE(parse_answer(without)) << name;
        Json other = right;
        other["verdict"][name] = Json::object();
        EXPECT_FALSE(parse_answer(other)) << name;
    }
    for (const auto& [name, value] : right["verdict"]["imports"][0].items()) {
        Json without = right;
        without["verdict"]["imports"][0].erase(name);
        EXPECT_FALSE(parse_answer(without)) << name;
    }
    for (const Json& wrong : {Json(),
                              Json(1),
                              Json::array(),
                              Json::object(),
                              Json{{"verdict", right["verdict"]}},
                              Json{{"verdict", right["verdict"]}, {"tensors_at", "1"}},
                              Json{{"verdict", right["verdict"]}, {"tensors_at", 1}, {"x", 1}},
                              Json{{"verdict", "allow"}, {"tensors_at", 1}}}) {
        EXPECT_FALSE(parse_answer(wrong)) << wrong.dump();
    }
}

TEST(Protocol, bounds_messages_and_time) {
    Pair pair;
    ASSERT_TRUE(send_message(pair.here, {{"a", "b"}}, -1, soon()));
    Fd none;
    EXPECT_EQ(receive_message(pair.there, &none, soon()).value(), (Json{{"a", "b"}}));
    EXPECT_FALSE(none.valid());
    const auto late = receive_message(pair.there, nullptr, std::chrono::steady_clock::now());
    EXPECT_EQ(late.error().code(), ErrorCode::Timeout);
    const Json large = {{"a", std::string(kMaxMessage, 'x')}};
    EXPECT_EQ(send_message(pair.here, large, -1, soon()).error().code(), ErrorCode::TooLarge);
    const std::string wrong("\x01\x00\x10\x00{", 5); // one byte too many
    ASSERT_EQ(write(pair.here.get(), wrong.data(), wrong.size()), 5);
    EXPECT_EQ(receive_message(pair.there, nullptr, soon()).error().code(), ErrorCode::Corrupt);
    pair.there.reset();
    EXPECT_EQ(send_message(pair.here, {{"a", 1}}, -1, soon()).error().code(),
              ErrorCode::Unavailable);
    EXPECT_EQ(receive_message(pair.here, nullptr, soon()).error().code(), ErrorCode::Unavailable);
}

TEST(Protocol, takes_one_descriptor_only) {
    Pair pair;
    Pair other;
    ASSERT_TRUE(send_message(pair.here, {{"a", 1}}, other.here.get(), soon()));
    Fd first;
    ASSERT_TRUE(receive_message(pair.there, &first, soon()));
    EXPECT_TRUE(first.valid());
    ASSERT_TRUE(send_message(pair.here, {{"a", 1}}, other.here.get(), soon()));
    ASSERT_TRUE(receive_message(pair.there, nullptr, soon())); // closed, not leaked
}

} // namespace
} // namespace locara::gate
