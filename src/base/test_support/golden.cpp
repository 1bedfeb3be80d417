#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace locara::test_support {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGoldenLimitBytes = 1U << 20U; // larger ones nobody reviews
constexpr const char* kHowToAccept = "`./dev test --accept` takes it; review the change";

bool is_text(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x20 ? byte != 0x7F : c == '\n' || c == '\r' || c == '\t';
    });
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

/// A line of a difference; that a text ends without a newline must show.
std::string show_line(char mark, std::string_view line) {
    std::string out(1, mark);
    out += ' ';
    if (!line.ends_with('\n')) {
        return out.append(line) + "    (no newline)\n";
    }
    line.remove_suffix(1);
    return line.ends_with('\r') ? out.append(line.substr(0, line.size() - 1)) + "\\r\n"
                                : out.append(line) + "\n";
}

/// The lines between the first and the last that differ, with one line of context on each side.
std::string show_text_difference(std::string_view golden, std::string_view found) {
    const auto want = split_lines(golden);
    const auto have = split_lines(found);
    const auto least = std::min(want.size(), have.size());
    std::size_t first = 0;
    while (first < least && want[first] == have[first]) {
        ++first;
    }
    std::size_t same_end = 0;
    while (same_end < least - first &&
           want[want.size() - 1 - same_end] == have[have.size() - 1 - same_end]) {
        ++same_end;
    }
    constexpr std::size_t kMostLines = 60;
    const auto show = [&](char mark, const std::vector<std::string_view>& lines) {
        std::string out;
        const auto end = lines.size() - same_end;
        for (std::size_t i = first; i < std::min(end, first + kMostLines); ++i) {
            out += show_line(mark, lines[i]);
        }
        if (end > first + kMostLines) {
            out += "  (" + std::to_string(end - first - kMostLines) + " more lines)\n";
        }
        return out;
    };
    std::string out = "line " + std::to_string(first + 1) + " (- golden, + found):\n";
    if (first > 0) {
        out += show_line(' ', want[first - 1]);
    }
    out += show('-', want) + show('+', have);
    if (same_end > 0) {
        out += show_line(' ', want[want.size() - same_end]);
    }
    return out;
}

std::string show_bytes_difference(std::string_view golden, std::string_view found) {
    const auto [at, _] = std::mismatch(golden.begin(), golden.end(), found.begin(), found.end());
    const auto offset = static_cast<std::size_t>(at - golden.begin());
    const auto show = [&](std::string_view bytes) {
        return render_hex(as_bytes(bytes.substr(offset, 32))) + " (" +
               std::to_string(bytes.size()) + " bytes in all)\n";
    };
    return "byte " + std::to_string(offset) + ":\n- " + show(golden) + "+ " + show(found);
}

/// At the end of all tests, says which golden files are stale.
class StaleCheck : public ::testing::Environment {
  public:
    void TearDown() override {
        const auto& run = *::testing::UnitTest::GetInstance();
        if (run.test_to_run_count() != run.total_test_count() || run.skipped_test_count() > 0 ||
            run.failed_test_count() > 0) {
            return; // a test that did not run to its end may be the one that names a file
        }
        for (const auto& name : golden_files().take_unused()) {
            ADD_FAILURE() << "golden file " << name
                          << ": no test names it; `./dev test --accept` removes it";
        }
    }
};

std::unique_ptr<GoldenFolder>& open_folder() {
    static std::unique_ptr<GoldenFolder> folder;
    return folder;
}

} // namespace

::testing::AssertionResult GoldenFolder::compare(std::string_view name, std::string_view found) {
    named_.emplace(name);
    const auto path = folder_ / name;
    auto golden = read_file(path, kGoldenLimitBytes);
    if (golden && *golden == found) {
        return ::testing::AssertionSuccess();
    }
    if (mode_ == Mode::Accept) {
        auto written = create_folders(path.parent_path());
        if (written) {
            written = write_file_atomically(path, as_bytes(found));
        }
        return written ? ::testing::AssertionSuccess()
                       : ::testing::AssertionFailure() << written.error().describe();
    }
    auto failure = ::testing::AssertionFailure() << "golden file " << path.string() << ": ";
    if (!golden) {
        return failure << golden.error().describe() << "; found:\n"
                       << (is_text(found) ? std::string(found) : render_hex(as_bytes(found)))
                       << "\n"
                       << kHowToAccept;
    }
    return failure << "differs from "
                   << (is_text(*golden) && is_text(found) ? show_text_difference(*golden, found)
                                                          : show_bytes_difference(*golden, found))
                   << kHowToAccept;
}

std::vector<std::string> GoldenFolder::take_unused() {
    std::vector<std::string> unused;
    if (!fs::exists(folder_)) {
        return unused;
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
        auto name = entry.path().lexically_relative(folder_).generic_string();
        if (entry.is_regular_file() && !named_.contains(name)) {
            unused.push_back(std::move(name));
        }
    }
    if (mode_ == Mode::Accept) {
        for (const auto& name : unused) {
            fs::remove(folder_ / name);
        }
        unused.clear();
    }
    std::sort(unused.begin(), unused.end());
    return unused;
}

GoldenFolder& golden_files() {
    LOCARA_ASSERT(open_folder() != nullptr);
    return *open_folder();
}

int run_tests(int argc, char** argv, const fs::path& folder) {
    ::testing::InitGoogleMock(&argc, argv);
    const char* accept = std::getenv("LOCARA_ACCEPT");
    const bool accepts = accept != nullptr && std::string_view(accept) == "1";
    open_folder() = std::make_unique<GoldenFolder>(
        folder, accepts ? GoldenFolder::Mode::Accept : GoldenFolder::Mode::Compare);
    ::testing::AddGlobalTestEnvironment(new StaleCheck); // GoogleTest owns and deletes it
    return RUN_ALL_TESTS();
}

} // namespace locara::test_support
