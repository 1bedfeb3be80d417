#include <locara/store/spans.hpp>

#include <algorithm>

namespace locara::store {

void SpanSet::add(Span span) {
    if (span.first >= span.end) {
        return;
    }
    // The first span that touches or overlaps, if any: the one before may reach into this one.
    auto at = spans_.upper_bound(span.first);
    if (at != spans_.begin() && std::prev(at)->second >= span.first) {
        --at;
    }
    while (at != spans_.end() && at->first <= span.end) {
        span.first = std::min(span.first, at->first);
        span.end = std::max(span.end, at->second);
        bytes_ -= at->second - at->first;
        at = spans_.erase(at);
    }
    spans_.emplace_hint(at, span.first, span.end);
    bytes_ += span.size();
}

void SpanSet::remove(Span span) {
    if (span.first >= span.end) {
        return;
    }
    auto at = spans_.upper_bound(span.first);
    if (at != spans_.begin()) {
        --at;
    }
    while (at != spans_.end() && at->first < span.end) {
        const Span old{at->first, at->second};
        if (old.end <= span.first) {
            ++at;
            continue;
        }
        at = spans_.erase(at);
        bytes_ -= old.size();
        for (const Span left : {Span{old.first, std::min(old.end, span.first)},
                                Span{std::max(old.first, span.end), old.end}}) {
            if (left.first < left.end) {
                spans_.emplace(left.first, left.end);
                bytes_ += left.size();
            }
        }
    }
}

bool SpanSet::touches(Span span) const {
    if (span.first >= span.end) {
        return false;
    }
    const auto at = spans_.lower_bound(span.end);
    return at != spans_.begin() && std::prev(at)->second > span.first;
}

bool SpanSet::covers(Span span) const {
    return gaps(span).empty();
}

std::vector<Span> SpanSet::gaps(Span within) const {
    std::vector<Span> result;
    std::uint64_t from = within.first;
    auto at = spans_.upper_bound(from);
    if (at != spans_.begin() && std::prev(at)->second > from) {
        from = std::prev(at)->second;
    }
    for (; at != spans_.end() && at->first < within.end; ++at) {
        if (from < at->first) {
            result.push_back({from, at->first});
        }
        from = at->second;
    }
    if (from < within.end) {
        result.push_back({from, within.end});
    }
    return result;
}

std::vector<Span> SpanSet::spans() const {
    std::vector<Span> result;
    result.reserve(spans_.size());
    for (const auto& [first, end] : spans_) {
        result.push_back({first, end});
    }
    return result;
}

std::uint64_t SpanSet::front() const {
    return !spans_.empty() && spans_.begin()->first == 0 ? spans_.begin()->second : 0;
}

void SpanSet::clear() {
    spans_.clear();
    bytes_ = 0;
}

} // namespace locara::store
