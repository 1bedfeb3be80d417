#include <locara/runtime/launch.hpp>

namespace locara::runtime {

namespace {

constexpr std::size_t kSecretBytes = 32;

} // namespace

std::string LaunchCodes::issue(std::string_view label) {
    std::string code = random_hex(kSecretBytes);
    const std::lock_guard lock(mutex_);
    if (open_.size() >= kMaxOpen) {
        open_.pop_front();
    }
    open_.push_back({std::string(label), Secret(code), now_() + kLifetime});
    return code;
}

bool LaunchCodes::redeem(std::string_view label, std::string_view code) {
    const std::lock_guard lock(mutex_);
    const Time now = now_();
    while (!open_.empty() && open_.front().until <= now) {
        open_.pop_front();
    }
    auto found = open_.end();
    for (auto at = open_.begin(); at != open_.end(); ++at) {
        if (at->code.equals(code) && at->label == label) {
            found = at;
        }
    }
    if (found == open_.end()) {
        return false;
    }
    open_.erase(found);
    return true;
}

std::string Tokens::issue(std::string_view label) {
    std::string token = random_hex(kSecretBytes);
    const std::lock_guard lock(mutex_);
    auto& all = tokens_[std::string(label)];
    if (all.size() >= kMaxPerApp) {
        all.pop_front();
    }
    all.emplace_back(token);
    return token;
}

bool Tokens::accepts(std::string_view label, std::string_view token) const {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(label);
    bool accepted = false;
    if (found != tokens_.end()) {
        for (const auto& known : found->second) {
            accepted = known.equals(token) || accepted;
        }
    }
    return accepted;
}

void Tokens::revoke(std::string_view label) {
    const std::lock_guard lock(mutex_);
    if (const auto found = tokens_.find(label); found != tokens_.end()) {
        tokens_.erase(found);
    }
}

bool Tokens::revoke(std::string_view label, std::string_view token) {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(label);
    return found != tokens_.end() && std::erase_if(found->second, [token](const Secret& known) {
                                         return known.equals(token);
                                     }) > 0;
}

} // namespace locara::runtime
