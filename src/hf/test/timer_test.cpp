// What every Timer promises (timer.hpp), run on the machine's and on the fake.
#include <locara/hf/timer.hpp>

#include <gtest/gtest.h>

namespace locara::hf {
namespace {

using namespace std::chrono_literals;

struct Machine {
    Timer& timer = system_timer();
};

struct Fake {
    FakeTimer timer;
};

template <class Kind> class TimerContract : public testing::Test {
  protected:
    Timer& timer() { return kind_.timer; }

  private:
    Kind kind_;
};

using Kinds = testing::Types<Machine, Fake>;
TYPED_TEST_SUITE(TimerContract, Kinds, );

TYPED_TEST(TimerContract, time_has_passed_after_a_sleep) {
    const auto before = this->timer().now();
    EXPECT_TRUE(this->timer().sleep(2ms, {}));
    EXPECT_GE(this->timer().now() - before, 2ms);
}

TYPED_TEST(TimerContract, a_stop_that_was_asked_for_ends_the_sleep) {
    std::stop_source stop;
    stop.request_stop();
    const auto slept = this->timer().sleep(1h, stop.get_token());
    ASSERT_FALSE(slept);
    EXPECT_EQ(slept.error().code(), ErrorCode::Cancelled);
}

} // namespace
} // namespace locara::hf
