// One small file of each family of media, whole by the layout that it declares.
#pragma once

#include "test/support.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace locara::formats::test {

using namespace std::string_literals;

template <class T> std::string be(T value) {
    std::string out = le(value);
    std::reverse(out.begin(), out.end());
    return out;
}

inline std::string be32(std::uint64_t value) {
    return be(static_cast<std::uint32_t>(value));
}

inline std::string be16(std::uint64_t value) {
    return be(static_cast<std::uint16_t>(value));
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), uInt(body.size()));
    return be32(data.size()) + body + be32(crc);
}

/// One grey pixel.
inline std::string png() {
    return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", be32(1) + be32(1) + "\x08\0\0\0\0"s) +
           png_chunk("IDAT", deflate_text("\0\x80"s, 15)) + png_chunk("IEND", "");
}

inline std::string jpeg_segment(char marker, const std::string& data) {
    return "\xFF"s + marker + be16(data.size() + 2) + data;
}

/// With what a scan may hold: a stuffed byte, a restart, a fill byte before the end.
inline std::string jpeg() {
    return "\xFF\xD8" + jpeg_segment('\xE0', "JFIF\0\1\1\0\0\1\0\1\0\0"s) +
           jpeg_segment('\xDB', std::string(65, '\1')) +
           jpeg_segment('\xC0', "\x08\0\1\0\1\1\1\x11\0"s) +
           jpeg_segment('\xDA', "\1\1\0\0\x3F\0"s) + "\x12\xFF\0\x34\xFF\xD0\x56\xFF\xFF\xD9"s;
}

/// With a table of two colours and an extension.
inline std::string gif() {
    return "GIF89a\1\0\1\0\x80\0\0"s + "\0\0\0\xFF\xFF\xFF"s + "\x21\xF9\x04\1\0\0\0\0"s +
           "\x2C\0\0\0\0\1\0\1\0\0\x02\x02\x44\1\0\x3B"s;
}

inline std::string riff_chunk(const std::string& id, const std::string& data) {
    return id + u32(data.size()) + data + std::string(data.size() % 2, '\0');
}

inline std::string riff(const std::string& form, const std::string& chunks) {
    return "RIFF" + u32(form.size() + chunks.size()) + form + chunks;
}

inline std::string wav() {
    return riff("WAVE",
                riff_chunk("fmt ", "\1\0\1\0\x40\x1F\0\0\x40\x1F\0\0\1\0\x08\0"s) +
                    riff_chunk("data", "\x80\x81\x82"));
}

inline std::string webp() {
    return riff("WEBP", riff_chunk("VP8L", "\x2F\0\0\0\0\x88\x88\x08"s));
}

/// In two parts, as OpenDML has it.
inline std::string avi() {
    return riff("AVI ", riff_chunk("LIST", "hdrl" + riff_chunk("avih", std::string(56, '\1')))) +
           riff("AVIX", riff_chunk("LIST", "movi"));
}

inline std::string box(const std::string& type, const std::string& data) {
    return be32(data.size() + 8) + type + data;
}

/// With a box of 64-bit length.
inline std::string mp4() {
    return box("ftyp", "isom\0\0\0\1isom"s) + box("moov", box("mvhd", std::string(100, '\1'))) +
           be32(1) + "mdat" + be(std::uint64_t{20}) + "\1\2\3\4";
}

/// The last box reaches to the end of the file.
inline std::string avif() {
    return box("ftyp", "avif\0\0\0\0avif"s) + box("meta", std::string(40, '\1')) + be32(0) +
           "mdat\1\2\3";
}

inline std::string ogg() {
    const std::string head =
        std::string(8, '\0') + "\1\2\3\4" + std::string(4, '\0') + "\5\6\7\x08";
    return "OggS\0\2"s + head + "\2\x03\1abcd"s + "OggS\0\4"s + head + "\0"s;
}

inline std::string flac() {
    return "fLaC\0\0\0\x22"s + std::string(34, '\1') + "\x81\0\0\0\xFF\xF8\xC9\x18\0\1"s;
}

/// Layer III at 32 kbit/s and 32 kHz: 144 bytes.
inline std::string mp3_frame() {
    return "\xFF\xFB\x18\xC4"s + std::string(140, '\0');
}

/// Tags in front (ID3v2) and behind (APEv2, ID3v1).
inline std::string mp3() {
    return "ID3\4\0\0\0\0\1\2"s + std::string(130, 'x') + mp3_frame() + mp3_frame() +
           "APETAGEX\xD0\7\0\0\x20\0\0\0"s + std::string(16 + 32, '\0') + "TAG" +
           std::string(125, 'x');
}

inline std::string ebml_head() {
    return "\x1A\x45\xDF\xA3\x87\x42\x82\x84webm"s;
}

inline std::string webm() {
    return ebml_head() + "\x18\x53\x80\x67\x8B"s + "\x15\x49\xA9\x66\x80"s + "\xEC\x84zzzz"s;
}

/// As a browser records it: the sizes of segment and cluster are unknown.
inline std::string live_webm() {
    return ebml_head() + "\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s +
           "\x1F\x43\xB6\x75\xFF\xE7\x81\0\xA3\x85\x81\0\0\x80q"s;
}

inline std::string sfnt_directory(const std::string& flavour, std::uint32_t data_at) {
    return flavour + be16(1) + std::string(6, '\0') + "glyf" + be32(0) + be32(data_at) + be32(5);
}

/// A table of five bytes, padded to eight.
inline std::string ttf() {
    return sfnt_directory("\0\1\0\0"s, 28) + "abcde\0\0\0"s;
}

inline std::string otf() {
    return sfnt_directory("OTTO", 28) + "abcde";
}

/// Two fonts that share a table.
inline std::string ttc() {
    return "ttcf\0\1\0\0"s + be32(2) + be32(20) + be32(48) + sfnt_directory("\0\1\0\0"s, 76) +
           sfnt_directory("\0\1\0\0"s, 76) + "abcde";
}

inline std::string woff(const std::string& signature) {
    return signature + "\0\1\0\0"s + be32(64) + std::string(51, '\0') + "\1";
}

inline std::string icon(char kind) {
    return "\0\0"s + kind + "\0\1\0"s + "\1\1\0\0\1\0\x20\0"s + u32(3) + u32(22) + "abc";
}

inline std::string wasm() {
    return "\0asm\1\0\0\0"s + "\0\6\4name"s.substr(0, 7) + "x" + "\1\4\1\x60\0\0"s;
}

/// By the name of the file.
inline std::map<std::string, std::string> media_samples() {
    return {{"a.png", png()},        {"a.jpg", jpeg()},        {"a.gif", gif()},
            {"a.wav", wav()},        {"a.webp", webp()},       {"a.avi", avi()},
            {"a.mp4", mp4()},        {"a.avif", avif()},       {"a.ogg", ogg()},
            {"a.flac", flac()},      {"a.mp3", mp3()},         {"a.webm", webm()},
            {"b.webm", live_webm()}, {"a.ttf", ttf()},         {"a.otf", otf()},
            {"a.ttc", ttc()},        {"a.woff", woff("wOFF")}, {"a.woff2", woff("wOF2")},
            {"a.ico", icon('\1')},   {"a.cur", icon('\2')},    {"a.wasm", wasm()}};
}

} // namespace locara::formats::test
