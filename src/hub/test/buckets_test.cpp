#include "../bucket_batch.hpp"
#include "../buckets.hpp"
#include "test_database.hpp"

#include <locara/base/secret.hpp>

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;

xet::FileHash hash_of(char digit) {
    auto hash = xet::FileHash::parse(std::string(64, digit));
    EXPECT_TRUE(hash);
    return *hash;
}

BucketChange put(const std::string& path, char content, int uploaded = 0) {
    BucketChange change;
    change.file = {path, hash_of(content), 5, TimePoint(std::chrono::seconds(uploaded)), {}, ""};
    return change;
}

BucketChange removal(const std::string& path) {
    BucketChange change;
    change.kind = BucketChange::Kind::Remove;
    change.file.path = path;
    return change;
}

class BucketsTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        const auto database = open();
        names_.emplace(database);
        buckets_.emplace(database);
        bucket_ = make("b");
    }

    Repo make(const std::string& name) {
        Repo repo;
        repo.id = {RepoType::Bucket, "ana", name};
        repo.internal = random_hex(12);
        const auto made = names_->add_repo(repo);
        EXPECT_TRUE(made);
        return *made;
    }

    void apply(const std::vector<BucketChange>& changes) {
        for (const BucketChange& change : changes) {
            if (change.kind == BucketChange::Kind::Put) {
                const auto digest = crypto::sha256(as_bytes(change.file.xet.render()));
                ASSERT_TRUE(
                    names_->add_file(bucket_.key, {digest, change.file.xet, 5}, TimePoint()));
            }
        }
        const Status applied = buckets_->apply(bucket_, changes);
        ASSERT_TRUE(applied) << applied.error().describe();
    }

    /// All pages of a list, folders with a slash at their end, a bar between pages.
    std::string list(const std::string& folder, Buckets::Recursive recursive, std::size_t limit) {
        std::string all;
        std::string from;
        do {
            const auto page = buckets_->list(bucket_, folder, recursive, from, limit);
            EXPECT_TRUE(page);
            for (const BucketEntry& entry : page->entries) {
                all += entry.file.path;
                all += entry.kind == BucketEntry::Kind::Directory ? "/ " : " ";
            }
            from = page->next;
            all += from.empty() ? "" : "| ";
        } while (!from.empty());
        return all;
    }

    std::optional<Names> names_;
    std::optional<Buckets> buckets_;
    Repo bucket_;
};

TEST_P(BucketsTest, lists_what_lies_below_a_folder) {
    apply({put("a.txt", '1'),
           put("d/x", '2'),
           put("d/e/y", '3'),
           put("d-e", '4'),
           put("d0", '5'),
           put("f/z", '6')});
    EXPECT_EQ(list("", Buckets::Recursive::Yes, 100), "a.txt d-e d/e/y d/x d0 f/z ");
    EXPECT_EQ(list("", Buckets::Recursive::No, 100), "a.txt d-e d/ d0 f/ ");
    EXPECT_EQ(list("d", Buckets::Recursive::No, 100), "d/e/ d/x ");
    EXPECT_EQ(list("d/e", Buckets::Recursive::No, 100), "d/e/y ");
    EXPECT_EQ(list("none", Buckets::Recursive::Yes, 100), "");
    EXPECT_EQ(list("a.txt", Buckets::Recursive::Yes, 100), "");
}

TEST_P(BucketsTest, pages_come_one_after_the_other) {
    apply({put("a", '1'), put("d/1", '2'), put("d/2", '3'), put("d/3", '4'), put("e", '5')});
    EXPECT_EQ(list("", Buckets::Recursive::Yes, 2), "a d/1 | d/2 d/3 | e ");
    EXPECT_EQ(list("", Buckets::Recursive::No, 1), "a | d/ | e ");
    EXPECT_EQ(list("", Buckets::Recursive::No, 2), "a d/ | e ");
    EXPECT_EQ(list("d", Buckets::Recursive::No, 1), "d/1 | d/2 | d/3 ");
}

TEST_P(BucketsTest, a_large_folder_is_one_entry_among_many) {
    std::vector<BucketChange> changes;
    for (int i = 0; i < 2500; ++i) {
        changes.push_back(put("big/" + std::to_string(10'000 + i), '1', i));
    }
    changes.push_back(put("a", '2'));
    changes.push_back(put("small", '3'));
    apply(changes);
    EXPECT_EQ(list("", Buckets::Recursive::No, 100), "a big/ small ");
    const auto folder = buckets_->find_folder(bucket_, "big");
    ASSERT_TRUE(folder && *folder);
    EXPECT_EQ((*folder)->file.uploaded, TimePoint(std::chrono::seconds(2499)));
    const auto totals = buckets_->totals(bucket_);
    ASSERT_TRUE(totals);
    EXPECT_EQ(totals->files, 2502U);
    EXPECT_EQ(totals->bytes, 2502U * 5U);
}

TEST_P(BucketsTest, content_that_no_path_names_is_given_up) {
    apply({put("one", '1'), put("two", '1'), put("three", '2')});
    apply({removal("one"), removal("not there")});
    EXPECT_TRUE(names_->find_file(bucket_.key, hash_of('1')).value().has_value());
    apply({put("two", '2')});
    EXPECT_FALSE(names_->find_file(bucket_.key, hash_of('1')).value().has_value());
    EXPECT_TRUE(names_->find_file(bucket_.key, hash_of('2')).value().has_value());
    apply({removal("two"), removal("three")});
    EXPECT_EQ(names_->list_files(bucket_.key).value().size(), 0U);
    EXPECT_EQ(buckets_->totals(bucket_).value().uploaded, std::nullopt);
}

TEST_P(BucketsTest, content_that_went_meanwhile_is_put_nowhere) {
    apply({put("old", '1'), put("other", '2')});
    // Another batch looked when "old" still named it.
    apply({removal("old")});
    const std::vector<BucketChange> late = {removal("other"), put("new", '1')};
    EXPECT_EQ(buckets_->apply(bucket_, late).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(list("", Buckets::Recursive::Yes, 10), "other ");
    // In one batch it may move.
    apply({put("new", '2'), removal("other")});
    EXPECT_EQ(list("", Buckets::Recursive::Yes, 10), "new ");
}

TEST_P(BucketsTest, content_that_was_put_nowhere_is_told_when_nobody_used_it_since) {
    const auto add = [&](const std::string& text, char hash, int used) {
        const auto digest = crypto::sha256(as_bytes(text));
        EXPECT_TRUE(names_->add_file(
            bucket_.key, {digest, hash_of(hash), 5}, TimePoint(std::chrono::seconds(used))));
        return digest;
    };
    const TimePoint limit(std::chrono::seconds(200));
    const auto named = add("named", '1', 100);
    ASSERT_TRUE(buckets_->apply(bucket_, std::vector{put("a", '1')}));
    const auto old = add("old", '2', 100);
    add("young", '3', 300);
    EXPECT_EQ(buckets_->list_unnamed(bucket_, limit).value(), FileDigests{old});
    EXPECT_FALSE(*names_->remove_unused_file(bucket_.key, named, TimePoint::max()));
    EXPECT_TRUE(*names_->remove_unused_file(bucket_.key, old, limit));
    EXPECT_EQ(buckets_->list_unnamed(bucket_, limit).value(), FileDigests{});
}

TEST_P(BucketsTest, a_bucket_goes_with_all_it_holds) {
    apply({put("one", '1')});
    ASSERT_TRUE(names_->remove_repo(bucket_.key));
    bucket_ = make("b");
    EXPECT_EQ(list("", Buckets::Recursive::Yes, 10), "");
}

LOCARA_WITH_BACKENDS(BucketsTest);

// ------------------------------------------------------------------------------------------ batch

TEST(BucketBatch, reads_one_change_a_line) {
    const std::string hash(64, 'a');
    const std::string text = R"({"type":"addFile","path":"a","xetHash":")" + hash +
                             R"(","mtime":1700000000123,"contentType":"text/plain"})" + "\r\n\n" +
                             R"({"type":"copyFile","path":"b","xetHash":")" + hash +
                             R"(","sourceRepoType":"model","sourceRepoId":"o/r"})" + "\n" +
                             R"({"type":"deleteFile","path":"c"})";
    auto batch = read_batch(as_bytes(text));
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->size(), 3U);
    EXPECT_EQ((*batch)[0].modified, 1'700'000'000'123);
    EXPECT_EQ((*batch)[0].content_type, "text/plain");
    EXPECT_EQ((*batch)[1].kind, BatchOperation::Kind::Copy);
    EXPECT_EQ((*batch)[1].source_id, "o/r");
    EXPECT_EQ((*batch)[2].kind, BatchOperation::Kind::Remove);
    EXPECT_EQ((*batch)[2].path, "c");
}

TEST(BucketBatch, says_which_line_is_wrong) {
    for (const auto& [text, words] :
         {std::pair("{}", "line 1 has type ''"),
          std::pair("\n[]", "line 2 is no JSON object"),
          std::pair(R"({"type":"addFile","path":"a","xetHash":"xyz"})", "line 1 needs a xetHash"),
          std::pair("{", "line 1 is no JSON: ")}) {
        auto batch = read_batch(as_bytes(std::string_view(text)));
        ASSERT_FALSE(batch) << text;
        EXPECT_EQ(batch.error().status, 400);
        EXPECT_THAT(batch.error().message, HasSubstr(words));
    }
    std::string many;
    for (std::size_t i = 0; i <= kBatchLimit; ++i) {
        many += "{\"type\":\"deleteFile\",\"path\":\"a\"}\n";
    }
    EXPECT_EQ(read_batch(as_bytes(many)).error().status, 413);
}

} // namespace
} // namespace locara::hub
