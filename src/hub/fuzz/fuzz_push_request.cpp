// What a push begins with: however its bytes come in, the same is read.
#include "../git_wire.hpp"

#include <algorithm>

using namespace locara;

namespace {

struct Outcome {
    std::optional<hub::PushRequest> request;
    bool failed = false;
    std::size_t taken = 0;

    bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView bytes, std::size_t step) {
    hub::PushParser parser;
    Outcome outcome;
    while (outcome.taken < bytes.size() && !outcome.request && !outcome.failed) {
        ByteView part = bytes.subspan(outcome.taken, std::min(step, bytes.size() - outcome.taken));
        const std::size_t before = part.size();
        auto request = parser.take(part);
        outcome.taken += before - part.size();
        outcome.failed = !request;
        if (request) {
            LOCARA_ASSERT(part.empty() || request->has_value());
            outcome.request = std::move(*request);
        }
    }
    return outcome;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    const Outcome whole = read(bytes, bytes.size());
    LOCARA_ASSERT(read(bytes, 1) == whole && read(bytes, 7) == whole);
    if (!whole.request) {
        return 0;
    }
    std::string again;
    LOCARA_ASSERT(whole.request->commands.size() <= hub::kPushCommandLimit);
    for (const hub::RefCommand& command : whole.request->commands) {
        LOCARA_ASSERT(command.from.size() == 40 && command.to.size() == 40);
        LOCARA_ASSERT(!command.name.empty());
        again += hub::render_pkt(command.from + " " + command.to + " " + command.name + "\n");
    }
    again += hub::kFlushPkt;
    const Outcome back = read(as_bytes(again), again.size());
    LOCARA_ASSERT(back.request && back.request->commands == whole.request->commands);
    return 0;
}
