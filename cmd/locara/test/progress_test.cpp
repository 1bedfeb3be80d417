#include "progress.hpp"

#include <locara/base/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Progress at(std::uint64_t done, std::uint64_t received) {
    Progress progress;
    progress.task = "pull";
    progress.item = "model.gguf";
    progress.done_bytes = done;
    progress.received_bytes = received;
    progress.total_bytes = 100'000'000;
    progress.source = "hub.example.org";
    return progress;
}

TEST(Bar, tells_verified_from_arrived) {
    const auto bar = render_bar(at(25'000'000, 50'000'000), 10'000'000, 200);
    EXPECT_EQ(bar,
              "[=====-----          ] 25.0 MB of 100 MB verified, 10.0 MB/s, 5 s left  model.gguf");
    EXPECT_EQ(render_bar(at(0, 0), 0, 30).size(), 30U);
}

TEST(Tally, adds_up_what_each_file_reused) {
    Tally tally(null_progress());
    Progress file;
    file.task = "pull";
    file.total_bytes = 5'000'000;
    file.done_bytes = 4'000'000;
    file.reused_bytes = 1'000'000;
    tally.report(file);
    file.done_bytes = file.total_bytes;
    file.reused_bytes = 4'000'000;
    tally.report(file);
    file.total_bytes = file.done_bytes = file.reused_bytes = 2'000'000;
    tally.report(file);
    tally.add_fetched(500'000);
    EXPECT_EQ(tally.render(), "7.5 MB needed, 6.0 MB reused, 1.5 MB fetched, all verified");
}

TEST(Event, is_one_json_object) {
    const auto json = Json::parse(render_event(at(1, 2), 3));
    EXPECT_EQ(json["schema"], "locara.progress/1");
    EXPECT_EQ(json["verified_bytes"], 1);
    EXPECT_EQ(json["received_bytes"], 2);
    EXPECT_EQ(json["bytes_per_second"], 3);
}

struct Screen {
    std::vector<std::string> written;
    ProgressView::Time now{1h};

    ProgressView view(ProgressMode mode) {
        return ProgressView(
            mode,
            120,
            [this](std::string_view text) { written.emplace_back(text); },
            [this] { return now; });
    }
};

TEST(Plain, writes_a_line_every_ten_seconds) {
    Screen screen;
    auto view = screen.view(ProgressMode::Plain);
    for (int i = 0; i <= 25; ++i) {
        view.report(at(0, static_cast<std::uint64_t>(i) * 1'000'000));
        screen.now += 1s;
    }
    ASSERT_EQ(screen.written.size(), 2U);
    EXPECT_EQ(screen.written[0],
              "pull model.gguf: 0 B of 100 MB verified, 1.0 MB/s, 1 min left (hub.example.org)\n");
}

TEST(Tty, redraws_in_place_and_clears_up) {
    Screen screen;
    auto view = screen.view(ProgressMode::Tty);
    view.report(at(0, 0));
    view.report(at(1, 1)); // too soon
    view.report(at(100'000'000, 100'000'000));
    view.clear();
    view.clear();
    ASSERT_EQ(screen.written.size(), 3U);
    EXPECT_THAT(screen.written[1], HasSubstr("[====================]"));
    EXPECT_EQ(screen.written[2], "\r\x1b[K");
}

TEST(None, writes_nothing) {
    Screen screen;
    auto view = screen.view(ProgressMode::None);
    view.report(at(1, 1));
    EXPECT_TRUE(screen.written.empty());
}

TEST(Mode, parses_the_documented_words) {
    EXPECT_EQ(*parse_progress_mode("plain"), ProgressMode::Plain);
    EXPECT_THAT(parse_progress_mode("bar").error().message(),
                HasSubstr("auto, tty, plain, json, none"));
}

} // namespace
} // namespace locara::cli
