// Media are inert from end to end, and nothing lies behind their end.
#include "media.hpp"
#include "test/media_samples.hpp"
#include "test/mutate.hpp"

#include <locara/formats/scan.hpp>

#include <gtest/gtest.h>

#include <random>

namespace locara::formats {
namespace {

using namespace test;

Verdict scan(const std::string& bytes, std::string_view name) {
    return scan_source(MemorySource(as_bytes(bytes)), name);
}

std::string rule(const std::string& bytes, std::string_view name = "a") {
    return scan(bytes, name).rule;
}

/// What reaches to the end of the file, wherever that is.
bool is_open(std::string_view name) {
    return name == "a.avif" || name == "a.flac";
}

TEST(Media, of_each_family_pass_whole_and_padded) {
    for (const auto& [name, bytes] : media_samples()) {
        EXPECT_EQ(rule(bytes, name), "content.inert") << name;
        EXPECT_EQ(rule(bytes + std::string(5'001, '\0'), name), "content.inert") << name;
    }
}

TEST(Media, judges_what_follows_the_end) {
    const std::map<std::string, std::string> others = {
        {"rar", "Rar!\x1A\x07\0abcdefgh"s},
        {"7z", "7z\xBC\xAF\x27\x1C\0\4aaaaaaaa"s},
        {"gzip", deflate_text("text", 31)},
        {"elf", "\x7F"s + "ELF\2\1\1" + std::string(60, '\0')},
        {"script", "#!/bin/sh\nid\n"},
        {"gguf", "GGUF\3\0\0\0\0\0\0\0"s},
        {"pickle", "cos\nsystem\n(S'id'\ntR."},
        {"pdf", "%PDF-1.4\n"},
        {"markup", "\n<!doctype html><script>alert(1)</script>"},
        {"json", "{\"a\": 1}"}};
    for (const auto& [name, bytes] : media_samples()) {
        if (is_open(name)) {
            continue;
        }
        for (const auto& [format, other] : others) {
            EXPECT_EQ(rule(bytes + other, name), "polyglot.media") << name << " " << format;
            EXPECT_EQ(rule(bytes + "\0\0\0\0"s + other, name), "polyglot.media")
                << name << " " << format;
        }
        EXPECT_EQ(rule(bytes + "\x9F\x01\x77\xC5\x02", name), "media.trailing") << name;
        EXPECT_EQ(rule(bytes + "text", name), "media.trailing") << name;
    }
    const Verdict verdict = scan(png() + others.at("rar"), "a.png");
    EXPECT_EQ(verdict.offset, png().size());
    EXPECT_EQ(verdict.reason, "the file is png and at the same time rar behind its end");
    EXPECT_EQ(rule(png() + jpeg(), "a.png"), "media.trailing"); // neither is what a loader opens
}

TEST(Media, cut_short_are_never_refused_and_never_pass) {
    for (const auto& [name, bytes] : media_samples()) {
        for (std::size_t size = 1; size < bytes.size(); ++size) {
            EXPECT_NE(scan(bytes.substr(0, size), name).decision, Decision::Refuse)
                << name << " " << size;
        }
        const bool open = is_open(name) || name == "a.ttf"; // whose end is padded
        EXPECT_EQ(rule(bytes.substr(0, bytes.size() - 1), name),
                  open ? "content.inert" : "media.damaged")
            << name;
    }
    EXPECT_EQ(rule("\x89PNG\r\n\x1a\n"s + std::string(100, '\0'), "a.png"), "media.damaged");
    EXPECT_EQ(rule("\xFF\xFB no frames follow this", "a.mp3"), "media.damaged");
}

TEST(Media, whose_lengths_lie_are_damaged) {
    const std::vector<std::string> lies = {
        "\x89PNG\r\n\x1a\n\xFF\xFF\xFF\xFFIDATabc",
        "\xFF\xD8\xFF\xE0\0\1abc"s,
        "GIF89a\1\0\1\0\x87\0\0abc"s,
        "RIFF\xFF\xFF\xFF\xFFWAVEfmt ",
        riff("WEBP", "VP8 \xFF\xFF\xFF\xFFx"),
        "\0\0\0\1ftyp\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s,
        "\0\0\0\1ftyp\0\0\0\0\0\0\0\3"s,
        "\0\0\0\7ftypisom"s,
        "fLaC\0\xFF\xFF\xFFx"s,
        "ID3\4\0\0\x7F\x7F\x7F\x7Fx"s,
        "\x1A\x45\xDF\xA3\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFE"s,
        "\x1A\x45\xDF\xA3\xFF"s, // unknown, where it must be known
        "\0\1\0\0\0\xFF\0\0\0\0\0\0glyf"s,
        sfnt_directory("OTTO", 0xFFFF'FFFF),
        "ttcf\0\1\0\0\xFF\xFF\xFF\xFF"s + be32(12),
        "wOF2\0\1\0\0\xFF\xFF\xFF\xFF"s,
        "\0\0\1\0\0\0"s,
        "\0\0\1\0\1\0\1\1\0\0\1\0\x20\0"s + u32(0xFFFF'FFFF) + u32(0xFFFF'FFFF),
        "\0asm\1\0\0\0\1\xFF\xFF\xFF\xFF\x0F"s,
        "\0asm\1\0\0\0\1\x80\x80\x80\x80\x80\x80\0"s};
    for (const std::string& bytes : lies) {
        EXPECT_EQ(rule(bytes), "media.damaged") << testing::PrintToString(bytes);
    }
}

TEST(Media, have_more_behind_them_that_belongs_to_them) {
    EXPECT_EQ(rule(jpeg() + jpeg(), "a.jpg"), "content.inert"); // Multi-Picture Format
    EXPECT_EQ(rule(jpeg() + "\0\0\0"s + jpeg(), "a.jpg"), "content.inert");
    EXPECT_EQ(rule(jpeg() + jpeg() + "Rar!\x1A\x07\0"s, "a.jpg"), "polyglot.media");
    EXPECT_EQ(rule(ogg() + ogg(), "a.ogg"), "content.inert"); // chained
    EXPECT_EQ(rule(mp3_frame() + mp3_frame().substr(0, 50), "a.mp3"), "content.inert");
    EXPECT_EQ(rule(mp4() + box("mpvd", "abc"), "a.mp4"), "content.inert"); // a maker's own
    EXPECT_EQ(rule("ID3\3\0\0\0\0\0\0"s + flac(), "a.flac"), "content.inert");
}

TEST(Media, of_very_many_parts_are_not_whole) {
    std::string bytes = "\0asm\1\0\0\0"s;
    for (int i = 0; i < 4'000'001; ++i) {
        bytes += "\1\0"s; // sections of no length
    }
    EXPECT_EQ(rule(bytes), "media.damaged");
}

TEST(Media, whatever_bytes_they_have_end_inside_the_file) {
    std::mt19937_64 random(20'261'129);
    for (const auto& [name, clean] : media_samples()) {
        for (int i = 0; i < 500; ++i) {
            const std::string bytes = mutate(clean, random);
            const MemorySource source(as_bytes(bytes));
            const Kind kind = sniff(source).value();
            if (is_media(kind)) {
                EXPECT_LE(walk_media(source, kind).value().end, bytes.size()) << name << " " << i;
            }
        }
    }
}

} // namespace
} // namespace locara::formats
