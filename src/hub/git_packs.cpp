#include "git_packs.hpp"

#include "git_handles.hpp"
#include "git_program.hpp"

#include <locara/base/file.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <git2/odb_backend.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;

constexpr std::chrono::hours kPackTime{6};

struct Pack {
    fs::path index; ///< "objects/pack/pack-<40 hex digits>.idx"
    TimePoint written;
    std::uint64_t bytes = 0; ///< Allocated, with all that belongs to it.
    std::uint64_t objects = 0;
};

/// The files of a pack but its index: "pack-X.pack", "pack-X.rev", ...
Result<std::vector<fs::path>> beside(const fs::path& index) {
    std::vector<fs::path> files;
    std::error_code error;
    fs::directory_iterator at(index.parent_path(), error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        if (at->path().stem() == index.stem() && at->path() != index) {
            files.push_back(at->path());
        }
    }
    if (error) {
        return Error(ErrorCode::Io, "listing packs: " + error.message());
    }
    return files;
}

std::uint64_t allocated(const fs::path& file) {
    struct stat found {};

    return ::lstat(file.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_blocks) * 512U
                                              : 0;
}

/// The objects of one pack, and nothing else.
Result<ObjectDatabase> open_pack(const fs::path& index) {
    start_git();
    git_odb* raw = nullptr;
    int code = git_odb_new(&raw);
    ObjectDatabase database(raw);
    git_odb_backend* pack = nullptr; // The database frees it.
    if (code == 0) {
        code = git_odb_backend_one_pack(&pack, index.c_str());
    }
    if (code == 0) {
        code = git_odb_add_backend(raw, pack, 1);
    }
    if (code != 0) {
        return git_failure("opening " + index.string());
    }
    return database;
}

int count_one(const git_oid* /*id*/, void* payload) {
    ++*static_cast<std::uint64_t*>(payload);
    return 0;
}

int look_up_one(const git_oid* id, void* payload) {
    return git_odb_exists(static_cast<git_odb*>(payload), id) == 1 ? 0 : GIT_EUSER;
}

Result<Pack> look_at(const fs::path& index) {
    struct stat found {};

    if (::stat(fs::path(index).replace_extension(".pack").c_str(), &found) != 0) {
        return Error::from_errno("looking at the pack of " + index.string(), errno);
    }
    Pack pack{index, TimePoint(std::chrono::seconds(found.st_mtime)), allocated(index), 0};
    LOCARA_TRY(const auto files, beside(index));
    for (const fs::path& file : files) {
        pack.bytes += allocated(file);
    }
    LOCARA_TRY(const ObjectDatabase objects, open_pack(index));
    const int code = git_odb_foreach(objects.get(), &count_one, &pack.objects);
    return code == 0 ? Result<Pack>(std::move(pack)) : git_failure("reading a pack's index");
}

/// The largest first.
Result<std::vector<Pack>> list_packs(const fs::path& folder) {
    std::vector<Pack> packs;
    std::error_code error;
    fs::directory_iterator at(folder, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        if (at->path().extension() == ".idx" &&
            at->path().filename().string().starts_with("pack-")) {
            LOCARA_TRY(Pack pack, look_at(at->path()));
            packs.push_back(std::move(pack));
        }
    }
    if (error) {
        return Error(ErrorCode::Io, "listing " + folder.string() + ": " + error.message());
    }
    std::sort(packs.begin(), packs.end(), [](const Pack& a, const Pack& b) {
        return a.objects > b.objects;
    });
    return packs;
}

/// Whether each object of `pack` is in `larger` too, by the indexes of both.
Result<bool> is_within(const Pack& pack, const ObjectDatabase& larger) {
    LOCARA_TRY(const ObjectDatabase objects, open_pack(pack.index));
    const int code = git_odb_foreach(objects.get(), &look_up_one, larger.get());
    return code == 0           ? Result<bool>(true)
           : code == GIT_EUSER ? Result<bool>(false)
                               : git_failure("comparing packs");
}

/// Its index first: without it nobody looks for the rest, which is a leftover then.
Status remove_pack(const Pack& pack) {
    LOCARA_TRY(auto files, beside(pack.index));
    files.insert(files.begin(), pack.index);
    for (const fs::path& file : files) {
        if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
            return Error::from_errno("removing " + file.string(), errno);
        }
    }
    return {};
}

struct Loose {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
};

Loose count_loose(const fs::path& objects) {
    Loose loose;
    std::error_code error;
    for (fs::directory_iterator at(objects, error), end; !error && at != end; at.increment(error)) {
        if (at->path().filename().string().size() != 2) {
            continue;
        }
        std::error_code gone; // Somebody packs it just now; so much for that one.
        for (fs::directory_iterator one(at->path(), gone), last; !gone && one != last;
             one.increment(gone)) {
            ++loose.objects;
            loose.bytes += allocated(one->path());
        }
    }
    return loose;
}

asio::awaitable<Status> run_git(const fs::path& repository, std::vector<std::string> arguments) {
    GitProgram::Call call;
    call.repository = repository;
    call.access = GitProgram::Access::Write;
    call.arguments = std::move(arguments);
    call.time = kPackTime;
    const auto executor = co_await asio::this_coro::executor;
    LOCARA_CO_TRY(auto program, GitProgram::start(executor, std::move(call)));
    program->close_input();
    Bytes block(4096);
    for (std::size_t count = 1; count > 0;) {
        LOCARA_CO_TRY(count, co_await program->read(block));
    }
    LOCARA_CO_TRY(const GitProgram::End end, co_await program->wait());
    if (end.code != 0) {
        co_return Error(ErrorCode::Io,
                        "git could not pack " + repository.string() + ": " + end.message);
    }
    co_return Status();
}

/// Runs git to its end, or until it shall stop.
Status
git(const fs::path& repository, std::vector<std::string> arguments, const std::stop_token& stop) {
    asio::io_context context;
    Status result = Error(ErrorCode::Cancelled, "packing was stopped");
    const std::stop_callback stopped(stop, [&context] { context.stop(); });
    asio::co_spawn(context,
                   run_git(repository, std::move(arguments)),
                   [&result](const std::exception_ptr& failure, Status ended) {
                       result =
                           failure ? Status(Error(ErrorCode::Internal, "packing failed")) : ended;
                   });
    context.run();
    return result;
}

} // namespace

Result<PackReport> consolidate_packs(const fs::path& repository, const PackOptions& options) {
    const fs::path objects = repository / "objects";
    const fs::path folder = objects / "pack";
    PackReport report;
    LOCARA_TRY(std::vector<Pack> packs, list_packs(folder));
    std::vector<Pack> needed;
    if (!packs.empty()) {
        const Pack& largest = packs.front();
        LOCARA_TRY(const ObjectDatabase all, open_pack(largest.index));
        needed.push_back(largest);
        for (auto pack = packs.begin() + 1; pack != packs.end(); ++pack) {
            LOCARA_TRY(const bool within, is_within(*pack, all));
            if (!within) {
                needed.push_back(*pack);
            } else if (largest.written < options.limit) {
                ++report.removed_packs;
                report.freed_bytes += pack->bytes;
                LOCARA_CHECK(options.only_look ? Status() : remove_pack(*pack));
            }
        }
    }
    const Loose before = count_loose(objects);
    if (options.only_look || (needed.size() <= options.packs && before.objects <= options.loose)) {
        return report;
    }
    LOCARA_CHECK(git(repository,
                     {"pack-objects",
                      "--all",
                      "--reflog",
                      "--keep-unreachable",
                      "--pack-loose-unreachable",
                      "--non-empty",
                      "--delta-base-offset",
                      "-q",
                      (folder / "pack").string()},
                     options.stop));
    LOCARA_CHECK(sync_folder(folder));
    LOCARA_CHECK(git(repository, {"prune-packed", "-q"}, options.stop));
    const Loose after = count_loose(objects);
    report.packed = true;
    report.freed_bytes += before.bytes - std::min(before.bytes, after.bytes);
    return report;
}

} // namespace locara::hub
