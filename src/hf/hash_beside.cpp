#include "hash_beside.hpp"

#include <chrono>

namespace locara::hf {

namespace {

constexpr auto kHashPause = std::chrono::milliseconds(20);

} // namespace

void hash_beside(store::Part& part,
                 Fillers fillers,
                 const std::function<void()>& report,
                 const std::function<void(Error)>& fail) {
    while (true) {
        const auto hashed = part.advance_hash(kHashStepBytes);
        if (!hashed) {
            fail(hashed.error());
        }
        report();
        std::unique_lock lock(fillers.mutex);
        if (fillers.running == 0) {
            return;
        }
        if (!hashed || *hashed == 0) {
            fillers.changed.wait_for(lock, kHashPause, [&] { return fillers.running == 0; });
        }
    }
}

} // namespace locara::hf
