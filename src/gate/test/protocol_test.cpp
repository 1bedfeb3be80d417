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

formats::WeightsFacts facts() {
    formats::WeightsFacts facts;
    facts.format = "gguf";
    facts.parameters = 1000;
    facts.types = {{"F32", 200}, {"Q4_K", 800}};
    facts.architecture = "llama";
    facts.context_length = 4096;
    facts.chat_template = "{{ messages }}";
    facts.eos_token = "</s>";
    return facts;
}

TEST(Protocol, takes_nothing_but_exactly_facts) {
    Examination answer{formats::make_verdict("gguf", {"gguf.valid", "fine", {}}), 24, facts()};
    const Json right = render_answer(answer);
    ASSERT_EQ(parse_answer(right).value(), answer);
    for (const auto& [name, value] : right["facts"].items()) {
        Json without = right;
        without["facts"].erase(name);
        EXPECT_FALSE(parse_answer(without)) << name;
        for (const Json& wrong : {Json(-1), Json::array(), Json(true)}) {
            Json other = right;
            other["facts"][name] = wrong;
            EXPECT_FALSE(parse_answer(other)) << name << " " << wrong;
        }
    }
    Json more = right;
    more["facts"]["x"] = 1;
    EXPECT_FALSE(parse_answer(more));
    Json many = right;
    for (std::size_t i = 0; i <= formats::kMaxFactTypes; ++i) {
        many["facts"]["types"]["T" + std::to_string(i)] = 1;
    }
    EXPECT_FALSE(parse_answer(many));
    Json longer = right;
    longer["facts"]["chat_template"] = std::string(formats::kMaxFactTemplate + 1, 'x');
    EXPECT_FALSE(parse_answer(longer));
    // The worst that is sent fits a message.
    longer["facts"]["chat_template"] = std::string(formats::kMaxFactTemplate, '\1');
    EXPECT_LT(longer.dump().size(), kMaxMessage);
    EXPECT_TRUE(parse_answer(longer));
}

TEST(Protocol, carries_every_verdict_of_the_table) {
    for (const formats::Rule& rule : formats::rules()) {
        Examination answer{
            formats::make_verdict("some format", {std::string(rule.name), "why", std::nullopt}),
            {}};
        EXPECT_EQ(parse_answer(render_answer(answer)).value(), answer) << rule.name;
        answer.verdict.offset = ~0ULL;
        answer.tensors_at = 24;
        answer.facts = facts();
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
    for (const Json& wrong :
         {Json(),
          Json(1),
          Json::array(),
          Json::object(),
          Json{{"verdict", right["verdict"]}},
          Json{{"verdict", right["verdict"]}, {"tensors_at", 1}},
          Json{{"verdict", right["verdict"]}, {"tensors_at", "1"}, {"facts", nullptr}},
          Json{{"verdict", right["verdict"]}, {"tensors_at", 1}, {"facts", 1}},
          Json{{"verdict", right["verdict"]}, {"tensors_at", 1}, {"facts", nullptr}, {"x", 1}},
          Json{{"verdict", "allow"}, {"tensors_at", 1}, {"facts", nullptr}}}) {
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
