// What every AppRegistry promises (app_registry.hpp), run on the installer's and on the double that
// the tests of the broker use.
#include "install_fixture.hpp"
#include "test_registry.hpp"

#include <locara/runtime/registry.hpp>

namespace locara::runtime {
namespace {

using ::testing::HasSubstr;

/// A registry with one app or more, and the way to call one back.
class Registered {
  public:
    virtual ~Registered() = default;
    virtual std::string label() const = 0;
    virtual AppRegistry& registry() = 0;
    virtual void call_back(const std::string& app) = 0;
};

class RegisteredInMemory : public Registered {
  public:
    std::string label() const override { return "locara--quick-add"; }

    AppRegistry& registry() override { return registry_; }

    void call_back(const std::string& app) override { registry_.block(app); }

  private:
    TempFolder folder_ = *TempFolder::create("/tmp", "locara-registry-");
    store::Store store_ = *store::Store::open(folder_.path() / "store");
    TestRegistry registry_{folder_.path() / "bundle", store_};
};

/// The real one, on what the installer put on disk.
class RegisteredOnDisk : public InstallTest, public Registered {
  public:
    RegisteredOnDisk() : installer_(open_with_hub()) {
        EXPECT_TRUE(install(installer_, "locara/first"));
        store_.emplace(*store::Store::open(home_.store));
        registry_.emplace(home_, *store_, clock_);
    }

    void TestBody() override {}

    std::string label() const override { return "locara--first"; }

    AppRegistry& registry() override { return *registry_; }

    void call_back(const std::string& app) override {
        ASSERT_TRUE(repository_->add_takedown(
            {"app", app, std::nullopt, catalog::TakedownAction::BlockRun, "a test", "2026-11-22"}));
        ASSERT_TRUE(repository_->publish(clock_));
        ASSERT_TRUE(installer_.refresh());
    }

  private:
    Installer installer_;
    std::optional<store::Store> store_;
    std::optional<Registry> registry_;
};

template <class Kind> class AppRegistryContract : public ::testing::Test {
  protected:
    AppRegistry& registry() { return kind_.registry(); }

    Kind kind_;
};

using Kinds = ::testing::Types<RegisteredInMemory, RegisteredOnDisk>;
TYPED_TEST_SUITE(AppRegistryContract, Kinds, );

TYPED_TEST(AppRegistryContract, hands_out_an_app_with_its_files_and_weights) {
    const auto app = this->registry().get(this->kind_.label());
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_EQ(app->manifest.id.label(), this->kind_.label());
    EXPECT_TRUE(std::filesystem::exists(app->bundle / "locara.json"));
    EXPECT_TRUE(std::filesystem::exists(app->bundle / app->manifest.entry.root /
                                        app->manifest.entry.index));
    ASSERT_EQ(app->models.size(), app->manifest.models.size());
    const auto* model = app->find_model("text");
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->manifest.digest(), app->manifest.find_model("text")->manifest);
    const auto* variant = model->manifest->find_variant(model->variant);
    ASSERT_NE(variant, nullptr);
    ASSERT_EQ(model->weights.size(), 1U);
    EXPECT_EQ(model->weights[0].digest(), variant->files[0].sha256);
}

TYPED_TEST(AppRegistryContract, says_what_is_not_installed) {
    const auto app = this->registry().get("locara--absent");
    ASSERT_FALSE(app);
    EXPECT_EQ(app.error().code(), ErrorCode::NotFound);
}

TYPED_TEST(AppRegistryContract, blocks_what_was_called_back_and_nothing_else) {
    const auto app = this->registry().get(this->kind_.label());
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_FALSE(this->registry().blocked(*app));
    this->kind_.call_back("locara/nobody-has-this");
    EXPECT_FALSE(this->registry().blocked(*app));
    this->kind_.call_back(app->manifest.id.render());
    const auto reason = this->registry().blocked(*app);
    ASSERT_TRUE(reason);
    EXPECT_THAT(*reason, HasSubstr("a test"));
}

} // namespace
} // namespace locara::runtime
