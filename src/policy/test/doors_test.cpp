// The table of doors and docs/formats-gate.md tell the same story.
#include <locara/base/file.hpp>
#include <locara/policy/doors.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::policy {
namespace {

using testing::HasSubstr;

formats::Verdict verdict(std::string rule) {
    return formats::make_verdict("x", {std::move(rule), "why", {}});
}

std::string row_of(const std::vector<std::string_view>& cells) {
    std::string row = "\n|";
    for (const std::string_view cell : cells) {
        row.append(" ").append(cell).append(" |");
    }
    return row + "\n";
}

TEST(Doors, stand_in_the_document_as_in_the_table) {
    const std::string document =
        read_file(test_support::source_dir() / "docs/formats-gate.md", 8U << 20U).value();
    std::vector<std::string_view> head = {"door"};
    for (std::size_t c = 0; c < kClasses; ++c) {
        head.push_back(render(static_cast<Class>(c)));
    }
    EXPECT_THAT(document, HasSubstr(row_of(head)));
    for (std::size_t d = 0; d < kDoors; ++d) {
        const auto door = static_cast<Door>(d);
        std::vector<std::string_view> row = {render(door)};
        for (std::size_t c = 0; c < kClasses; ++c) {
            row.push_back(render(answer(door, static_cast<Class>(c))));
        }
        EXPECT_THAT(document, HasSubstr(row_of(row)));
    }
}

TEST(Doors, no_door_lets_in_what_the_gate_refuses_for_more_than_its_format) {
    for (std::size_t d = 0; d < kDoors; ++d) {
        const auto door = static_cast<Door>(d);
        EXPECT_EQ(answer(door, Class::Refused), Answer::Refuse) << render(door);
        EXPECT_FALSE(check(door, "x", verdict("antivirus.down"))) << render(door);
        EXPECT_FALSE(check(door, "x", verdict("no.such.rule"))) << render(door);
    }
}

TEST(Doors, a_verdict_falls_into_one_class) {
    EXPECT_EQ(class_of(verdict("content.inert")), Class::Passed);
    EXPECT_EQ(class_of(verdict("code.script")), Class::Flagged);
    EXPECT_EQ(class_of(verdict("format.onnx")), Class::WrongFormat);
    EXPECT_EQ(class_of(verdict("pickle.import.malicious")), Class::Refused);
    EXPECT_EQ(class_of(verdict("gate.worker")), Class::Unjudged);
    EXPECT_EQ(class_of(formats::Verdict{}), Class::Unjudged); // nobody said anything
}

TEST(Doors, tell_what_was_refused_and_whether_to_come_again) {
    EXPECT_TRUE(check(Door::Upload, "a.sh", verdict("code.script")));
    const Status refused = check(Door::Install, "a.sh", verdict("code.script"));
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_EQ(refused.error().message(), "a.sh is refused: why (code.script)");
    const Status later = check(Door::Catalog, "a.gguf", verdict("gate.worker"));
    EXPECT_EQ(later.error().code(), ErrorCode::Unavailable);
    EXPECT_TRUE(later.error().retryable());
    // Never let in by mistake where somebody else has to be asked.
    EXPECT_FALSE(check(Door::Mirror, "a.onnx", verdict("format.onnx")));
}

TEST(Doors, what_is_called_back_is_stopped_as_strictly_as_it_says) {
    using catalog::TakedownAction;
    std::optional<catalog::TakedownEntry> taken;
    EXPECT_TRUE(check(Door::Install, "a 1.0.0", taken));
    taken = catalog::TakedownEntry{
        "app", "acme/a", std::nullopt, TakedownAction::Warn, "leaks", "2026-11-22"};
    EXPECT_TRUE(check(Door::Install, "a 1.0.0", taken));
    EXPECT_EQ(answer(Door::Install, taken), Answer::Warn);
    taken->action = TakedownAction::BlockInstall;
    EXPECT_EQ(check(Door::Install, "a 1.0.0", taken).error().message(),
              "a 1.0.0 was called back on 2026-11-22: leaks");
    EXPECT_TRUE(check(Door::Load, "a 1.0.0", taken));
    taken->action = TakedownAction::BlockRun;
    EXPECT_FALSE(check(Door::Load, "a 1.0.0", taken));
}

} // namespace
} // namespace locara::policy
