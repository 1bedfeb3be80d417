#include "git_wire.hpp"
#include "gunzip.hpp"
#include "ref_name.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

const std::string kOne(40, '1');
const std::string kTwo(40, '2');

Result<std::optional<PushRequest>> read(std::string_view text, std::string_view* rest = nullptr) {
    ByteView bytes = as_bytes(text);
    PushParser parser;
    auto request = parser.take(bytes);
    if (rest != nullptr) {
        *rest = as_text(bytes);
    }
    return request;
}

ErrorCode why(std::string_view text) {
    const auto request = read(text);
    return request ? ErrorCode::Internal : request.error().code();
}

TEST(GitWire, writes_lines_with_their_length) {
    EXPECT_EQ(render_pkt("a\n"), "0006a\n");
    EXPECT_EQ(render_band(Band::Progress, "hi"), "0007\002hi");
    EXPECT_EQ(render_band(Band::Answer, ""), "");
    const std::string two = render_band(Band::Answer, std::string(65516, 'x'));
    EXPECT_EQ(two.substr(0, 5), "fff0\001");
    EXPECT_EQ(two.substr(65520), "0006\001x");
}

TEST(GitWire, reads_what_a_fetch_wants_in_every_version) {
    EXPECT_EQ(render_error("no"), "000aERR no");
    const std::string upper(40, 'A');
    const std::string old = render_pkt("want " + kOne + " ofs-delta agent=x\n") +
                            render_pkt("want " + upper + "\n") + "0000" +
                            render_pkt("have " + kTwo + "\n") + render_pkt("done\n");
    const std::string lower(40, 'a');
    EXPECT_EQ(*parse_wants(old), (std::vector<std::string>{kOne, lower}));
    const std::string second = render_pkt("command=fetch") + "0001" + render_pkt("thin-pack") +
                               render_pkt("want " + kTwo) + "00040000";
    EXPECT_EQ(*parse_wants(second), std::vector<std::string>{kTwo});
    EXPECT_TRUE(parse_wants("")->empty());
    EXPECT_TRUE(parse_wants(render_pkt("command=ls-refs") + "0000")->empty());
    for (const std::string& bad : {std::string("0003"),
                                   std::string("00"),
                                   std::string("zzzz"),
                                   std::string("0009want"),
                                   render_pkt("want refs/heads/main"),
                                   render_pkt("want " + kOne.substr(1)),
                                   "fff1" + std::string(70'000, 'x')}) {
        EXPECT_EQ(parse_wants(bad).error().code(), ErrorCode::InvalidArgument) << bad.substr(0, 60);
    }
}

TEST(GitWire, takes_the_commands_and_leaves_the_pack) {
    const std::string first = kOne + " " + kTwo + " refs/heads/main";
    const std::string text =
        render_pkt("shallow " + kOne + "\n") +
        render_pkt(first + std::string(1, '\0') + " report-status side-band-64k\n") +
        render_pkt(kOne + " " + std::string(kNoObject) + " refs/tags/v1") + "0000PACK";
    std::string_view rest;
    const auto request = read(text, &rest);
    ASSERT_TRUE(request && *request);
    EXPECT_EQ(rest, "PACK");
    EXPECT_EQ((*request)->commands,
              (std::vector<RefCommand>{{kOne, kTwo, "refs/heads/main"},
                                       {kOne, std::string(kNoObject), "refs/tags/v1"}}));
    EXPECT_TRUE((*request)->commands[1].removes());
    EXPECT_TRUE((*request)->can("side-band-64k"));
    EXPECT_FALSE((*request)->can("quiet"));
}

TEST(GitWire, refuses_what_is_no_list_of_commands) {
    EXPECT_EQ(why("zzzz"), ErrorCode::InvalidArgument);
    EXPECT_EQ(why("0001"), ErrorCode::InvalidArgument);
    EXPECT_EQ(why("0004"), ErrorCode::InvalidArgument);
    EXPECT_EQ(why("fff1"), ErrorCode::InvalidArgument);
    EXPECT_EQ(why(render_pkt("\n")), ErrorCode::InvalidArgument);
    EXPECT_EQ(why(render_pkt(kOne + " " + kTwo + " ")), ErrorCode::InvalidArgument);
    EXPECT_EQ(why(render_pkt(kOne + " " + std::string(40, 'X') + " r")),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(why(render_pkt("push-cert\n")), ErrorCode::Unsupported);
    const std::string sha256 = " object-format=sha256";
    EXPECT_EQ(why(render_pkt(kOne + " " + kTwo + " r" + std::string(1, '\0') + sha256)),
              ErrorCode::Unsupported);
    std::string many;
    for (std::size_t i = 0; i <= kPushCommandLimit; ++i) {
        many += render_pkt(kOne + " " + kTwo + " r");
    }
    EXPECT_EQ(why(many), ErrorCode::TooLarge);
}

TEST(GitWire, unpacks_gzip_within_its_limit) {
    // gzip -n of "hello\n".
    const auto packed = parse_hex("1f8b0800000000000003cb48cdc9c9e7020020303a3606000000");
    ASSERT_TRUE(packed);
    std::string out;
    const auto take = [&out](ByteView bytes) {
        out += as_text(bytes);
        return Status();
    };
    Gunzip whole(6);
    for (const std::byte one : *packed) {
        ASSERT_TRUE(whole.unpack(ByteView(&one, 1), take));
    }
    EXPECT_TRUE(whole.finish());
    EXPECT_EQ(out, "hello\n");
    EXPECT_EQ(whole.unpack(as_bytes("x"), take).error().code(), ErrorCode::Corrupt);
    Gunzip half(6);
    ASSERT_TRUE(half.unpack(ByteView(*packed).first(20), take));
    EXPECT_EQ(half.finish().error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(Gunzip(5).unpack(*packed, take).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(Gunzip(5).unpack(as_bytes("plain text"), take).error().code(), ErrorCode::Corrupt);
}

TEST(RefName, takes_names_that_mean_one_thing_everywhere) {
    for (const char* const good : {"refs/heads/main", "refs/heads/feat/x", "refs/tags/v1.0"}) {
        EXPECT_TRUE(check_ref_name(good)) << good;
    }
    const std::string id = "refs/heads/" + kOne;
    for (const std::string& bad : {std::string("refs/heads/"),
                                   std::string("refs/heads/a b"),
                                   std::string("refs/heads/a..b"),
                                   std::string("refs/heads/a.lock"),
                                   std::string("refs/heads/../x"),
                                   std::string("refs/heads/.git"),
                                   std::string("refs/heads/-x"),
                                   std::string("refs/heads/con"),
                                   std::string("refs/heads/HEAD"),
                                   std::string("refs/heads/refs/x"),
                                   std::string("refs/locara/x"),
                                   std::string("main"),
                                   "refs/tags/" + std::string(201, 'a'),
                                   id}) {
        EXPECT_EQ(check_ref_name(bad).error().code(), ErrorCode::InvalidArgument) << bad;
    }
}

} // namespace
} // namespace locara::hub
