// Pulls one file into a store and ends with 0 when it is there. For tests that kill it, or run two.
// Usage: puller ENDPOINT STORE REPO REVISION PATH SIZE SHA256 RANGE_BYTES PACE_BYTES [XET_HASH]
// Prints "fetched <bytes>" and "memory <KiB>" (what it grew by at most), or the error.
#include <locara/hf/client.hpp>

#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>

namespace {

/// The most memory this process has had so far, in KiB.
long peak_memory() {
    struct rusage usage {};

    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

locara::Status pull(char** arg) {
    LOCARA_TRY(auto http, locara::http::Client::create());
    locara::hf::Options options;
    options.endpoint = arg[1];
    LOCARA_TRY(auto client, locara::hf::Client::create(http, options));
    LOCARA_TRY(auto store, locara::store::Store::open(arg[2]));
    locara::hf::FileRef file;
    file.repo = arg[3];
    file.revision = arg[4];
    file.path = arg[5];
    file.size = std::strtoull(arg[6], nullptr, 10);
    LOCARA_TRY(file.sha256, locara::crypto::Sha256Digest::parse(arg[7]));
    if (arg[10] != nullptr) {
        LOCARA_TRY(file.xet_hash, locara::xet::FileHash::parse(arg[10]));
    }
    const long before = peak_memory();
    locara::hf::PullOptions pull_options;
    pull_options.gap_bytes = 0;
    pull_options.range_bytes = std::strtoull(arg[8], nullptr, 10);
    pull_options.pace.bytes = std::strtoull(arg[9], nullptr, 10);
    LOCARA_TRY(const auto result,
               client.pull(file, store, locara::null_progress(), {}, pull_options));
    std::printf("fetched %llu\nmemory %ld\n",
                static_cast<unsigned long long>(result.fetched_bytes),
                peak_memory() - before);
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 10 && argc != 11) {
        return 2;
    }
    const locara::Status status = pull(argv);
    if (!status) {
        std::printf("%s\n", status.error().describe().c_str());
        return 1;
    }
    return 0;
}
