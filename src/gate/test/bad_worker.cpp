// A worker that fails in the way its argument names. It speaks the protocol as far as it has to.
#include "../protocol.hpp"

#include <locara/formats/verdict_json.hpp>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace locara;

constexpr auto kForEver = std::chrono::hours(24);

void answer(const Fd& socket, const Json& json) {
    (void)gate::send_message(socket, json, -1, std::chrono::steady_clock::now() + kForEver);
}

/// Until it is killed. pause() is not among the calls that the sandbox allows.
[[noreturn]] void stay() {
    while (true) {
        poll(nullptr, 0, -1);
    }
}

/// More than any limit, so that it is the limit that ends it.
void take_memory() {
    std::vector<char*> all;
    while (true) {
        all.push_back(new char[16U << 20U]);
    }
}

/// Whether a way out of the sandbox is open. `path` is a file outside that everybody may read.
bool gets_out(const std::string& way, const char* path) {
    if (way == "reads") {
        return open(path, O_RDONLY | O_CLOEXEC) >= 0;
    }
    if (way == "writes") {
        return open("/tmp/from-inside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 &&
               write(open("/tmp/from-inside", O_WRONLY | O_CLOEXEC), "four", 4) == 4;
    }
    if (way == "connects") {
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
    }
    if (way == "runs") {
        execl("/bin/true", "true", nullptr);
    }
    return false;
}

Json right_answer() {
    return {{"verdict",
             formats::render_verdict(formats::make_verdict("text", {"content.inert", "text", {}}))},
            {"tensors_at", nullptr},
            {"facts", nullptr}};
}

} // namespace

int main(int count, char** words) {
    const std::string mode = count > 1 ? words[1] : "";
    const Fd socket(0);
    const auto deadline = std::chrono::steady_clock::now() + kForEver;
    if (mode == "silent") {
        stay();
    }
    if (mode == "stranger") {
        answer(socket, {{"ready", 0}});
        stay();
    }
    if (mode == "never-ready") {
        return 7;
    }
    answer(socket, {{"ready", gate::kProtocol}});
    while (true) {
        Fd file;
        if (!gate::receive_message(socket, &file, deadline)) {
            return 0;
        }
        if (mode == "exits" || (mode == "gets-out" && !gets_out(words[2], words[3]))) {
            return 3;
        }
        if (mode == "crashes") {
            std::raise(SIGSEGV);
        }
        if (mode == "hangs") {
            stay();
        }
        if (mode == "memory") {
            take_memory();
        }
        if (mode == "nonsense") {
            (void)!write(0, "not at all a message of the protocol", 36);
            stay();
        }
        if (mode == "too-long") {
            (void)!write(0, "\xFF\xFF\xFF\x7F{}", 6);
            stay();
        }
        if (mode == "half") {
            (void)!write(0, "\x40\0\0\0{\"verdict\"", 14);
            return 0;
        }
        Json json = right_answer();
        if (mode == "reads-beyond") {
            json = {{"read", {90, 11}}};
        } else if (mode == "reads-nothing") {
            json = {{"read", {0, 0}}};
        } else if (mode == "reads-too-much") {
            json = {{"read", {0, gate::kMaxMessage + 1}}};
        }
        if (mode == "other-json") {
            json = {{"verdict", "allow"}};
        } else if (mode == "unknown-rule") {
            json["verdict"]["rule"] = "content.nice";
        } else if (mode == "milder") { // than the table says
            json["verdict"] = formats::render_verdict(
                formats::make_verdict("pickle", {"pickle.import.malicious", "x", {}}));
            json["verdict"]["verdict"] = "allow";
        } else if (mode == "more") {
            json["verdict"]["note"] = "x";
        } else if (mode == "less") {
            json["verdict"].erase("imports");
        } else if (mode == "can-it-write") {
            const bool reads_only = (fcntl(file.get(), F_GETFL) & O_ACCMODE) == O_RDONLY;
            json["verdict"] = formats::render_verdict(formats::make_verdict(
                "text", {reads_only ? "content.inert" : "content.unknown", "x", {}}));
        } else if (mode == "wrong-type") {
            json["tensors_at"] = -1;
        }
        answer(socket, json);
    }
}
