#include "metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace locara::hub {
namespace {

constexpr std::string_view kMethods[] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

std::string number(double value) {
    char text[40];
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
    const int length = std::snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
    return std::string(text, static_cast<std::size_t>(length));
}

void describe(std::string& out,
              std::string_view name,
              std::string_view type,
              std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void sample(std::string& out, std::string_view name, std::string_view labels, double value) {
    out.append(name);
    if (!labels.empty()) {
        out.append("{").append(labels).append("}");
    }
    out.append(" ").append(number(value)).append("\n");
}

} // namespace

void Metrics::count(const http::Exchange& exchange) {
    const http::Request& request = exchange.request;
    const bool known =
        std::find(std::begin(kMethods), std::end(kMethods), request.method) != std::end(kMethods);
    const std::string& route = request.notes->route;
    const double seconds = std::chrono::duration<double>(exchange.took).count();
    const auto* const bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds);
    const std::lock_guard lock(mutex_);
    Timing& timing = requests_[{route.empty() ? "none" : route, known ? request.method : "none"}];
    ++timing.buckets[static_cast<std::size_t>(bucket - kBuckets.begin())];
    timing.seconds += seconds;
    ++timing.by_class[std::to_string(exchange.status / 100) + "xx"];
    bytes_in_ += exchange.bytes_in;
    bytes_out_ += exchange.bytes_out;
}

std::string Metrics::render(const std::vector<Sample>& samples) const {
    std::string out;
    {
        const std::lock_guard lock(mutex_);
        constexpr std::string_view kRequests = "locara_hub_requests_total";
        constexpr std::string_view kDuration = "locara_hub_request_duration_seconds";
        describe(out, kRequests, "counter", "Requests answered, by route, method and status.");
        for (const auto& [key, timing] : requests_) {
            const std::string labels = "route=\"" + escape_label(key.first) + "\",method=\"" +
                                       escape_label(key.second) + "\"";
            for (const auto& [status, count] : timing.by_class) {
                sample(out,
                       kRequests,
                       labels + ",status=\"" + status + "\"",
                       static_cast<double>(count));
            }
        }
        describe(out,
                 kDuration,
                 "histogram",
                 "From the head of a request being here to the last byte of its answer.");
        for (const auto& [key, timing] : requests_) {
            const std::string labels = "route=\"" + escape_label(key.first) + "\",method=\"" +
                                       escape_label(key.second) + "\"";
            double below = 0;
            for (std::size_t i = 0; i < timing.buckets.size(); ++i) {
                below += static_cast<double>(timing.buckets[i]);
                const std::string bound = i < kBuckets.size() ? number(kBuckets[i]) : "+Inf";
                sample(out,
                       std::string(kDuration) + "_bucket",
                       labels + ",le=\"" + bound + "\"",
                       below);
            }
            sample(out, std::string(kDuration) + "_sum", labels, timing.seconds);
            sample(out, std::string(kDuration) + "_count", labels, below);
        }
        constexpr std::string_view kIn = "locara_hub_request_body_bytes_total";
        describe(out, kIn, "counter", "Bytes of request bodies received.");
        sample(out, kIn, "", static_cast<double>(bytes_in_));
        constexpr std::string_view kOut = "locara_hub_response_bytes_total";
        describe(out, kOut, "counter", "Bytes of answers sent, heads and bodies.");
        sample(out, kOut, "", static_cast<double>(bytes_out_));
    }
    std::string last;
    for (const Sample& one : samples) {
        const bool counter = one.type == Sample::Type::Counter;
        const std::string name = one.name + (counter ? "_total" : "");
        if (name != last) {
            describe(out, name, counter ? "counter" : "gauge", one.help);
            last = name;
        }
        sample(out, name, one.labels, one.value);
    }
    return out;
}

std::string escape_label(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

} // namespace locara::hub
