// The files of an app are asked about when it is installed and before it starts, once for each
// version of the scanners.
#include "install_fixture.hpp"

#include <locara/gate/gate.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/runtime/app_gate.hpp>
#include <locara/runtime/registry.hpp>

namespace locara::runtime {
namespace {

using ::testing::HasSubstr;

class AppGateTest : public ::testing::Test {
  protected:
    AppGateTest() {
        write(folder_.path() / "bundle/dist/index.html", "<!doctype html>");
        write(folder_.path() / "bundle/run.sh", "#!/bin/sh\n");
        for (const char* path : {"dist/index.html", "run.sh"}) {
            list_.files.push_back({});
            list_.files.back().path = path;
        }
    }

    Status check() {
        const AppGate gate({[this](const Fd& fd, std::string_view name) {
                                ++asked_;
                                return answer_ ? *answer_ : formats::scan_fd(fd, name);
                            },
                            [this] { return scanners_; }});
        return gate.check(folder_.path(), list_);
    }

    TempFolder folder_ = *TempFolder::create("/tmp", "locara-app-gate-");
    manifest::BundleFileList list_;
    Result<std::string> scanners_ = gate::own_scanners();
    std::optional<formats::Verdict> answer_;
    int asked_ = 0;
};

TEST_F(AppGateTest, asks_about_each_file_once_while_the_scanners_stay_what_they_are) {
    EXPECT_TRUE(check()) << "what is flagged a curator let in";
    EXPECT_TRUE(check());
    EXPECT_EQ(asked_, 2);
    scanners_ = gate::own_scanners() + "; ClamAV 1.0.9/27500";
    answer_ = formats::make_verdict("text", {"antivirus.hit", "it is known", {}});
    for (int i = 0; i < 2; ++i) {
        const Status refused = check();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
        EXPECT_THAT(refused.error().message(),
                    HasSubstr("dist/index.html is refused: it is known"));
    }
}

TEST_F(AppGateTest, goes_by_what_it_was_told_before_while_the_antivirus_is_down) {
    scanners_ = gate::own_scanners() + "; ClamAV 1.0.9/27500";
    EXPECT_TRUE(check());
    scanners_ = Error(ErrorCode::Unavailable, "no clamd");
    answer_ = formats::make_verdict("text", {"antivirus.down", "not seen", {}});
    EXPECT_TRUE(check());
    std::filesystem::remove(folder_.path() / "scanners");
    EXPECT_EQ(check().error().code(), ErrorCode::Refused) << "nothing is known of it";
}

TEST_F(AppGateTest, follows_no_link) {
    write(folder_.path() / "elsewhere", "text");
    std::filesystem::remove(folder_.path() / "bundle/run.sh");
    std::filesystem::create_symlink("../elsewhere", folder_.path() / "bundle/run.sh");
    EXPECT_FALSE(check());
}

using AppGateInstallTest = InstallTest;

TEST_F(AppGateInstallTest, stands_before_an_install_and_before_a_start) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    auto store = store::Store::open(home_.store);
    Registry registry(home_, *store, clock_);
    EXPECT_TRUE(registry.get("locara--first"));
    EXPECT_EQ(*read_file(home_.apps() / "locara/first/1.0.0/scanners", 1U << 16U),
              *gate::shared_gate().scanners());

    write(temp_.path() / "source/locara/bad/dist/data.bin", "cos\nsystem\n(S'id'\ntR.");
    publish_app("locara/bad", "1.0.0");
    const auto refused = install(installer, "locara/bad");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_THAT(refused.error().describe(), HasSubstr("dist/data.bin is refused"));
    EXPECT_EQ(installer.list()->size(), 1U);
}

} // namespace
} // namespace locara::runtime
