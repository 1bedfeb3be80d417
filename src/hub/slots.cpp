#include "slots.hpp"

namespace locara::hub {

Slots::Hold::Hold(std::shared_ptr<Slots> slots, std::string client)
    : slots_(std::move(slots)), client_(std::move(client)) {}

Slots::Hold::~Hold() {
    if (slots_) {
        slots_->give_back(client_);
    }
}

std::optional<Slots::Hold> Slots::try_take(const std::string& client) {
    const std::lock_guard lock(mutex_);
    const auto found = held_.find(client);
    if (taken_ == limits_.all || (found != held_.end() && found->second == limits_.per_client)) {
        return std::nullopt;
    }
    ++taken_;
    ++held_[client];
    return std::optional<Hold>(std::in_place, shared_from_this(), client);
}

bool Slots::has_share(const std::string& client) const {
    const std::lock_guard lock(mutex_);
    const auto found = held_.find(client);
    return found != held_.end() && found->second == limits_.per_client;
}

void Slots::give_back(const std::string& client) {
    const std::lock_guard lock(mutex_);
    --taken_;
    const auto found = held_.find(client);
    if (--found->second == 0) {
        held_.erase(found);
    }
}

} // namespace locara::hub
