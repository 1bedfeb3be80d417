// Which objects there are, to the byte: docs/formats/cas.md, "Keys" and "In a folder".
#include "sample.hpp"

#include <locara/test_support/golden.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara::cas {
namespace {

namespace fs = std::filesystem;

TEST(LayoutTest, objects_of_a_known_file_are_as_they_always_were) {
    const TempFolder folder = TempFolder::create(testing::TempDir(), "layout-").value();
    FakeClock clock{kStart};
    const auto backend = open_directory(folder.path() / "cas", clock).value();
    CasOptions options;
    options.clock = &clock;
    Cas cas(*backend, options);
    Random random{42};
    // Random bytes are stored raw: no compressor has a say in what is below.
    ASSERT_TRUE(ingest(cas, random.bytes(300'000)));
    const auto xorb = make_xorb({random.bytes(9000), random.bytes(70)});
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    ASSERT_TRUE(cas.put_shard(make_shard({make_file({{&xorb, {0, 2}}})}), everybody()));
    std::vector<std::string> lines;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "cas")) {
        struct stat info {};

        ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
        std::string line = entry.path().lexically_relative(folder.path() / "cas").string();
        if (S_ISDIR(info.st_mode)) {
            line += "/";
        } else {
            const Fd fd = locara::open_file(entry.path(), O_RDONLY).value();
            EXPECT_EQ(info.st_mode & 07777U, 0444U) << line;
            EXPECT_EQ(info.st_mtim.tv_sec, kStart.time_since_epoch().count()) << line;
            line +=
                " " + std::to_string(info.st_size) + " " + crypto::sha256_file(fd).value().render();
        }
        lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string& line : lines) {
        text += line + "\n";
    }
    EXPECT_GOLDEN("layout.txt", text);
}

} // namespace
} // namespace locara::cas
