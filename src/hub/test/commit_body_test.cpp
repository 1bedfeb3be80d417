#include "../commit_body.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;

const std::string kHeader = R"({"key":"header","value":{"summary":"t","parentCommit":"abc"}})"
                            "\n";

struct Read {
    std::optional<CommitHeader> header;
    std::vector<CommitOperation> operations;
    int status = 200;
    std::string message;
};

Read read(const std::string& body) {
    Read out;
    const auto take = [&out](const CommitHeader&,
                             CommitOperation operation) -> Answer<std::monostate> {
        out.operations.push_back(std::move(operation));
        return std::monostate();
    };
    auto header = read_commit_body(as_bytes(body), take);
    if (header) {
        out.header = *header;
    } else {
        out.status = header.error().status;
        out.message = header.error().message;
    }
    return out;
}

std::string file(const std::string& value) {
    return kHeader + R"({"key":"file","value":)" + value + "}";
}

TEST(CommitBody, reads_every_kind_of_line_with_and_without_a_last_newline) {
    const std::string oid(64, 'a');
    const Read out =
        read(kHeader +
             R"({"key":"file","value":{"path":"a.txt","content":"aGk=","encoding":"base64"}})"
             "\r\n\n" +
             R"({"key":"file","value":{"path":"b/c.txt","content":"h\u00e9"}})"
             "\n" +
             R"({"key":"lfsFile","value":{"path":"m.bin","algo":"sha256","oid":")" + oid +
             R"(","size":5}})"
             "\n" +
             R"({"key":"deletedFile","value":{"path":"old.txt"}})"
             "\n" +
             R"({"key":"deletedFolder","value":{"path":"old/"}})"
             "\n" +
             R"({"key":"deletedEntry","value":{"path":"older/"}})");
    ASSERT_TRUE(out.header) << out.message;
    EXPECT_EQ(out.header->summary, "t");
    EXPECT_EQ(out.header->parent, "abc");
    ASSERT_EQ(out.operations.size(), 6U);
    EXPECT_EQ(out.operations[0].content, "hi");
    EXPECT_EQ(out.operations[1].content, "h\xc3\xa9");
    EXPECT_EQ(out.operations[2].oid.render(), oid);
    EXPECT_EQ(out.operations[2].size, 5U);
    EXPECT_EQ(out.operations[3].kind, CommitOperation::Kind::RemoveFile);
    EXPECT_EQ(out.operations[4].kind, CommitOperation::Kind::RemoveFolder);
    EXPECT_EQ(out.operations[5].path, "older");
}

TEST(CommitBody, reads_renames_with_and_without_new_content) {
    const std::string oid(64, 'a');
    const Read out = read(kHeader +
                          R"({"key":"file","value":{"path":"b.txt","oldPath":"a.txt"}})"
                          "\n"
                          R"({"key":"lfsFile","value":{"path":"b.bin","oldPath":"a.bin","oid":")" +
                          oid + R"("}})");
    ASSERT_TRUE(out.header) << out.message;
    ASSERT_EQ(out.operations.size(), 2U);
    EXPECT_EQ(out.operations[0].kind, CommitOperation::Kind::Rename);
    EXPECT_EQ(out.operations[0].old_path, "a.txt");
    EXPECT_EQ(out.operations[1].kind, CommitOperation::Kind::Stored);
    EXPECT_EQ(out.operations[1].old_path, "a.bin");
    EXPECT_EQ(read(file(R"({"path":"a","oldPath":"a"})")).status, 400);
    EXPECT_EQ(read(file(R"({"path":"a","oldPath":"../a"})")).status, 422);
}

TEST(CommitBody, refuses_what_is_no_such_body) {
    for (const std::string& body : {
             std::string(),
             std::string("\n"),
             std::string("{"),
             std::string("[]"),
             std::string(R"({"key":"file","value":{"path":"a","content":""}})"),
             kHeader + kHeader,
             kHeader + R"({"key":"other","value":{"path":"a"}})",
             kHeader + R"({"key":"file","value":[]})",
             file(R"({"path":"a"})"),
             file(R"({"path":"a","content":"a","encoding":"base64"})"),
             file(R"({"path":"a","content":"a","encoding":"rot13"})"),
             kHeader + R"({"key":"lfsFile","value":{"path":"a","oid":"zz"}})",
             std::string(R"({"key":"header","value":{"summary":""}})"),
         }) {
        EXPECT_EQ(read(body).status, 400) << body;
    }
}

TEST(CommitBody, refuses_paths_that_leave_the_repository_or_hide_in_it) {
    for (const std::string path :
         {"../x", "..\\\\x", "/x", "a//b", "a/../b", ".git/config", "a/.GIT/b", "", "a\\u0000b"}) {
        EXPECT_EQ(read(file(R"({"path":")" + path + R"(","content":""})")).status, 422) << path;
    }
}

TEST(CommitBody, bounds_lines_files_and_operations) {
    const std::string big(kInlineFileLimit + 1, 'a');
    const Read inline_file = read(file(R"({"path":"a","content":")" + big + R"("})"));
    EXPECT_EQ(inline_file.status, 413);
    EXPECT_THAT(inline_file.message, HasSubstr("upload it by Xet"));
    EXPECT_EQ(read(kHeader + std::string(kCommitLineLimit + 1, ' ')).status, 413);
    std::string many = kHeader;
    for (std::size_t i = 0; i <= kCommitOperationLimit; ++i) {
        many += R"({"key":"deletedFile","value":{"path":"a"}})"
                "\n";
    }
    EXPECT_EQ(read(many).status, 413);
}

TEST(CommitBody, ends_with_the_first_refusal_of_who_takes) {
    int taken = 0;
    const auto take = [&taken](const CommitHeader&, CommitOperation) -> Answer<std::monostate> {
        ++taken;
        return Refusal(418, "", "no");
    };
    const std::string body = file(R"({"path":"a","content":""})") + "\n" +
                             R"({"key":"deletedFile","value":{"path":"a"}})";
    const auto header = read_commit_body(as_bytes(body), take);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().status, 418);
    EXPECT_EQ(taken, 1);
}

} // namespace
} // namespace locara::hub
