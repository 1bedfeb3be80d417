// Files of the store to a folder that travels, and from there into another store.
#include "store_test_folder.hpp"

#include <locara/store/exchange.hpp>

#include <fcntl.h>

namespace locara::store {
namespace {

class ExchangeTest : public StoreFolder {
  protected:
    const std::string text = random_text(3'500'000);
    const FileInfo info{digest_of(text), text.size()};
    const std::filesystem::path out = folder.path() / "out/file";
    Store other = Store::open(folder.path() / "other").value();

    void SetUp() override { ASSERT_TRUE(store.put_bytes(as_bytes(text))); }

    std::string exported() const { return read_file(out, 1U << 30U).value(); }

    void put_out(std::string_view bytes) const {
        ASSERT_TRUE(create_folders(out.parent_path()));
        ASSERT_TRUE(write_file_atomically(out, as_bytes(bytes)));
    }

    /// The same bytes in a store that shares them with another program, so that they are copied.
    Store adopting() {
        const auto path = folder.path() / "theirs";
        EXPECT_TRUE(write_file_atomically(path, as_bytes(text)));
        Store made = Store::open(folder.path() / "adopting").value();
        AdoptOptions options;
        options.link = LinkKind::Hardlink;
        EXPECT_TRUE(made.adopt(path, options));
        return made;
    }
};

/// Asks for a stop after so many reports.
class Stopper : public ProgressSink {
  public:
    explicit Stopper(int after) : left_(after) {}

    void report(const Progress&) override {
        if (--left_ == 0) {
            source.request_stop();
        }
    }

    std::stop_source source;

  private:
    int left_;
};

TEST_F(ExchangeTest, what_is_exported_comes_in_elsewhere) {
    const auto link = export_file(store, info.digest, out, "file");
    ASSERT_TRUE(link) << link.error().describe();
    EXPECT_TRUE(*link) << "one file system: nothing is copied";
    EXPECT_EQ(exported(), text);
    EXPECT_EQ(mode_of(out), 0444U);
    EXPECT_EQ(entries(out.parent_path()), 1U);
    const auto again = export_file(store, info.digest, out, "file");
    ASSERT_TRUE(again);
    EXPECT_FALSE(*again) << "it was there";

    const auto in = import_file(other, out.parent_path(), out.filename(), info, "file");
    ASSERT_TRUE(in) << in.error().describe();
    EXPECT_TRUE(*in);
    EXPECT_EQ(content(other, info.digest), text);
    EXPECT_FALSE(*import_file(other, out.parent_path(), out.filename(), info, "file"))
        << "it was there";
    EXPECT_EQ(export_file(store, digest_of("absent"), out, "file").error().code(),
              ErrorCode::NotFound);
}

TEST_F(ExchangeTest, adopted_files_are_copied_and_a_copy_that_was_cut_goes_on) {
    const Store theirs = adopting();
    ASSERT_TRUE(create_folders(out.parent_path()));
    const std::filesystem::path part = out.string() + ".part";
    Stopper stopper(2);
    EXPECT_EQ(export_file(theirs, info.digest, out, "file", stopper, stopper.source.get_token())
                  .error()
                  .code(),
              ErrorCode::Cancelled);
    const auto begun = std::filesystem::file_size(part);
    EXPECT_GT(begun, 0U);
    EXPECT_LT(begun, text.size());
    EXPECT_FALSE(std::filesystem::exists(out));
    ASSERT_TRUE(export_file(theirs, info.digest, out, "file"));
    EXPECT_EQ(exported(), text);

    struct stat info_out {};

    ASSERT_EQ(::stat(out.c_str(), &info_out), 0);
    EXPECT_EQ(info_out.st_nlink, 1U);

    // Something else under that name is no beginning of it; a whole file that differs is replaced.
    std::filesystem::remove(out);
    ASSERT_TRUE(write_file_atomically(part, as_bytes(random_text(2'000'000, 7))));
    ASSERT_TRUE(export_file(theirs, info.digest, out, "file"));
    EXPECT_EQ(exported(), text);
    std::filesystem::remove(out);
    put_out(random_text(text.size(), 8));
    ASSERT_TRUE(export_file(theirs, info.digest, out, "file"));
    EXPECT_EQ(exported(), text);
    EXPECT_EQ(entries(out.parent_path()), 1U);
}

TEST_F(ExchangeTest, a_damaged_file_of_the_store_is_not_exported) {
    const auto path = store.path_of(info.digest).value();
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    const Fd fd = locara::open_file(path, O_RDWR).value();
    ASSERT_TRUE(write_all_at(fd, 1'000'000, as_bytes("changed")));
    EXPECT_EQ(export_file(store, info.digest, out, "file").error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(entries(out.parent_path()), 0U);
}

TEST_F(ExchangeTest, wrong_cut_and_missing_files_leave_nothing_behind) {
    EXPECT_EQ(import_file(other, out.parent_path(), out.filename(), info, "file").error().code(),
              ErrorCode::NotFound);
    std::string wrong = text;
    wrong[2'000'000] = static_cast<char>(wrong[2'000'000] ^ 1);
    for (const auto& bytes : {wrong, text.substr(0, text.size() - 1), text + "x", std::string()}) {
        put_out(bytes);
        EXPECT_EQ(
            import_file(other, out.parent_path(), out.filename(), info, "file").error().code(),
            ErrorCode::Corrupt);
        EXPECT_FALSE(other.has(info.digest));
        EXPECT_EQ(other.list_parts()->size(), 0U);
    }
    put_out(text);
    const auto refused =
        import_file(other, out.parent_path(), out.filename(), info, "file", [](const Fd&) {
            return Error(ErrorCode::Refused, "not this one");
        });
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_FALSE(other.has(info.digest));
    EXPECT_EQ(other.list_parts()->size(), 0U);
    // A folder of somebody else's making: no link out of it is followed.
    std::filesystem::rename(out, out.string() + ".elsewhere");
    std::filesystem::create_symlink(out.filename().string() + ".elsewhere", out);
    EXPECT_EQ(import_file(other, out.parent_path(), out.filename(), info, "file").error().code(),
              ErrorCode::InvalidArgument);
    std::filesystem::remove(out);
    put_out(text);
    EXPECT_TRUE(import_file(other, out.parent_path(), out.filename(), info, "file"));
}

TEST_F(ExchangeTest, an_import_that_was_stopped_goes_on) {
    put_out(text);
    Stopper stopper(2);
    const auto stopped = import_file(other,
                                     out.parent_path(),
                                     out.filename(),
                                     info,
                                     "file",
                                     nullptr,
                                     stopper,
                                     stopper.source.get_token());
    EXPECT_EQ(stopped.error().code(), ErrorCode::Cancelled);
    ASSERT_EQ(other.list_parts()->size(), 1U);
    const auto received = other.list_parts()->front().received_bytes;
    EXPECT_GT(received, 0U);

    class Last : public ProgressSink {
      public:
        void report(const Progress& progress) override { last = progress; }

        Progress last;
    } seen;

    ASSERT_TRUE(import_file(other, out.parent_path(), out.filename(), info, "file", nullptr, seen));
    EXPECT_EQ(seen.last.reused_bytes, received);
    EXPECT_EQ(seen.last.done_bytes, text.size());
    EXPECT_EQ(content(other, info.digest), text);
}

TEST_F(ExchangeTest, an_empty_file_travels_too) {
    const FileInfo empty = store.put_bytes({}).value();
    ASSERT_TRUE(export_file(store, empty.digest, out, "file"));
    ASSERT_TRUE(import_file(other, out.parent_path(), out.filename(), empty, "file"));
    EXPECT_TRUE(other.has(empty.digest));
}

} // namespace
} // namespace locara::store
