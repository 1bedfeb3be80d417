#include "store_test_folder.hpp"

#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {
namespace {

namespace fs = std::filesystem;

class AdoptTest : public StoreFolder {
  protected:
    void SetUp() override {
        fs::create_directories(other.parent_path());
        write(text);
        ASSERT_EQ(::chmod(other.c_str(), 0640), 0);
    }

    /// As the other program does it: in place.
    void write(const std::string& content_text) {
        const Fd fd = locara::open_file(other, O_RDWR | O_CREAT | O_TRUNC, 0640).value();
        ASSERT_TRUE(write_all_at(fd, 0, as_bytes(content_text)));
    }

    AdoptOutcome adopt(std::optional<LinkKind> link) {
        AdoptOptions options;
        options.link = link;
        const auto outcome = store.adopt(other, options);
        EXPECT_TRUE(outcome) << outcome.error().describe();
        return *outcome;
    }

    std::string foreign() const { return read_file(other, 1U << 30U).value(); }

    const std::string text = random_text(600'000);
    const Digest digest = digest_of(text);
    const fs::path other = folder.path() / "hub" / "blobs" / "weights";
};

TEST_F(AdoptTest, a_hard_link_is_the_same_file_and_its_mode_stays) {
    const auto outcome = adopt(LinkKind::Hardlink);
    EXPECT_EQ(outcome.link, LinkKind::Hardlink);
    EXPECT_EQ(outcome.file.digest, digest);
    EXPECT_TRUE(store.has(digest));
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(fs::hard_link_count(other), 2U);
    EXPECT_EQ(mode_of(other), 0640U);
    EXPECT_TRUE(store.open_index(digest)) << "indexed on the way";
    EXPECT_TRUE(store.verify(digest));
    const auto records = store.list_adopted();
    ASSERT_EQ(records->size(), 1U);
    EXPECT_EQ(records->at(0).from, fs::canonical(other));
    EXPECT_EQ(store.usage()->adopted, 1U);
    EXPECT_GE(store.usage()->adopted_saved_bytes, text.size());
    EXPECT_EQ(adopt(std::nullopt).link, std::nullopt) << "it is here already";
    // The other program removes its name: the bytes stay.
    fs::remove(other);
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(store.usage()->adopted_saved_bytes, 0U);
    EXPECT_EQ(entries(root / "tmp"), 0U);
}

TEST_F(AdoptTest, a_reference_stays_where_it_is) {
    EXPECT_EQ(adopt(LinkKind::Reference).link, LinkKind::Reference);
    EXPECT_EQ(*store.path_of(digest), fs::canonical(other));
    EXPECT_EQ(content(store, digest), text);
    ASSERT_EQ(store.list()->size(), 1U);
    EXPECT_EQ(store.list()->at(0).size, text.size());
    EXPECT_TRUE(std::holds_alternative<FileInfo>(*store.open_part(digest, text.size())));
    EXPECT_EQ(store.open_finder()->files(), 1U) << "its chunks are of use, too";
    ASSERT_TRUE(store.remove(digest));
    EXPECT_FALSE(store.has(digest));
    EXPECT_EQ(foreign(), text);
    EXPECT_EQ(entries(root / "adopted"), 0U);
}

TEST_F(AdoptTest, a_file_that_was_changed_is_noticed_dropped_and_fetched_anew) {
    for (const LinkKind link : {LinkKind::Hardlink, LinkKind::Reference}) {
        write(text);
        adopt(link);
        std::string changed = text;
        changed[1000] = static_cast<char>(changed[1000] ^ 1);
        write(changed);
        const auto opened = store.open_file(digest);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), ErrorCode::Corrupt);
        EXPECT_NE(opened.error().message().find(other.string()), std::string::npos);
        EXPECT_FALSE(store.has(digest));
        EXPECT_EQ(foreign(), changed) << "their file is theirs";
        EXPECT_EQ(mode_of(other), 0640U);
        EXPECT_EQ(entries(root / "quarantine"), 0U);
        {
            Part part = part_of(digest, text.size());
            ASSERT_TRUE(part.write(0, as_bytes(text)));
            ASSERT_TRUE(part.publish());
        }
        EXPECT_EQ(content(store, digest), text);
        EXPECT_TRUE(store.list_adopted()->empty());
        ASSERT_TRUE(store.remove(digest));
    }
}

TEST_F(AdoptTest, a_pull_finds_the_change_by_itself) {
    adopt(LinkKind::Hardlink);
    write(random_text(text.size(), 9));
    auto opened = store.open_part(digest, text.size());
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_TRUE(std::holds_alternative<Part>(*opened));
    EXPECT_EQ(fs::hard_link_count(other), 1U);
}

TEST_F(AdoptTest, a_file_that_was_only_touched_is_hashed_again_once) {
    for (const LinkKind link : {LinkKind::Reference, LinkKind::Hardlink}) {
        adopt(link);
        ASSERT_EQ(::chmod(other.c_str(), 0600), 0);
        fs::create_hard_link(other, folder.path() / "third");
        fs::last_write_time(other, fs::file_time_type::clock::now());
        EXPECT_EQ(content(store, digest), text);

        struct stat info {};

        ASSERT_EQ(::stat(other.c_str(), &info), 0);
        EXPECT_EQ(store.list_adopted()->at(0).stamp, FileStamp::of(info)) << "noted";
        fs::remove(folder.path() / "third");
        ASSERT_TRUE(store.path_of(digest));
        ASSERT_TRUE(store.remove(digest));
    }
}

TEST_F(AdoptTest, a_reference_that_is_gone_or_has_another_size_is_not_here) {
    adopt(LinkKind::Reference);
    ASSERT_EQ(::truncate(other.c_str(), 5), 0);
    EXPECT_FALSE(store.has(digest));
    EXPECT_NE(store.path_of(digest).error().message().find(other.string()), std::string::npos);
    fs::remove(other);
    EXPECT_FALSE(store.has(digest));
    EXPECT_TRUE(store.list()->empty());
    EXPECT_TRUE(std::holds_alternative<Part>(*store.open_part(digest, text.size())));
}

TEST_F(AdoptTest, another_program_that_replaces_its_name_does_not_reach_a_hard_link) {
    adopt(LinkKind::Hardlink);
    ASSERT_TRUE(write_file_atomically(other, as_bytes("new weights")));
    EXPECT_EQ(content(store, digest), text);
}

TEST_F(AdoptTest, verify_drops_a_changed_file_and_repair_saves_its_good_chunks) {
    adopt(LinkKind::Hardlink);
    std::string changed = text;
    changed[text.size() - 10] = '!';
    write(changed);
    const auto bad = store.check(digest, OnBad::Repair);
    ASSERT_TRUE(bad && *bad);
    ASSERT_TRUE((*bad)->part);
    EXPECT_GT((*bad)->part->received_bytes, text.size() - kMaxIndexedChunkBytes - 1);
    EXPECT_EQ(foreign(), changed);
    EXPECT_EQ(fs::hard_link_count(other), 1U);
    Part part = part_of(digest, text.size());
    ASSERT_TRUE(part.write(0, as_bytes(text)));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
}

TEST_F(AdoptTest, the_gate_refuses_before_anything_is_read) {
    AdoptOptions options;
    options.gate = [](const Fd&) -> Status { return Error(ErrorCode::Refused, "a pickle"); };
    EXPECT_EQ(store.adopt(other, options).error().code(), ErrorCode::Refused);
    EXPECT_TRUE(store.list()->empty());
    EXPECT_EQ(entries(root / "adopted"), 0U);
    EXPECT_EQ(store.adopt(folder.path() / "no").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.adopt(folder.path()).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(AdoptTest, symbolic_links_lead_to_the_file) {
    const auto snapshot = folder.path() / "snapshot";
    fs::create_symlink(other, snapshot);
    AdoptOptions options;
    options.link = LinkKind::Reference;
    ASSERT_TRUE(store.adopt(snapshot, options));
    fs::remove(snapshot);
    EXPECT_EQ(content(store, digest), text);
}

TEST_F(AdoptTest, what_cannot_share_blocks_says_so_and_auto_takes_the_next_way) {
    AdoptOptions options;
    options.link = LinkKind::Reflink;
    const auto asked = store.adopt(other, options);
    const auto automatic = adopt(std::nullopt);
    if (asked) {
        EXPECT_EQ(automatic.link, std::nullopt);
    } else {
        EXPECT_EQ(asked.error().code(), ErrorCode::Unsupported);
        EXPECT_EQ(automatic.link, LinkKind::Hardlink);
    }
    EXPECT_EQ(entries(root / "tmp"), 0U);
}

TEST_F(AdoptTest, collection_keeps_adopted_files_unless_asked) {
    adopt(LinkKind::Hardlink);
    FakeClock later(system_clock().now() + std::chrono::hours(24));
    GcOptions options;
    options.clock = &later;
    options.roots = []() -> Result<std::set<Digest>> { return std::set<Digest>(); };
    EXPECT_TRUE(store.collect_garbage(options)->items.empty());
    options.adopted = GcOptions::Adopted::Collect;
    const auto report = store.collect_garbage(options);
    ASSERT_TRUE(report);
    EXPECT_FALSE(store.has(digest));
    ASSERT_FALSE(report->items.empty());
    EXPECT_EQ(report->items[0].kind, GcItem::Kind::Adopted);
    EXPECT_LE(report->items[0].freed_bytes, 4096U) << "only its record: they still have it";
    EXPECT_EQ(foreign(), text);
    EXPECT_EQ(entries(root / "adopted"), 0U);
}

} // namespace
} // namespace locara::store
