#include <locara/engine/model_file.hpp>

#include <gtest/gtest.h>

#include <fstream>

#include <sys/stat.h>

namespace locara::engine {
namespace {

TEST(ModelFiles, hands_out_only_files_whose_bytes_are_right_now) {
    auto folder = TempFolder::create("/tmp", "locara-model-file-");
    ASSERT_TRUE(folder);
    auto store = store::Store::open(folder->path());
    ASSERT_TRUE(store);
    const auto put = store->put_bytes(as_bytes("weights"));
    ASSERT_TRUE(put);
    ModelFiles files(*store);

    const auto first = files.open(put->digest);
    ASSERT_TRUE(first) << first.error().describe();
    EXPECT_EQ(first->size(), 7U);
    EXPECT_TRUE(files.open(put->digest));

    ASSERT_EQ(chmod(first->path().c_str(), 0644), 0);
    std::ofstream(first->path(), std::ios::binary) << "WEIGHTS";
    const auto changed = files.open(put->digest);
    ASSERT_FALSE(changed) << "changed bytes were handed out";
    EXPECT_EQ(changed.error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(files.open(put->digest).error().code(), ErrorCode::NotFound) << "not in quarantine";
}

TEST(ModelFiles, absence_is_not_found) {
    auto folder = TempFolder::create("/tmp", "locara-model-file-");
    ASSERT_TRUE(folder);
    auto store = store::Store::open(folder->path());
    ASSERT_TRUE(store);
    ModelFiles files(*store);
    EXPECT_EQ(files.open(crypto::sha256(as_bytes("x"))).error().code(), ErrorCode::NotFound);
}

} // namespace
} // namespace locara::engine
