#include <locara/manifest/ids.hpp>

#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

TEST(AppId, takes_the_documented_form_only) {
    for (const auto* good : {"locara/quick-add", "abc/de", "a1-b2/c3-d4"}) {
        const auto id = AppId::parse(good);
        ASSERT_TRUE(id) << good;
        EXPECT_EQ(id->render(), good);
        EXPECT_EQ(*AppId::parse_label(id->label()), *id);
        EXPECT_LE(id->label().size(), 63U);
    }
    for (const auto* bad : {"",
                            "locara",
                            "lo/app",
                            "locara/a",
                            "Locara/app",
                            "locara/-app",
                            "locara/app-",
                            "locara/a--b",
                            "locara/a/b",
                            "locara/a.b",
                            "abcdefghijklmnopqrstuvwxyz/app",
                            "locara/..",
                            "locara/app "}) {
        EXPECT_FALSE(AppId::parse(bad)) << bad;
    }
    EXPECT_FALSE(AppId::parse_label("locara-quick-add"));
}

TEST(ModelId, allows_single_dots) {
    EXPECT_TRUE(ModelId::parse("locara/qwen2.5-0.5b"));
    EXPECT_FALSE(ModelId::parse("locara/qwen2..5"));
    EXPECT_FALSE(ModelId::parse("locara/.hidden"));
}

TEST(Version, orders_as_semver_says) {
    // The example of semver.org 2.0.0, rule 11.
    const std::vector<std::string> ordered = {"1.0.0-alpha",
                                              "1.0.0-alpha.1",
                                              "1.0.0-alpha.beta",
                                              "1.0.0-beta",
                                              "1.0.0-beta.2",
                                              "1.0.0-beta.11",
                                              "1.0.0-rc.1",
                                              "1.0.0",
                                              "1.0.1",
                                              "1.2.0",
                                              "1.10.0"};
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        EXPECT_EQ(Version::parse(ordered[i])->render(), ordered[i]);
        for (std::size_t j = 0; j < ordered.size(); ++j) {
            EXPECT_EQ(*Version::parse(ordered[i]) < *Version::parse(ordered[j]), i < j)
                << ordered[i] << " " << ordered[j];
        }
    }
    for (const auto* bad : {"",
                            "1",
                            "1.0",
                            "1.0.0.0",
                            "01.0.0",
                            "1.0.0-",
                            "1.0.0-01",
                            "1.0.0+build",
                            "v1.0.0",
                            "1.0.x",
                            "9999999999.0.0"}) {
        EXPECT_FALSE(Version::parse(bad)) << bad;
    }
}

TEST(AppRef, splits_off_the_version) {
    EXPECT_EQ(AppRef::parse("locara/quick-add@1.2.3")->version, "1.2.3");
    EXPECT_EQ(AppRef::parse("locara/quick-add")->version, "");
    EXPECT_FALSE(AppRef::parse("locara/quick-add@latest"));
}

} // namespace
} // namespace locara::manifest
