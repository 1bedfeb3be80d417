// What every Fetcher promises (fetcher.hpp). An implementation joins with a place to put files and
//
//     INSTANTIATE_TEST_SUITE_P(Folder, FetcherContract, testing::Values(&make_folder_place));
//
// One source file of a test program may include this.
#pragma once

#include <locara/catalog/fetcher.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace locara::catalog {

/// A repository that a fetcher reads.
class FetcherPlace {
  public:
    virtual ~FetcherPlace() = default;
    virtual void put(const std::string& path, std::string bytes) = 0;
    virtual Fetcher& fetcher() = 0;
};

class FetcherContract : public ::testing::TestWithParam<std::unique_ptr<FetcherPlace> (*)()> {
  protected:
    FetcherContract() : place(GetParam()()) {}

    Fetcher& fetcher() const { return place->fetcher(); }

    /// All that stream() hands to its sink.
    Result<std::string> stream(std::string_view path, std::uint64_t limit_bytes) const {
        std::string all;
        LOCARA_CHECK(fetcher().stream(path, limit_bytes, [&](ByteView bytes) -> Status {
            all += as_text(bytes);
            return {};
        }));
        return all;
    }

    std::unique_ptr<FetcherPlace> place;
};

TEST_P(FetcherContract, brings_files_whole_at_once_or_in_pieces) {
    std::string big;
    for (int i = 0; big.size() < 3'000'000; ++i) {
        big += std::to_string(i) + '\0' + "\n";
    }
    place->put("metadata/1.root.json", "{}");
    place->put("targets/apps/locara/a-1.0.0.locapp", big);
    place->put("targets/empty", "");
    EXPECT_EQ(*fetcher().fetch("metadata/1.root.json", 100), "{}");
    EXPECT_EQ(*fetcher().fetch("targets/empty", 0), "");
    EXPECT_EQ(*stream("targets/empty", 0), "");
    EXPECT_EQ(*fetcher().fetch("targets/apps/locara/a-1.0.0.locapp", big.size()), big);
    EXPECT_EQ(*stream("targets/apps/locara/a-1.0.0.locapp", big.size()), big);
}

TEST_P(FetcherContract, stops_above_the_limit) {
    place->put("targets/long", std::string(1001, 'x'));
    EXPECT_EQ(fetcher().fetch("targets/long", 1000).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(stream("targets/long", 1000).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(fetcher().fetch("targets/long", 1001)->size(), 1001U);
}

TEST_P(FetcherContract, says_that_there_is_no_such_file) {
    place->put("targets/there", "x");
    for (const char* path : {"targets/none", "targets/no/folder", "metadata/2.root.json"}) {
        EXPECT_EQ(fetcher().fetch(path, 100).error().code(), ErrorCode::NotFound) << path;
        EXPECT_EQ(stream(path, 100).error().code(), ErrorCode::NotFound) << path;
    }
}

TEST_P(FetcherContract, stops_with_the_error_of_the_sink) {
    place->put("targets/file", std::string(200'000, 'x'));
    int calls = 0;
    const auto streamed = fetcher().stream("targets/file", 1'000'000, [&](ByteView) -> Status {
        ++calls;
        return Error(ErrorCode::NoSpace, "the disk is full");
    });
    ASSERT_FALSE(streamed);
    EXPECT_EQ(streamed.error().code(), ErrorCode::NoSpace);
    EXPECT_EQ(calls, 1);
}

} // namespace locara::catalog
