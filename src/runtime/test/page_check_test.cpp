// The bounds of a look at a page, with drivers that behave as a browser might that a page has taken
// over. What a real look finds is tests/blackbox/page_check_test.py.
#include <locara/base/file.hpp>
#include <locara/runtime/page_check.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>

namespace locara::runtime {
namespace {

using testing::HasSubstr;

constexpr const char* kWriteReport = "import { writeFileSync } from 'node:fs';\n"
                                     "const { out, app } = JSON.parse(process.argv[2]);\n"
                                     "const write = (text) => writeFileSync(out, text);\n";

class PageCheck : public testing::Test {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-page-check-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        ASSERT_TRUE(create_folders(folder_->path() / "page-check", 0700));
        auto app = manifest::AppManifest::parse(
            read_file(test_support::source_dir() / "apps/task-form/locara.json", 1U << 20U)
                .value());
        ASSERT_TRUE(app);
        app_.emplace(std::move(*app));
        options_.share = folder_->path();
        options_.server = "/usr/bin/true";
    }

    Json look_with(const std::string& script) {
        const auto at = folder_->path() / "page-check" / "page_check.mjs";
        EXPECT_TRUE(write_file_atomically(at, as_bytes(kWriteReport + script)));
        return check_page(folder_->path(), *app_, options_);
    }

    std::string why(const Json& page) {
        EXPECT_EQ(page.at("checked"), false) << page;
        return page.value("why", "");
    }

    std::optional<TempFolder> folder_;
    std::optional<manifest::AppManifest> app_;
    PageCheckOptions options_;
};

TEST_F(PageCheck, hands_on_what_the_driver_found) {
    const Json page = look_with("write(JSON.stringify({ title: app, checked: false }));");
    EXPECT_EQ(page, (Json{{"title", app_->id.render()}, {"checked", true}}));
}

TEST_F(PageCheck, ends_in_time) {
    options_.time = std::chrono::seconds(1);
    EXPECT_THAT(why(look_with("setInterval(() => 0, 1000);")), HasSubstr("more than 1 seconds"));
}

TEST_F(PageCheck, tells_the_last_line_of_a_driver_that_fails) {
    const std::string said =
        why(look_with("write('{}'); console.error('much\\nno iframe came\\n'); process.exit(3);"));
    EXPECT_THAT(said, HasSubstr("exit code 3: no iframe came"));
    EXPECT_THAT(said, Not(HasSubstr("much")));
}

TEST_F(PageCheck, takes_no_report_that_is_too_long_or_none) {
    EXPECT_THAT(why(look_with("write('[' + ' '.repeat(3 << 20) + ']');")), HasSubstr("report"));
    EXPECT_THAT(why(look_with("write('[]');")), HasSubstr("no report"));
    EXPECT_FALSE(why(look_with("write('{');")).empty());
    EXPECT_THAT(why(look_with("")), HasSubstr("report.json"));
}

TEST_F(PageCheck, says_what_is_not_installed) {
    options_.node = "/nowhere/node";
    EXPECT_THAT(why(look_with("")), HasSubstr("Node is not installed"));
    options_.node.clear();
    options_.chromium = "/nowhere/chromium";
    EXPECT_THAT(why(look_with("")), HasSubstr("Chromium is not installed"));
    options_.share = "/nowhere";
    EXPECT_THAT(why(look_with("")), HasSubstr("/nowhere/page-check"));
}

} // namespace
} // namespace locara::runtime
