#include "samples.hpp"

#include <locara/manifest/bundle.hpp>
#include <locara/test_support/golden.hpp>

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

namespace locara::manifest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void write(const fs::path& path, const std::string& text) {
    ASSERT_TRUE(create_folders(path.parent_path()));
    ASSERT_TRUE(write_file_atomically(path, as_bytes(text)));
}

/// A member as a hostile packer may write it.
struct Member {
    std::string path;
    std::string content;
    int type = AE_IFREG;
    int mode = 0644;
    std::string link = {};
    bool hard = false;
};

std::string make_archive(const std::vector<Member>& members, int filter = ARCHIVE_FILTER_ZSTD) {
    std::string out(64U << 20U, '\0');
    std::size_t used = 0;
    archive* a = archive_write_new();
    archive_write_add_filter(a, filter);
    archive_write_set_format_pax_restricted(a);
    archive_write_set_options(a, "hdrcharset=BINARY");
    archive_write_open_memory(a, out.data(), out.size(), &used);
    for (const auto& member : members) {
        archive_entry* entry = archive_entry_new2(a);
        archive_entry_set_pathname(entry, member.path.c_str());
        archive_entry_set_filetype(entry, static_cast<unsigned>(member.type));
        archive_entry_set_perm(entry, static_cast<mode_t>(member.mode));
        archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
        if (!member.link.empty()) {
            member.hard ? archive_entry_set_hardlink(entry, member.link.c_str())
                        : archive_entry_set_symlink(entry, member.link.c_str());
        }
        EXPECT_EQ(archive_write_header(a, entry), ARCHIVE_OK) << archive_error_string(a);
        archive_write_data(a, member.content.data(), member.content.size());
        archive_entry_free(entry);
    }
    archive_write_close(a);
    archive_write_free(a);
    out.resize(used);
    return out;
}

class Bundle : public ::testing::Test {
  protected:
    Bundle() : temp_(std::move(*TempFolder::create(fs::temp_directory_path(), "locara-bundle-"))) {
        write(app() / "locara.json", render_json(sample_app()));
        write(app() / "icon.svg", "<svg/>");
        write(app() / "screenshots/one.png", "png");
        write(app() / "dist/index.html", "<!doctype html>");
        write(app() / "dist/assets/app.js", "console.log(1)");
        write(app() / "dist/caf\xC3\xA9.txt", "not ASCII");
        write(app() / "LICENSE", "Apache");
        write(app() / "secret.txt", "not named, not packed");
    }

    fs::path app() const { return temp_.path() / "app"; }

    fs::path file(const std::string& name) const { return temp_.path() / name; }

    fs::path empty_folder(const std::string& name) const {
        fs::create_directory(file(name));
        return file(name);
    }

    /// The error that unpacking these members gives.
    Error unpack_error(const std::vector<Member>& members,
                       const BundleLimits& limits = {},
                       int filter = ARCHIVE_FILTER_ZSTD) {
        write(file("bad.locapp"), make_archive(members, filter));
        const auto folder = empty_folder("out" + std::to_string(++count_));
        const auto unpacked = unpack_bundle(file("bad.locapp"), crypto::sha256({}), folder, limits);
        EXPECT_FALSE(unpacked);
        return unpacked ? Error(ErrorCode::Internal, "accepted") : unpacked.error();
    }

    TempFolder temp_;
    int count_ = 0;
};

TEST_F(Bundle, packs_what_the_manifest_names_and_unpacks_to_the_same) {
    const auto packed = pack_bundle(app(), file("a.locapp"));
    ASSERT_TRUE(packed) << packed.error().describe();
    std::vector<std::string> paths;
    for (const auto& one : packed->list.files) {
        paths.push_back(one.path);
    }
    EXPECT_THAT(paths,
                ::testing::ElementsAre("LICENSE",
                                       "dist/assets/app.js",
                                       "dist/caf\xC3\xA9.txt",
                                       "dist/index.html",
                                       "icon.svg",
                                       "locara.json",
                                       "screenshots/one.png"));
    EXPECT_EQ(fs::file_size(file("a.locapp")), packed->archive_bytes);

    const auto folder = empty_folder("out");
    const auto unpacked = unpack_bundle(file("a.locapp"), packed->id, folder);
    ASSERT_TRUE(unpacked) << unpacked.error().describe();
    EXPECT_EQ(unpacked->manifest.id.render(), "locara/quick-add");
    EXPECT_EQ(unpacked->list.id(), packed->id);
    EXPECT_EQ(*read_file(folder / "dist/assets/app.js", 100), "console.log(1)");
    EXPECT_TRUE(verify_unpacked(folder, unpacked->list));
    EXPECT_EQ(BundleFileList::parse(packed->list.render())->id(), packed->id);
}

// docs/formats/locapp.md: a change here is a change of the format, and of every signed bundle.
TEST_F(Bundle, is_written_as_the_format_says) {
    const auto packed = pack_bundle(app(), file("a.locapp"));
    ASSERT_TRUE(packed) << packed.error().describe();
    EXPECT_GOLDEN("bundle/files.txt", packed->list.render());
    EXPECT_GOLDEN("bundle/id.txt", "sha256:" + packed->id.render() + "\n");
    EXPECT_GOLDEN("bundle/small.locapp", *read_file(file("a.locapp"), 1U << 20U));
}

TEST_F(Bundle, the_same_folder_gives_the_same_bytes_whatever_times_and_modes_it_has) {
    const auto first = pack_bundle(app(), file("a.locapp"));
    ASSERT_TRUE(first);
    fs::last_write_time(app() / "icon.svg",
                        fs::file_time_type::clock::now() - std::chrono::hours(1000));
    ::chmod((app() / "dist/index.html").c_str(), 0600);
    const auto second = pack_bundle(app(), file("b.locapp"));
    ASSERT_TRUE(second);
    EXPECT_EQ(*read_file(file("a.locapp"), 1U << 20U), *read_file(file("b.locapp"), 1U << 20U));
    EXPECT_EQ(first->archive_sha256, second->archive_sha256);
    ::chmod((app() / "dist/index.html").c_str(), 0700); // executable is part of the identity
    EXPECT_NE(pack_bundle(app(), file("c.locapp"))->id, first->id);
}

TEST_F(Bundle, packing_names_what_is_missing_or_a_link) {
    fs::remove(app() / "icon.svg");
    auto packed = pack_bundle(app(), file("a.locapp"));
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code(), ErrorCode::NotFound);
    EXPECT_THAT(packed.error().message(), HasSubstr("\"icon.svg\" is named by locara.json"));
    fs::create_symlink("/etc/passwd", app() / "icon.svg");
    packed = pack_bundle(app(), file("a.locapp"));
    ASSERT_FALSE(packed);
    EXPECT_THAT(packed.error().message(), HasSubstr("symbolic link"));
    fs::remove(app() / "icon.svg");
    write(app() / "icon.svg", "x");
    fs::create_directory_symlink("/etc", app() / "dist/etc");
    EXPECT_THAT(pack_bundle(app(), file("a.locapp")).error().message(), HasSubstr("symbolic link"));
    EXPECT_FALSE(fs::exists(file("a.locapp")));
}

TEST_F(Bundle, another_bundle_than_the_signed_one_is_corrupt) {
    ASSERT_TRUE(pack_bundle(app(), file("a.locapp")));
    const auto unpacked = unpack_bundle(file("a.locapp"), crypto::sha256({}), empty_folder("out"));
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(unpacked.error().message(), HasSubstr("not the one that was signed"));
}

TEST_F(Bundle, a_cut_or_changed_archive_is_corrupt) {
    const auto packed = pack_bundle(app(), file("a.locapp"));
    ASSERT_TRUE(packed);
    const auto whole = *read_file(file("a.locapp"), 1U << 20U);
    for (std::size_t size = 0; size < whole.size(); size += 7) {
        write(file("cut.locapp"), whole.substr(0, size));
        EXPECT_FALSE(unpack_bundle(
            file("cut.locapp"), packed->id, empty_folder("cut" + std::to_string(size))))
            << size;
    }
}

TEST_F(Bundle, hostile_members_are_refused_each_with_its_reason) {
    EXPECT_THAT(unpack_error({{"../evil", "x"}}).describe(), HasSubstr("\"..\""));
    EXPECT_THAT(unpack_error({{"/etc/cron.d/evil", "x"}}).describe(), HasSubstr("part is empty"));
    EXPECT_THAT(unpack_error({{"a\\b", "x"}}).describe(), HasSubstr("backslash"));
    EXPECT_THAT(unpack_error({{".git/config", "x"}}).describe(), HasSubstr("reserved"));
    EXPECT_THAT(unpack_error({{"link", "", AE_IFLNK, 0644, "/etc/passwd"}}).describe(),
                HasSubstr("no regular file"));
    EXPECT_THAT(unpack_error({{"a", "x"}, {"b", "", AE_IFREG, 0644, "a", true}}).describe(),
                HasSubstr("no regular file"));
    EXPECT_THAT(unpack_error({{"fifo", "", AE_IFIFO}}).describe(), HasSubstr("no regular file"));
    EXPECT_THAT(unpack_error({{"folder", "", AE_IFDIR, 0755}}).describe(),
                HasSubstr("part is empty"));
    EXPECT_THAT(unpack_error({{"su", "x", AE_IFREG, 04755}}).describe(),
                HasSubstr("mode other than"));
    EXPECT_THAT(unpack_error({{"a", "x", AE_IFREG, 0666}}).describe(),
                HasSubstr("mode other than"));
    EXPECT_THAT(unpack_error({{"a", "x"}, {"a", "y"}}).describe(), HasSubstr("stands twice"));
    EXPECT_THAT(unpack_error({{"b", "x"}, {"a", "y"}}).describe(), HasSubstr("out of order"));
    EXPECT_THAT(unpack_error({{"A", "x"}, {"a", "y"}}).describe(), HasSubstr("ignores case"));
    EXPECT_THAT(unpack_error({{"a", "x"}}, {}, ARCHIVE_FILTER_GZIP).describe(),
                HasSubstr("damaged"));
    EXPECT_FALSE(fs::exists(temp_.path().parent_path() / "evil"));
}

TEST_F(Bundle, budgets_hold_one_below_and_one_above) {
    BundleLimits limits;
    limits.members = 2;
    EXPECT_EQ(unpack_error({{"a", "x"}, {"b", "x"}}, limits).code(),
              ErrorCode::Corrupt); // allowed, but another bundle
    EXPECT_EQ(unpack_error({{"a", "x"}, {"b", "x"}, {"c", "x"}}, limits).code(),
              ErrorCode::TooLarge);
    limits = {};
    limits.unpacked_bytes = 100;
    EXPECT_EQ(unpack_error({{"a", std::string(100, 'x')}}, limits).code(), ErrorCode::Corrupt);
    EXPECT_EQ(unpack_error({{"a", std::string(101, 'x')}}, limits).code(), ErrorCode::TooLarge);
    const auto bomb = unpack_error({{"a", std::string(20U << 20U, '\0')}});
    EXPECT_EQ(bomb.code(), ErrorCode::TooLarge);
    EXPECT_THAT(bomb.message(), HasSubstr("archive bomb"));
}

TEST_F(Bundle, a_bundle_without_the_files_it_names_is_refused) {
    const std::vector<Member> members = {{"locara.json", render_json(sample_app())}};
    const auto archive = make_archive(members);
    const auto list = read_bundle_list(as_bytes(archive));
    ASSERT_FALSE(list);
    EXPECT_THAT(list.error().describe(), HasSubstr("no such file"));
    const auto none = read_bundle_list(as_bytes(make_archive({{"a", "x"}})));
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().describe(), HasSubstr("locara.json"));
}

TEST_F(Bundle, verify_names_the_file_that_changed_vanished_or_appeared) {
    const auto packed = pack_bundle(app(), file("a.locapp"));
    const auto folder = empty_folder("out");
    ASSERT_TRUE(unpack_bundle(file("a.locapp"), packed->id, folder));
    write(folder / "extra.js", "x");
    EXPECT_THAT(verify_unpacked(folder, packed->list).error().message(),
                HasSubstr("extra.js is not part"));
    fs::remove(folder / "extra.js");
    write(folder / "dist/index.html", "changed");
    EXPECT_THAT(verify_unpacked(folder, packed->list).error().message(),
                HasSubstr("index.html has changed"));
    fs::remove(folder / "dist/index.html");
    EXPECT_THAT(verify_unpacked(folder, packed->list).error().message(), HasSubstr("is missing"));
    // The same bytes behind a link are not the app's.
    ASSERT_TRUE(unpack_bundle(file("a.locapp"), packed->id, empty_folder("linked")));
    fs::rename(file("linked") / "dist", file("elsewhere"));
    fs::create_directory_symlink(file("elsewhere"), file("linked") / "dist");
    EXPECT_THAT(verify_unpacked(file("linked"), packed->list).error().message(),
                HasSubstr("is no regular file"));
}

TEST(FileList, refuses_what_render_would_not_write) {
    const std::string digest(64, 'a');
    EXPECT_TRUE(BundleFileList::parse("644 1 " + digest + " a\n"));
    for (const std::string& bad :
         std::vector<std::string>{"644 1 " + digest + " a",
                                  "600 1 " + digest + " a\n",
                                  "644 01 " + digest + " a\n",
                                  "644 -1 " + digest + " a\n",
                                  "644 1 AA a\n",
                                  "644 1 " + digest + " ../a\n",
                                  "644 1 " + digest + " b\n644 1 " + digest + " a\n",
                                  "644 99999999999999999999 " + digest + " a\n"}) {
        EXPECT_FALSE(BundleFileList::parse(bad)) << bad;
    }
}

} // namespace
} // namespace locara::manifest
