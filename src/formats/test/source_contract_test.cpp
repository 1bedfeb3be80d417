// What every ByteSource and every Stream promises (byte_source.hpp, stream.hpp), run on each.
#include "stream.hpp"

#include <locara/base/file.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <array>
#include <optional>

namespace locara::formats {
namespace {

const std::string kDigits = "0123456789";

struct InMemory {
    const MemorySource source{as_bytes(kDigits)};
};

struct InFile {
    TempFolder folder = *TempFolder::create("/tmp", "locara-source-");
    Fd file = make();
    const FileSource source = *FileSource::create(file, folder.path());

    Fd make() const {
        const auto path = folder.path() / "digits";
        EXPECT_TRUE(write_file_atomically(path, as_bytes(kDigits)));
        return *open_file(path, 0);
    }
};

struct InSlice {
    const std::string whole = "ab" + kDigits + "yz";
    const MemorySource memory{as_bytes(whole)};
    const SliceSource source{memory, 2, kDigits.size()};
};

template <class Holder> class ByteSourceContract : public testing::Test {
  protected:
    Result<std::string> read(std::uint64_t offset, std::size_t count) const {
        Bytes out(count);
        LOCARA_CHECK(source().read(offset, out));
        return std::string(as_text(out));
    }

    const ByteSource& source() const { return holder_.source; }

  private:
    Holder holder_;
};

using Holders = testing::Types<InMemory, InFile, InSlice>;
TYPED_TEST_SUITE(ByteSourceContract, Holders, );

TYPED_TEST(ByteSourceContract, gives_any_range_inside_and_in_any_order) {
    EXPECT_EQ(this->source().size(), 10U);
    EXPECT_EQ(*this->read(0, 10), kDigits);
    EXPECT_EQ(*this->read(7, 3), "789");
    EXPECT_EQ(*this->read(2, 3), "234");
    EXPECT_EQ(*this->read(0, 0), "");
    EXPECT_EQ(*this->read(10, 0), "");
}

TYPED_TEST(ByteSourceContract, refuses_a_range_that_is_not_whole_inside) {
    for (const auto& [offset, count] : std::vector<std::pair<std::uint64_t, std::size_t>>{
             {0, 11}, {8, 3}, {10, 1}, {11, 0}, {~0ULL, 1}, {~0ULL - 1, 3}}) {
        const auto read = this->read(offset, count);
        ASSERT_FALSE(read) << offset << " " << count;
        EXPECT_EQ(read.error().code(), ErrorCode::Corrupt);
    }
}

/// A pickle as it is and packed in each way, by the same tests' data.
struct StreamCase {
    const char* file;
    std::optional<Kind> packed;
};

class StreamContract : public testing::TestWithParam<StreamCase> {
  protected:
    StreamContract()
        : bytes_(load(GetParam().file)), plain_(load("pickle/hostile/system-protocol3.pkl")) {}

    static std::string load(const std::string& name) {
        return *read_file(test_support::data_dir() / name, 1U << 20U);
    }

    static Checked<std::unique_ptr<Stream>> open(const ByteSource& source) {
        const auto kind = GetParam().packed;
        return kind ? open_packed(source, *kind) : open_plain(source);
    }

    std::string bytes_;
    std::string plain_;
};

TEST_P(StreamContract, gives_every_byte_once_whatever_the_size_of_the_reads) {
    for (const std::size_t step : {1U, 7U, 41U, 42U, 43U, 5000U}) {
        const MemorySource source(as_bytes(bytes_));
        const auto stream = *open(source);
        std::string all;
        Bytes out(step);
        while (true) {
            const auto count = stream->read(out);
            ASSERT_TRUE(count) << step;
            all += as_text(std::span(out).first(*count));
            EXPECT_EQ(stream->position(), all.size());
            if (*count < step) {
                break;
            }
        }
        EXPECT_EQ(all, plain_) << step;
        EXPECT_EQ(*stream->read(out), 0U) << "the end stays the end";
    }
}

TEST_P(StreamContract, tells_a_failed_read_apart_from_bad_bytes) {
    class Failing final : public ByteSource {
      public:
        std::uint64_t size() const override { return 4096; }

        Status read(std::uint64_t, std::span<std::byte>) const override {
            return Error(ErrorCode::Io, "the disk is gone");
        }
    };

    const Failing source;
    const auto stream = open(source);
    std::array<std::byte, 16> out{};
    const std::string rule = stream ? (*stream)->read(out).error().rule : stream.error().rule;
    EXPECT_EQ(rule, "io.read");
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         StreamContract,
                         testing::Values(StreamCase{"pickle/hostile/system-protocol3.pkl",
                                                    std::nullopt},
                                         StreamCase{"archive/refused/pickle.pkl.gz", Kind::Gzip},
                                         StreamCase{"archive/refused/pickle.pkl.bz2", Kind::Bzip2},
                                         StreamCase{"archive/refused/pickle.pkl.xz", Kind::Xz}));

} // namespace
} // namespace locara::formats
