#include <locara/base/json.hpp>
#include <locara/http/message.hpp>

#include <gtest/gtest.h>

namespace locara::http {
namespace {

using Kind = ByteRange::Kind;
using Words = std::vector<std::string>;

TEST(SplitPath, keeps_an_encoded_slash_inside_its_segment) {
    const auto segments = split_path("org/repo/resolve/refs%2Fpr%2F1/a%20b/c%231.txt");
    ASSERT_TRUE(segments);
    EXPECT_EQ(*segments, (Words{"org", "repo", "resolve", "refs/pr/1", "a b", "c#1.txt"}));
}

TEST(SplitPath, decodes_once_only) {
    EXPECT_EQ(*split_path("a%252Fb"), Words{"a%2Fb"});
}

TEST(SplitPath, tells_empty_from_trailing_slash) {
    EXPECT_EQ(*split_path(""), Words{});
    EXPECT_EQ(*split_path("a/"), (Words{"a", ""}));
}

TEST(SplitPath, refuses_dot_segments_broken_escapes_nul_and_what_is_no_utf8) {
    for (const char* path :
         {"a/../b", "..", "a/%2e%2E", ".", "a%", "a%4", "a%zz", "a%00b", "a/%ff", "a\xff"}) {
        const auto segments = split_path(path);
        ASSERT_FALSE(segments) << path;
        EXPECT_EQ(segments.error().code(), ErrorCode::InvalidArgument) << path;
    }
}

TEST(Query, takes_repeated_keys_plus_and_flags) {
    const auto query = Query::parse("expand=a&expand=b+c&x&recursive=True&no=false&e=");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->all("expand"), (Words{"a", "b c"}));
    EXPECT_TRUE(query->flag("recursive"));
    EXPECT_TRUE(query->flag("x"));
    EXPECT_FALSE(query->flag("no"));
    EXPECT_FALSE(query->flag("absent"));
    EXPECT_FALSE(Query::parse("a=%"));
}

TEST(Headers, compare_names_without_case_and_never_break_lines) {
    Headers headers;
    headers.add("X-One", "a\r\nX-Two: b");
    EXPECT_EQ(headers.find("x-ONE"), "a  X-Two: b");
    headers.set("x-one", "c");
    EXPECT_EQ(headers.count("X-One"), 1U);
    EXPECT_TRUE(holds_token("keep-alive, Close", "close"));
    EXPECT_FALSE(holds_token("closed", "close"));
}

TEST(ResolveRange, follows_rfc_9110) {
    const auto check = [](const char* header, Kind kind, std::uint64_t offset, std::uint64_t n) {
        const ByteRange range = resolve_range(header, 100);
        EXPECT_EQ(range.kind, kind) << header;
        EXPECT_EQ(range.offset, offset) << header;
        EXPECT_EQ(range.length, n) << header;
    };
    check("bytes=0-0", Kind::Part, 0, 1);
    check("bytes=10-19", Kind::Part, 10, 10);
    check("bytes=90-", Kind::Part, 90, 10);
    check("bytes=90-1000", Kind::Part, 90, 10);
    check("bytes=-5", Kind::Part, 95, 5);
    check("bytes=-500", Kind::Part, 0, 100);
    check("Bytes=99-99", Kind::Part, 99, 1);
    check("bytes=100-", Kind::Unsatisfiable, 0, 0);
    check("bytes=-0", Kind::Unsatisfiable, 0, 0);
    check("bytes=5-4", Kind::Whole, 0, 100);
    check("bytes=a-b", Kind::Whole, 0, 100);
    check("bytes=0-1,3-4", Kind::Whole, 0, 100);
    // Any number of digits is one.
    check("bytes=99999999999999999999-", Kind::Unsatisfiable, 0, 0);
    check("bytes=5-99999999999999999999999", Kind::Part, 5, 95);
    check("bytes=-99999999999999999999", Kind::Part, 0, 100);
    check("bytes=5-9999999999999999999999x", Kind::Whole, 0, 100);
    check("lines=0-1", Kind::Whole, 0, 100);
    check("bytes=", Kind::Whole, 0, 100);
    EXPECT_EQ(resolve_range(std::nullopt, 100).kind, Kind::Whole);
}

TEST(ContentResponse, answers_conditions_and_ranges) {
    Request request;
    const Content content{std::string("0123456789"), "\"abc\"", "text/plain"};
    EXPECT_EQ(content_response(request, content).status, 200);

    request.headers.set("If-None-Match", "\"x\", W/\"abc\"");
    EXPECT_EQ(content_response(request, content).status, 304);

    request.headers = {{"Range", "bytes=2-4"}};
    const Response part = content_response(request, content);
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(std::get<std::string>(part.body), "234");
    EXPECT_EQ(part.headers.find("content-range"), "bytes 2-4/10");

    request.method = "HEAD";
    EXPECT_EQ(content_response(request, content).status, 200);
    request.method = "GET";
    request.headers.set("If-Range", "\"older\"");
    EXPECT_EQ(content_response(request, content).status, 200);

    request.headers = {{"Range", "bytes=10-"}};
    const Response past = content_response(request, content);
    EXPECT_EQ(past.status, 416);
    EXPECT_EQ(past.headers.find("Content-Range"), "bytes */10");
}

TEST(ContentResponse, gives_200_with_a_content_range_for_a_range_of_nothing) {
    Request request;
    request.headers.set("Range", "bytes=0-0");
    const Response response = content_response(request, {std::string(), "\"e\"", "text/plain"});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.find("Content-Range"), "bytes */0");
}

TEST(Problem, hides_our_own_mistakes_and_survives_foreign_bytes) {
    const Response ours = problem(Error(ErrorCode::Io, "/secret/path: no"));
    EXPECT_EQ(ours.status, 500);
    EXPECT_EQ(std::get<std::string>(ours.body).find("secret"), std::string::npos);
    const Response theirs = problem(Error(ErrorCode::NotFound, "no \xff here"));
    const auto json = parse_json(std::get<std::string>(theirs.body));
    ASSERT_TRUE(json);
    EXPECT_EQ((*json)["status"], 404);
    EXPECT_EQ((*json)["code"], "not_found");
    // For clients of the Hugging Face Hub.
    EXPECT_EQ((*json)["error"], (*json)["detail"]);
    EXPECT_EQ(theirs.headers.find("X-Error-Message"), "no ? here");
}

} // namespace
} // namespace locara::http
