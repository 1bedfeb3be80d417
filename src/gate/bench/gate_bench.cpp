// What the sandbox costs: 1000 small files and one large one, judged by a worker (formats and YARA)
// and by the formats in this process. Ratios; each measure is the best of five, taken in turns.
#include <locara/gate/gate.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <fcntl.h>

namespace {

using namespace locara;

struct File {
    Fd fd;
    std::string name;
};

double seconds(const std::vector<File>& files, const formats::Judge& judge) {
    const auto begin = std::chrono::steady_clock::now();
    for (const File& file : files) {
        if (judge(file.fd, file.name).decision != formats::Decision::Allow) {
            std::fprintf(stderr, "a file did not pass\n");
            std::exit(1);
        }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

File make_file(const TempFolder& folder,
               const std::string& name,
               const std::vector<std::string>& parts) {
    auto fd = open_file(folder.path() / name, O_RDWR | O_CREAT);
    for (const std::string& part : parts) {
        if (!fd || !write_all(*fd, as_bytes(part))) {
            std::fprintf(stderr, "writing %s failed\n", name.c_str());
            std::exit(1);
        }
    }
    return {std::move(*fd), name};
}

std::vector<File> small_files(const TempFolder& folder) {
    std::vector<File> files;
    for (int i = 0; i < 1'000; ++i) {
        files.push_back(make_file(folder,
                                  "config-" + std::to_string(i) + ".json",
                                  {"{\"hidden_size\": 64, \"number\": " + std::to_string(i) +
                                   ", \"text\": \"" + std::string(2'000, 'x') + "\"}\n"}));
    }
    return files;
}

/// One tensor of 256 MiB.
std::vector<File> large_weights(const TempFolder& folder) {
    constexpr std::size_t kPiece = 1U << 20U;
    constexpr std::size_t kPieces = 256;
    std::string header = R"({"w":{"dtype":"U8","shape":[)" + std::to_string(kPiece * kPieces) +
                         R"(],"data_offsets":[0,)" + std::to_string(kPiece * kPieces) + "]}}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::string length(8, '\0');
    length[0] = static_cast<char>(header.size());
    std::vector<std::string> parts(kPieces, std::string(kPiece, '\x3c'));
    parts.insert(parts.begin(), length + header);
    std::vector<File> files;
    files.push_back(make_file(folder, "large.safetensors", parts));
    return files;
}

/// 32 MiB of JSON, all of which is read, by YARA too.
std::vector<File> large_text(const TempFolder& folder) {
    std::string text = "{\n";
    for (int i = 0; text.size() < (32U << 20U); ++i) {
        text += "\"token" + std::to_string(i) + "\": " + std::to_string(i) + ",\n";
    }
    std::vector<File> files;
    files.push_back(make_file(folder, "vocab.json", {text + "\"end\": 0}\n"}));
    return files;
}

void compare(const char* what, const std::vector<File>& files, const formats::Judge& worker) {
    const auto here = [](const Fd& fd, std::string_view name) {
        return formats::scan_fd(fd, name);
    };
    double best_worker = 1e9;
    double best_here = 1e9;
    for (int i = 0; i < 5; ++i) { // in turns: the machine is not ours alone
        best_here = std::min(best_here, seconds(files, here));
        best_worker = std::min(best_worker, seconds(files, worker));
    }
    std::printf(
        "%s: %.1f ms in this process, formats alone; %.1f ms in a worker, formats and YARA; "
        "ratio %.2f\n",
        what,
        best_here * 1e3,
        best_worker * 1e3,
        best_worker / best_here);
}

} // namespace

int main() {
    const auto folder = TempFolder::create(std::filesystem::temp_directory_path(), "gate-bench-");
    gate::Gate gate{gate::Options{}};
    const auto worker = gate.as_judge();
    const auto small = small_files(*folder);
    const auto begin = std::chrono::steady_clock::now();
    worker(small[0].fd, small[0].name);
    const double start =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("starting a worker and one file: %.1f ms\n", start * 1e3);
    compare("1000 small files", small, worker);
    compare("weights of 256 MiB", large_weights(*folder), worker);
    compare("32 MiB of JSON", large_text(*folder), worker);
    return 0;
}
