#include "test/support.hpp"

#include <locara/base/json.hpp>
#include <locara/formats/scan.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <sys/stat.h>

namespace locara::formats {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kData = test_support::data_dir();

std::string read(const fs::path& path) {
    return read_file(path, 64U << 20U).value();
}

std::vector<fs::path> files_below(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            files.push_back(entry.path());
        }
    }
    EXPECT_FALSE(files.empty()) << folder;
    return files;
}

Verdict scan(const std::string& bytes, std::string_view name = "file") {
    Verdict verdict = scan_source(MemorySource(as_bytes(bytes)), name);
    EXPECT_NE(find_rule(verdict.rule), nullptr) << verdict.rule;
    return verdict;
}

std::string describe(const Verdict& v) {
    return std::string(render(v.decision)) + " " + v.format + " " + v.rule + " (" + v.reason +
           ") " + v.member;
}

using test::ZipBuilder;

TEST(Scan, refuses_every_hostile_pickle_under_every_name) {
    for (const fs::path& path : files_below(kData / "pickle/hostile")) {
        const std::string bytes = read(path);
        for (const char* name :
             {"x.pkl", "x.safetensors", "x.gguf", "x.json", "x.txt", "x.bin", "x", ""}) {
            const Verdict verdict = scan(bytes, name);
            EXPECT_EQ(verdict.decision, Decision::Refuse) << path << " as " << name;
            EXPECT_EQ(verdict.format, "pickle") << path << " " << describe(verdict);
            EXPECT_EQ(verdict.label, Label::Malicious) << path << " " << describe(verdict);
            EXPECT_FALSE(verdict.imports.empty()) << path;
        }
    }
}

TEST(Scan, refuses_harmless_pickles_without_calling_them_malicious) {
    for (const fs::path& path : files_below(kData / "pickle/harmless")) {
        const Verdict verdict = scan_file(path);
        EXPECT_EQ(verdict.decision, Decision::Refuse) << path;
        EXPECT_EQ(verdict.rule, "pickle.wrong-format") << path << " " << describe(verdict);
        EXPECT_EQ(verdict.label, Label::WrongFormat) << path;
    }
}

TEST(Scan, allows_ordinary_files) {
    for (const fs::path& path : files_below(kData / "benign")) {
        const Verdict verdict = scan_file(path);
        EXPECT_EQ(verdict.decision, Decision::Allow) << path << " " << describe(verdict);
    }
    // Our own sources are prose and code full of scary words.
    for (const fs::path& path : files_below(test_support::source_dir() / "src/formats")) {
        const std::string extension = path.extension();
        if (extension == ".cpp" || extension == ".hpp" || extension == ".txt") {
            const Verdict verdict = scan_file(path);
            if (path.string().find("/test/data/") == std::string::npos &&
                path.string().find("/corpus/") == std::string::npos) {
                EXPECT_EQ(verdict.decision, Decision::Allow) << path << " " << describe(verdict);
            }
        }
    }
}

TEST(Scan, allows_archives_whose_members_all_pass) {
    for (const fs::path& path : files_below(kData / "archive/allowed")) {
        const Verdict verdict = scan_file(path);
        EXPECT_EQ(verdict.decision, Decision::Allow) << path << " " << describe(verdict);
    }
}

TEST(Scan, refuses_archives_for_what_is_in_them) {
    const std::map<std::string, std::pair<std::string, std::string>> expected = {
        {"torch.zip.pt", {"pickle.wrong-format", "archive/data.pkl"}},
        {"torch-hostile-deflated.bin", {"pickle.import.malicious", "archive/data.pkl"}},
        {"torchscript.pt", {"format.torchscript", ""}},
        {"pickle-in-text-name.zip", {"pickle.import.malicious", "readme.txt"}},
        {"pickle.tar", {"pickle.import.malicious", "model.json"}},
        {"pickle.tar.gz", {"pickle.wrong-format", "model.pkl"}},
        {"pickle.pkl.gz", {"pickle.import.malicious", "pickle.pkl"}},
        {"pickle.pkl.bz2", {"pickle.import.malicious", "pickle.pkl"}},
        {"pickle.pkl.xz", {"pickle.import.malicious", "pickle.pkl"}},
        {"pickle.pkl.lzma", {"pickle.import.malicious", "pickle.pkl"}},
        {"pickle.pkl.zst", {"pickle.import.malicious", "pickle.pkl"}},
        {"zip-in-tar-in-gz.gz", {"pickle.import.malicious", "x/in.zip!/p"}},
        {"keras-lambda.keras", {"keras.lambda", "config.json"}},
        {"keras.keras", {"format.keras", ""}},
        {"skops.zip", {"format.skops", ""}},
        {"array.npz", {"zip.npz", ""}},
    };
    for (const fs::path& path : files_below(kData / "archive/refused")) {
        const Verdict verdict = scan_file(path);
        ASSERT_TRUE(expected.contains(path.filename())) << path;
        EXPECT_EQ(verdict.decision, Decision::Refuse) << path;
        EXPECT_EQ(verdict.rule, expected.at(path.filename()).first) << describe(verdict);
        EXPECT_EQ(verdict.member, expected.at(path.filename()).second) << describe(verdict);
    }
}

TEST(Scan, refuses_formats_that_are_not_loaded_and_programs) {
    const std::map<std::string, std::string> expected = {
        {"object.npy", "numpy.object"},
        {"record-object.npy", "numpy.object"},
        {"expression.npy", "numpy.header"},
        {"short.npy", "numpy.size"},
        {"model.h5", "format.hdf5"},
        {"user-block.h5", "format.hdf5"},
        {"old.bin", "format.ggml"},
        {"ggjt.bin", "format.ggml"},
        {"model.onnx", "format.onnx"},
        {"saved_model.pb", "format.savedmodel"},
        {"model.tflite", "format.tflite"},
        {"program", "executable.elf"},
        {"program.exe", "executable.pe"},
        {"mach-o", "executable.mach-o"},
        {"bytecode.bin", "executable.python-bytecode"},
        {"seven.7z", "archive.kind"},
        {"old.rar", "archive.kind"},
        {"script.bin", "executable.script"},
    };
    for (const fs::path& path : files_below(kData / "wrong")) {
        const Verdict verdict = scan_file(path);
        ASSERT_TRUE(expected.contains(path.filename())) << path;
        EXPECT_EQ(verdict.decision, Decision::Refuse) << path;
        EXPECT_EQ(verdict.rule, expected.at(path.filename())) << path << describe(verdict);
    }
}

TEST(Scan, flags_what_a_curator_must_see) {
    const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\n";

    struct Case {
        std::string bytes;
        std::string name;
        std::string rule;
    };

    const std::vector<Case> cases = {
        {std::string("\x01\xfe\x00\x99 random", 11), "table.dat", "content.unknown"},
        {pointer, "model.safetensors", "name.mismatch"},
        {pointer, "model.gguf", "name.mismatch"},
        {"", "model.safetensors", "name.mismatch"},
        {"import torch\n", "modeling.py", "name.code"},
        {"{\"cells\":[]}", "train.ipynb", "name.code"},
        {"#!/bin/sh\n", "train.sh", "code.script"},
        {R"({"auto_map":{"AutoModel":"m.M"}})", "config.json", "json.remote-code"},
        {"<svg><script>1</script></svg>", "a.svg", "svg.script"},
        {"<svg onload=\"x()\"></svg>", "a.svg", "svg.script"},
        {"<svg><a href=\"JavaScript:x()\"/></svg>", "a.svg", "svg.script"},
        {"%PDF-1.7\n", "paper.pdf", "document.pdf"},
        {"\x89PNG\r\n\x1a\n....", "model.gguf", "name.mismatch"},
    };
    for (const Case& c : cases) {
        const Verdict verdict = scan(c.bytes, c.name);
        EXPECT_EQ(verdict.decision, Decision::Flag) << c.name << " " << describe(verdict);
        EXPECT_EQ(verdict.rule, c.rule) << c.name << " " << describe(verdict);
    }
}

TEST(Scan, decides_by_content_and_not_by_name) {
    for (const char* name : {"model.gguf", "model.safetensors", "readme.txt", ""}) {
        EXPECT_EQ(scan(test::clean_gguf().build(), name).rule, "gguf.valid") << name;
        EXPECT_EQ(scan(test::clean_safetensors(), name).rule, "safetensors.valid") << name;
    }
    // Bytes of no known format under a name that somebody would load: the reason is the format's.
    const std::string bytes = "\xff\xfe\x00\x01" + std::string(60, '\xee');
    EXPECT_EQ(scan(bytes, "m.gguf").rule, "gguf.magic");
    EXPECT_EQ(scan(bytes, "m.safetensors").rule, "safetensors.header.length");
    EXPECT_EQ(scan(bytes, "m.safetensors").decision, Decision::Refuse);
}

TEST(Scan, refuses_two_formats_in_one_file) {
    const std::string zip = ZipBuilder{{{"a.txt", "hello"}}}.build();
    // Behind the layout:
    EXPECT_EQ(scan(test::clean_gguf().build() + zip).decision, Decision::Refuse);
    EXPECT_EQ(scan(test::clean_gguf().build() + zip).rule, "polyglot.zip");
    EXPECT_EQ(scan(test::clean_safetensors() + zip).rule, "polyglot.zip");
    EXPECT_EQ(scan(read(kData / "benign/icon.png") + zip).rule, "polyglot.zip");
    EXPECT_EQ(scan("plain text\n" + zip).rule, "polyglot.zip");
    EXPECT_EQ(scan(test::clean_gguf().build() + zip + std::string(100, 'x')).decision,
              Decision::Refuse);
    // As the data of a tensor, where the layout is right:
    const std::string inside =
        test::safetensors(R"({"t":{"dtype":"U8","shape":[)" + std::to_string(zip.size()) +
                              R"(],"data_offsets":[0,)" + std::to_string(zip.size()) + "]}}",
                          zip);
    EXPECT_EQ(scan(inside).rule, "polyglot.zip") << describe(scan(inside));
    // Zip behind other bytes:
    EXPECT_EQ(scan("\x89PNG\r\n\x1a\n" + zip).rule, "polyglot.zip");
    EXPECT_EQ(scan("PK\x03\x04" + zip).rule, "zip.prefix");
    EXPECT_EQ(scan(zip + "x").rule, "zip.end");
}

TEST(Scan, refuses_a_safetensors_that_is_also_a_pickle) {
    // The length 0x6058 starts with 'X', BINUNICODE; the next four bytes make it a text of 0x60
    // bytes, which ends inside a string of the header. There 'U' '~', a text of 126 bytes, hops on,
    // 192 times, until the walk lands in the data of a tensor.
    const std::size_t size = 0x6058;
    const std::string data = "xxxxxcos\nsystem\n(S'id'\ntR.";
    std::string header = R"({"t":{"dtype":"U8","shape":[)" + std::to_string(data.size()) +
                         R"(],"data_offsets":[0,)" + std::to_string(data.size()) +
                         R"(]},"__metadata__":{"x":")";
    ASSERT_LT(header.size() + 8, 0x60U + 5U);
    const std::string close = "\"}}";
    header += std::string(size - header.size() - close.size(), 'a') + close;
    for (std::size_t at = 5 + 0x60 - 8; at + 2 < size; at += 128) {
        header.replace(at, 2, "U~");
    }
    const Verdict verdict = scan(test::safetensors(header, data), "model.safetensors");
    EXPECT_EQ(verdict.rule, "pickle.import.malicious") << describe(verdict);

    // The same without a call in the data is a right safetensors, whatever its first byte.
    const std::string inert(data.size(), 'x');
    EXPECT_EQ(scan(test::safetensors(header, inert)).rule, "safetensors.valid");
}

TEST(Scan, refuses_a_gguf_that_is_also_a_pickle) {
    // 'G' is BINFLOAT and takes 8 bytes, "GUF", the version and one byte of the tensor count. The
    // next one is an opcode: with 'V' (0x56) it is a text up to the next newline, in the metadata.
    // 0x5600 tensors are within the limit; they are all here, so that the file is a right GGUF.
    test::GgufBuilder b;
    b.pairs = {test::text_pair("general.architecture", "llama"),
               test::text_pair("general.name", "x\n0cos\nsystem\n(S'id'\ntR.")};
    b.alignment = 8;
    b.pairs.push_back(test::u32_pair("general.alignment", 8));
    for (unsigned i = 0; i < 0x5600; ++i) {
        b.tensors.push_back({"t" + std::to_string(i), {2}, 0, i * 8ULL});
    }
    b.data = std::string(0x5600 * 8, '\1');
    const Verdict verdict = scan(b.build(), "model.gguf");
    EXPECT_EQ(verdict.rule, "pickle.import.malicious") << describe(verdict);
    EXPECT_THAT(verdict.reason, HasSubstr("gguf"));
    EXPECT_THAT(verdict.reason, HasSubstr("os.system"));

    b.pairs[1] = test::text_pair("general.name", "x\nan ordinary name");
    EXPECT_EQ(scan(b.build(), "model.gguf").rule, "gguf.valid");
}

TEST(Scan, reads_zip_archives_strictly) {
    const ZipBuilder good{{{"a.txt", "hello"}, {"b/c.txt", "world"}}};
    ASSERT_EQ(scan(good.build()).decision, Decision::Allow) << describe(scan(good.build()));

    const auto rule = [&](auto change) {
        ZipBuilder b = good;
        change(b);
        return scan(b.build()).rule;
    };
    EXPECT_EQ(rule([](auto& b) { b.members[0].add_crc = 1; }), "zip.crc");
    EXPECT_EQ(rule([](auto& b) { b.members[0].flags = 1; }), "zip.encrypted");
    EXPECT_EQ(rule([](auto& b) { b.members[0].flags = 0x2000; }), "zip.encrypted");
    EXPECT_EQ(rule([](auto& b) { b.members[0].method = 99; }), "zip.method");
    EXPECT_EQ(rule([](auto& b) { b.members[0].method = 12; }), "zip.method");
    EXPECT_EQ(rule([](auto& b) { b.members[0].method = 8; }), "zip.deflate");
    EXPECT_EQ(rule([](auto& b) { b.members[0].local_name = "b.txt"; }), "zip.local");
    EXPECT_EQ(rule([](auto& b) { b.members[1].name = "a.txt"; }), "zip.duplicate");
    EXPECT_EQ(rule([](auto& b) { b.members[1].gap = "hidden"; }), "zip.layout");
    EXPECT_EQ(rule([](auto& b) { b.add_entries = 1; }), "zip.directory");
    EXPECT_EQ(rule([](auto& b) { b.comment = "a comment is fine"; }), "archive.members");
    for (const char* name : {"../a",
                             "/a",
                             "a/../b",
                             "a//b",
                             "a\\b",
                             "c:a",
                             ".git/config",
                             "x/.GIT/y",
                             "-a",
                             "a.",
                             "nul",
                             "com1.txt",
                             "a\x01"
                             "b",
                             "a\xe2\x80\xae"
                             "b",
                             "\xff"}) {
        EXPECT_EQ(rule([&](auto& b) { b.members[0].name = name; }), "zip.name") << name;
    }
    const std::string bytes = good.build();
    for (std::size_t size = 4; size < bytes.size(); ++size) {
        EXPECT_EQ(scan(bytes.substr(0, size)).decision, Decision::Refuse) << size;
    }
}

TEST(Scan, keeps_to_its_budget) {
    const auto members = [](std::size_t count) {
        ZipBuilder b;
        for (std::size_t i = 0; i < count; ++i) {
            b.members.push_back({std::to_string(i), "x"});
        }
        return scan(b.build());
    };
    EXPECT_EQ(members(4'096).decision, Decision::Allow);
    EXPECT_EQ(members(4'097).rule, "zip.members");

    const auto nested = [](unsigned levels) {
        std::string bytes = "hello";
        for (unsigned i = 0; i < levels; ++i) {
            bytes = ZipBuilder{{{"a", bytes}}}.build();
        }
        return scan(bytes);
    };
    EXPECT_EQ(nested(8).decision, Decision::Allow) << describe(nested(8));
    EXPECT_EQ(nested(9).rule, "scan.levels");

    const std::string gz = read(kData / "archive/allowed/app.tar.gz");
    const auto with = [&](const ScanBudget& budget) {
        return scan_source(MemorySource(as_bytes(gz)), "app.tar.gz", budget);
    };
    EXPECT_EQ(with({}).decision, Decision::Allow);
    EXPECT_EQ(with({.memory_bytes = 4}).rule, "scan.memory");
    EXPECT_EQ(with({.unpacked_bytes = 1'000}).rule, "scan.unpacked");
    EXPECT_EQ(with({.time = std::chrono::milliseconds(-1)}).rule, "scan.time");
}

TEST(Scan, refuses_what_it_cannot_open) {
    auto folder = TempFolder::create(fs::temp_directory_path(), "scan-");
    ASSERT_TRUE(folder);
    const fs::path base = folder->path();
    EXPECT_EQ(scan_file(base / "absent").rule, "io.open");
    EXPECT_EQ(scan_file(base).rule, "io.type");
    fs::create_symlink("absent", base / "link");
    EXPECT_EQ(scan_file(base / "link").rule, "io.symlink");
    ASSERT_EQ(mkfifo((base / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(scan_file(base / "pipe").rule, "io.type");
    for (const char* name : {"absent", "link", "pipe"}) {
        EXPECT_EQ(scan_file(base / name).decision, Decision::Refuse);
    }
}

TEST(Scan, walks_folders_by_name_and_reports_as_json) {
    auto folder = TempFolder::create(fs::temp_directory_path(), "scan-");
    ASSERT_TRUE(folder);
    const fs::path base = folder->path();
    fs::create_directories(base / "model/sub");
    const auto write = [](const fs::path& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    };
    write(base / "model/b.gguf", test::clean_gguf().build());
    write(base / "model/a.safetensors", "cos\nsystem\n(S'id'\ntR.");
    write(base / "model/sub/x.dat", "\x01\x02\xff");
    write(base / "model/odd\xff.txt", "hi\n");
    write(base / "model/Same.txt", "hi\n");
    write(base / "model/same.TXT", "hi\n");
    const std::vector<fs::path> paths = {base / "model", base / "model/b.gguf"};
    const auto items = scan_paths(paths);
    ASSERT_TRUE(items);
    ASSERT_EQ(items->size(), 7U);

    const auto report = parse_json(render_json(render_scan_report(*items)));
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ((*report)["schema"], "locara.scan/1");
    const Json& files = (*report)["files"];
    EXPECT_EQ(files[0]["path"], (base / "model/Same.txt").string());
    EXPECT_EQ(files[0]["verdict"], "allow");
    EXPECT_TRUE(files[0]["offset"].is_null());
    EXPECT_EQ(files[1]["path"], (base / "model/a.safetensors").string());
    EXPECT_EQ(files[1]["verdict"], "refuse");
    EXPECT_EQ(files[1]["label"], "malicious");
    EXPECT_EQ(files[1]["format"], "pickle");
    EXPECT_EQ(files[1]["rule"], "pickle.import.malicious");
    EXPECT_THAT(files[1]["reason"].get<std::string>(), HasSubstr("os.system"));
    EXPECT_EQ(files[1]["offset"], 0);
    EXPECT_EQ(files[1]["version"], kScannerVersion);
    ASSERT_EQ(files[1]["imports"].size(), 1U);
    EXPECT_EQ(render_json(files[1]["imports"][0]),
              R"({"module":"os","name":"system","opcode":"GLOBAL","offset":0,"listed":false})");
    EXPECT_EQ(files[2]["verdict"], "allow"); // b.gguf
    EXPECT_EQ(files[3]["rule"], "name.hostile");
    EXPECT_EQ(files[4]["rule"], "name.collision"); // same.TXT
    EXPECT_EQ(files[5]["verdict"], "flag");
    EXPECT_EQ(files[6]["path"], (base / "model/b.gguf").string());
    EXPECT_EQ(files[6]["scanner"], "locara-formats");

    const std::vector<fs::path> absent = {base / "nothing"};
    EXPECT_EQ(scan_paths(absent).error().code(), ErrorCode::NotFound);
}

TEST(Scan, allows_the_reference_model_of_this_tree) {
    const fs::path models = test_support::source_dir() / "models";
    if (!fs::exists(models)) {
        GTEST_SKIP() << "no models in this tree";
    }
    for (const fs::path& path : files_below(models)) {
        const std::string extension = path.extension();
        if (extension == ".gguf" || extension == ".safetensors") {
            const Verdict verdict = scan_file(path);
            EXPECT_EQ(verdict.decision, Decision::Allow) << path << " " << describe(verdict);
        }
    }
}

} // namespace
} // namespace locara::formats
