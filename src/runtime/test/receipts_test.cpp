#include "install_fixture.hpp"

#include <locara/runtime/receipts.hpp>
#include <locara/runtime/registry.hpp>
#include <locara/test_support/golden.hpp>

namespace locara::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

manifest::LicenseTermsToAccept some_terms() {
    return {"gemma",
            "https://ai.google.dev/gemma/terms",
            "",
            {"acme/base (finetune)"},
            {"field limits yes (gemma, 3.2, prohibited use policy)"}};
}

Receipt some_receipt() {
    const auto terms = some_terms();
    return {terms.id,
            terms.url,
            terms.text_sha256,
            terms.terms,
            terms.digest(),
            "acme/notes@1.0.0",
            crypto::sha256(as_bytes("manifest")),
            "2026-11-22T12:00:00Z",
            AcceptedBy::Flag};
}

TEST(Receipt, render_and_parse_are_inverse) {
    const auto text = some_receipt().render();
    EXPECT_GOLDEN("license-receipt.json", text);
    const auto parsed = Receipt::parse(text);
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(parsed->render(), text);
    auto with_text = some_receipt();
    with_text.text_sha256 = std::string(64, 'a');
    EXPECT_EQ(Receipt::parse(with_text.render())->text_sha256, with_text.text_sha256);
    EXPECT_EQ(Receipt::parse("{}").error().code(), ErrorCode::Unsupported);
    EXPECT_FALSE(Receipt::parse(R"({"schema":"locara.dev/license-receipt/v1"})"));
}

class ReceiptTest : public InstallTest {
  protected:
    static Status accept_all(Installer& installer, const Plan& plan) {
        for (const auto& open : plan.open_terms) {
            LOCARA_CHECK(installer.accept(open, AcceptedBy::Flag));
        }
        return {};
    }

    void write_policy(const std::filesystem::path& folder, const std::string& text) const {
        write(folder / "policy.toml", text);
    }
};

TEST_F(ReceiptTest, a_receipt_of_other_terms_or_a_broken_one_is_none) {
    ASSERT_TRUE(add_receipt(home_, some_receipt()));
    EXPECT_TRUE(*find_receipt(home_, some_terms()));
    auto other = some_terms();
    other.terms.emplace_back("forbidden: medical advice");
    EXPECT_FALSE(*find_receipt(home_, other));
    other = some_terms();
    other.text_sha256 = std::string(64, 'a');
    EXPECT_FALSE(*find_receipt(home_, other));
    const auto file = home_.receipts() / (some_terms().digest().render() + ".json");
    auto forged = some_receipt();
    forged.license = "MIT";
    write(file, forged.render());
    EXPECT_FALSE(*find_receipt(home_, some_terms()));
    write(file, "{");
    EXPECT_FALSE(*find_receipt(home_, some_terms()));
}

TEST_F(ReceiptTest, nothing_is_installed_before_its_terms_are_accepted_and_then_nobody_asks_again) {
    license_ = "CC-BY-NC-4.0";
    publish_model();
    publish_app("locara/second", "1.0.0");
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/second"));
    ASSERT_TRUE(plan) << plan.error().describe();
    EXPECT_THAT(plan->licenses_to_accept(), ElementsAre("CC-BY-NC-4.0"));
    EXPECT_FALSE(plan->allows_commercial_use());
    EXPECT_THAT(plan->warnings, ::testing::Contains(HasSubstr("hides a limit")));
    const auto refused = installer.install(*plan, null_progress());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Forbidden);
    expect_nothing_installed(installer);
    EXPECT_EQ(installer.pull(plan->models[0], plan->app.hub, null_progress()).error().code(),
              ErrorCode::Forbidden);

    ASSERT_TRUE(accept_all(installer, *plan));
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    const auto receipts =
        installer.receipts(*installer.get(*manifest::AppId::parse("locara/second")));
    ASSERT_TRUE(receipts) << receipts.error().describe();
    ASSERT_THAT(*receipts, SizeIs(1));
    EXPECT_EQ(receipts->front().license, "CC-BY-NC-4.0");
    EXPECT_EQ(receipts->front().manifest, plan->models[0].manifest.digest());
    EXPECT_EQ(receipts->front().when, "2026-11-22T12:00:00Z");

    publish_app("locara/third", "1.0.0");
    EXPECT_THAT(installer.plan(ref("locara/third"))->licenses_to_accept(), IsEmpty());
}

TEST_F(ReceiptTest, policy_refuses_at_plan_install_and_pull) {
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan);
    write_policy(home_.config, "[refuse]\nlicenses = ['MIT']\n");
    EXPECT_EQ(installer.plan(ref("locara/first")).error().code(), ErrorCode::Refused);
    EXPECT_EQ(installer.install(*plan, null_progress()).error().code(), ErrorCode::Refused);
    EXPECT_EQ(installer.pull(plan->models[0], plan->app.hub, null_progress()).error().code(),
              ErrorCode::Refused);
    expect_nothing_installed(installer);
    write_policy(home_.config, "[refuse]\nlicences = ['MIT']\n");
    const auto broken = installer.plan(ref("locara/first"));
    EXPECT_EQ(broken.error().code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(broken.error().message(), HasSubstr("policy.toml:2: unknown key \"licences\""));
}

TEST_F(ReceiptTest, the_organisations_policy_holds_whatever_the_user_writes) {
    write_policy(home_.system, "[refuse]\npublishers = ['locara']\n");
    write_policy(home_.config, "[refuse]\npublishers = []\n");
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().message(), HasSubstr("etc/policy.toml:2"));
}

TEST_F(ReceiptTest, policy_stops_what_is_installed_too) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    auto store = store::Store::open(home_.store);
    ASSERT_TRUE(store);
    Registry registry(home_, *store, clock_);
    const auto app = registry.get("locara--first");
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_FALSE(registry.blocked(*app));
    write_policy(home_.config, "[refuse]\nformats = ['gguf']\n");
    EXPECT_THAT(registry.blocked(*app).value_or(""), HasSubstr("has files of the format gguf"));
    write_policy(home_.config, "[refuse");
    EXPECT_THAT(registry.blocked(*app).value_or(""), HasSubstr("policy.toml:1"));
}

} // namespace
} // namespace locara::runtime
