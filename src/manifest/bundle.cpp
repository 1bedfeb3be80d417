#include "words.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/path.hpp>
#include <locara/manifest/bundle.hpp>

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara::manifest {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kManifestName = "locara.json";
/// Below this much content the ratio says nothing: small texts compress a lot.
constexpr std::uint64_t kRatioFloorBytes = 1U << 20U;

struct ReadArchive {
    void operator()(archive* a) const { archive_read_free(a); }
};

struct WriteArchive {
    void operator()(archive* a) const { archive_write_free(a); }
};

struct FreeEntry {
    void operator()(archive_entry* e) const { archive_entry_free(e); }
};

using Reader = std::unique_ptr<archive, ReadArchive>;
using Writer = std::unique_ptr<archive, WriteArchive>;

Error bad_member(const std::string& path, const std::string& what) {
    return Error(ErrorCode::InvalidArgument, "bundle member " + quote(path) + ": " + what);
}

Error broken(archive* a, const char* doing) {
    const char* why = archive_error_string(a);
    return Error(ErrorCode::Corrupt,
                 std::string("the bundle is damaged (") + doing + ": " +
                     (why != nullptr ? why : "unknown") + "); fetch it again");
}

/// What becomes of the members; called in archive order.
struct Sink {
    std::function<Status(const BundleFile& declared)> begin;
    std::function<Status(ByteView)> write;
    std::function<Status(const BundleFile& done)> end;
};

/// Checks one header and returns what it declares.
Result<BundleFile> check_header(archive_entry* entry, const std::string& previous) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) {
        return Error(ErrorCode::InvalidArgument,
                     "a bundle member has no name that can be read as UTF-8");
    }
    BundleFile file;
    file.path = raw;
    LOCARA_CHECK(validate_path(file.path).context("bundle member"));
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr ||
        archive_entry_filetype(entry) != AE_IFREG) {
        return bad_member(file.path,
                          "is no regular file; links, folders and devices are not allowed");
    }
    const auto mode = archive_entry_perm(entry);
    if (mode != 0644 && mode != 0755) {
        return bad_member(file.path, "has a mode other than 644 and 755");
    }
    file.executable = mode == 0755;
    if (archive_entry_size_is_set(entry) == 0 || archive_entry_size(entry) < 0) {
        return bad_member(file.path, "has no size");
    }
    file.size = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (archive_entry_sparse_count(entry) > 0) {
        return bad_member(file.path, "is sparse, which is not allowed");
    }
    if (!previous.empty() && file.path <= previous) {
        return bad_member(file.path,
                          file.path == previous ? "stands twice in the archive"
                                                : "is out of order; members are sorted by path");
    }
    return file;
}

Result<BundleFile> read_content(archive* a, BundleFile file, const Sink& sink) {
    LOCARA_CHECK(sink.begin(file));
    crypto::Sha256 hash;
    std::uint64_t seen = 0;
    while (true) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(a, &block, &size, &offset);
        if (status == ARCHIVE_EOF) {
            break;
        }
        if (status != ARCHIVE_OK) {
            return broken(a, file.path.c_str());
        }
        if (static_cast<std::uint64_t>(offset) != seen || size > file.size - seen) {
            return bad_member(file.path, "is not as long as its header says");
        }
        const ByteView bytes(static_cast<const std::byte*>(block), size);
        hash.update(bytes);
        LOCARA_CHECK(sink.write(bytes));
        seen += size;
    }
    if (seen != file.size) {
        return bad_member(file.path, "is not as long as its header says");
    }
    file.sha256 = hash.finish();
    LOCARA_CHECK(sink.end(file));
    return file;
}

Result<BundleFileList> read_members(archive* a,
                                    std::uint64_t archive_bytes,
                                    const BundleLimits& limits,
                                    const Sink& sink) {
    BundleFileList list;
    std::uint64_t total = 0;
    std::vector<std::string> paths;
    while (true) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(a, &entry);
        if (status == ARCHIVE_EOF) {
            break;
        }
        // A warning too: libarchive warns of what it guessed, and we want nothing guessed.
        if (status != ARCHIVE_OK) {
            return broken(a, "reading a header");
        }
        if (list.files.size() == limits.members) {
            return Error(ErrorCode::TooLarge,
                         "the bundle has more than " + std::to_string(limits.members) + " members");
        }
        LOCARA_TRY(auto file, check_header(entry, paths.empty() ? "" : paths.back()));
        if (file.size > limits.unpacked_bytes - total) {
            return Error(ErrorCode::TooLarge,
                         "the bundle unpacks to more than " + render_size(limits.unpacked_bytes));
        }
        total += file.size;
        if (total > kRatioFloorBytes && total / limits.ratio > archive_bytes) {
            return Error(ErrorCode::TooLarge,
                         "the bundle unpacks to more than " + std::to_string(limits.ratio) +
                             " times its size; it is refused as an archive bomb");
        }
        if (file.path == kManifestName && file.size > kManifestLimitBytes) {
            return Error(ErrorCode::TooLarge, "locara.json is larger than 1 MiB");
        }
        LOCARA_TRY(auto done, read_content(a, std::move(file), sink));
        paths.push_back(done.path);
        list.files.push_back(std::move(done));
    }
    LOCARA_CHECK(validate_path_set(paths));
    return list;
}

/// Allows zstd and tar, nothing else: libarchive would otherwise try every format it knows.
Result<Reader> new_reader() {
    Reader reader(archive_read_new());
    if (!reader || archive_read_support_filter_zstd(reader.get()) != ARCHIVE_OK ||
        archive_read_support_format_tar(reader.get()) != ARCHIVE_OK) {
        return Error(ErrorCode::Internal, "libarchive lacks tar or zstd");
    }
    return reader;
}

Status check_filters(archive* a) {
    // zstd, then the implicit "none": anything else is another compression or zstd within zstd.
    if (archive_filter_count(a) != 2 || archive_filter_code(a, 0) != ARCHIVE_FILTER_ZSTD) {
        return Error(ErrorCode::InvalidArgument,
                     "the bundle is not compressed with zstd; pack it again with locara");
    }
    return {};
}

/// The files that the manifest names, relative to the app's folder.
struct Wanted {
    std::vector<std::string> files;
    std::vector<std::string> folders;
};

Wanted list_wanted(const AppManifest& manifest) {
    Wanted wanted;
    wanted.files.emplace_back(kManifestName);
    if (!manifest.icon.empty()) {
        wanted.files.push_back(manifest.icon);
    }
    for (const auto& screenshot : manifest.screenshots) {
        wanted.files.push_back(screenshot.path);
    }
    if (manifest.entry.kind == Entry::Kind::Web) {
        wanted.folders.push_back(manifest.entry.root);
        wanted.files.push_back(manifest.entry.root + "/" + manifest.entry.index);
    }
    if (manifest.entry.kind == Entry::Kind::Process) {
        wanted.files.push_back(manifest.entry.command[0]);
    }
    return wanted;
}

Status check_named_files(const AppManifest& manifest, const BundleFileList& list) {
    for (const auto& path : list_wanted(manifest).files) {
        if (std::none_of(list.files.begin(), list.files.end(), [&](const auto& file) {
                return file.path == path;
            })) {
            return Error(ErrorCode::InvalidArgument,
                         "locara.json names " + quote(path) + ", but the bundle has no such file");
        }
    }
    return {};
}

/// One file of the folder, open as `below`, not read yet.
Result<BundleFile> take_file(const fs::path& folder, const Fd& below, const std::string& path) {
    LOCARA_CHECK(validate_path(path));
    const auto fd = open_beneath(below, path);
    if (!fd && fd.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::NotFound,
                     quote(path) + " is named by locara.json but is not in " + folder.string() +
                         "; build the app first, or correct the name");
    }
    if (!fd && fd.error().code() == ErrorCode::InvalidArgument) {
        return Error(ErrorCode::InvalidArgument,
                     fd.error().message() + "; a bundle holds plain files only");
    }
    if (!fd) {
        return fd.error();
    }

    struct stat info {};

    if (::fstat(fd->get(), &info) != 0) {
        return Error::from_errno(path, errno);
    }
    BundleFile file;
    file.path = path;
    file.executable = (info.st_mode & S_IXUSR) != 0;
    file.size = static_cast<std::uint64_t>(info.st_size);
    return file;
}

/// Adds the paths of all files below `root` to `paths`.
Status walk(const fs::path& folder,
            const std::string& root,
            const BundleLimits& limits,
            std::set<std::string>& paths) {
    std::error_code failed;
    fs::recursive_directory_iterator it(folder / root, failed);
    if (failed) {
        return Error(ErrorCode::NotFound,
                     "entry.root: there is no folder " + quote(root) + " in " + folder.string() +
                         "; build the app first");
    }
    for (; it != fs::recursive_directory_iterator(); it.increment(failed)) {
        if (!fs::is_directory(it->symlink_status())) {
            paths.insert(it->path().lexically_relative(folder).generic_string());
        }
        if (paths.size() > limits.members) {
            return Error(ErrorCode::TooLarge,
                         "the app has more than " + std::to_string(limits.members) + " files");
        }
    }
    if (failed) {
        return Error(ErrorCode::Io,
                     "reading " + (folder / root).string() + ": " + failed.message());
    }
    return {};
}

Result<std::vector<BundleFile>> collect(const fs::path& folder,
                                        const Fd& below,
                                        const AppManifest& manifest,
                                        const BundleLimits& limits) {
    const Wanted wanted = list_wanted(manifest);
    std::set<std::string> paths(wanted.files.begin(), wanted.files.end());
    for (const auto* extra : {"LICENSE", "NOTICE", "README.md"}) {
        if (fs::exists(fs::symlink_status(folder / extra))) {
            paths.insert(extra);
        }
    }
    for (const auto& root : wanted.folders) {
        LOCARA_CHECK(walk(folder, root, limits, paths));
    }
    std::vector<BundleFile> files;
    std::uint64_t total = 0;
    for (const auto& path : paths) { // a set of strings is sorted by bytes
        LOCARA_TRY(auto file, take_file(folder, below, path));
        total += file.size;
        if (total > limits.unpacked_bytes) {
            return Error(ErrorCode::TooLarge,
                         "the app is larger than " + render_size(limits.unpacked_bytes));
        }
        files.push_back(std::move(file));
    }
    LOCARA_CHECK(validate_path_set(std::vector<std::string>(paths.begin(), paths.end())));
    return files;
}

struct Output {
    Fd fd;
    crypto::Sha256 hash;
    std::uint64_t bytes = 0;
    std::optional<Error> error;
};

la_ssize_t write_output(archive* a, void* user, const void* data, std::size_t size) {
    auto& output = *static_cast<Output*>(user);
    const ByteView bytes(static_cast<const std::byte*>(data), size);
    if (auto ok = write_all(output.fd, bytes); !ok) {
        output.error = ok.error();
        archive_set_error(a, ok.error().system_errno(), "write failed");
        return -1;
    }
    output.hash.update(bytes);
    output.bytes += size;
    return static_cast<la_ssize_t>(size);
}

/// One member: header, then the content. A file that got shorter meanwhile is an error.
Status write_member(archive* a, const Fd& folder, BundleFile& file) {
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new2(a));
    archive_entry_set_pathname(entry.get(), file.path.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), file.executable ? 0755 : 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.size));
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (archive_write_header(a, entry.get()) != ARCHIVE_OK) {
        const char* why = archive_error_string(a);
        return Error(ErrorCode::Io,
                     "packing " + quote(file.path) + ": " +
                         (why != nullptr ? why : "libarchive failed"));
    }
    LOCARA_TRY(const auto fd, open_beneath(folder, file.path));
    crypto::Sha256 hash;
    Bytes buffer(256U << 10U);
    for (std::uint64_t at = 0; at < file.size;) {
        const auto size =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file.size - at));
        const std::span<std::byte> block(buffer.data(), size);
        LOCARA_CHECK(read_exactly_at(fd, at, block).context("packing " + file.path));
        if (archive_write_data(a, block.data(), size) != static_cast<la_ssize_t>(size)) {
            return Error(ErrorCode::Io,
                         "packing " + quote(file.path) + ": the archive cannot be written");
        }
        hash.update(block);
        at += size;
    }
    file.sha256 = hash.finish();
    return {};
}

Status write_archive(Output& output, const Fd& folder, std::vector<BundleFile>& files) {
    const Writer writer(archive_write_new());
    archive* a = writer.get();
    if (a == nullptr || archive_write_add_filter_zstd(a) != ARCHIVE_OK ||
        archive_write_set_filter_option(a, "zstd", "compression-level", "19") != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        // Names are UTF-8 already, whatever the locale of this program.
        archive_write_set_options(a, "hdrcharset=BINARY") < ARCHIVE_WARN ||
        archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
        archive_write_open(a, &output, nullptr, write_output, nullptr) != ARCHIVE_OK) {
        return Error(ErrorCode::Internal, "libarchive cannot write tar and zstd");
    }
    for (auto& file : files) {
        auto done = write_member(a, folder, file);
        if (output.error) {
            return *output.error;
        }
        LOCARA_CHECK(std::move(done));
    }
    if (archive_write_close(a) != ARCHIVE_OK) {
        return output.error ? *output.error
                            : Error(ErrorCode::Io, "the archive cannot be finished");
    }
    return {};
}

/// One line of a rendered list, without its newline.
Result<BundleFile> parse_line(std::string_view rest) {
    const auto bad = [](const char* what) { return Error(ErrorCode::InvalidArgument, what); };
    BundleFile file;
    if (!rest.starts_with("644 ") && !rest.starts_with("755 ")) {
        return bad("the mode must be 644 or 755");
    }
    file.executable = rest.starts_with("755 ");
    rest.remove_prefix(4);
    const auto space = rest.find(' ');
    const auto digits = rest.substr(0, space);
    const auto* end = digits.data() + digits.size();
    const auto [stop, code] = std::from_chars(digits.data(), end, file.size);
    if (space == std::string_view::npos || code != std::errc() || stop != end ||
        (digits.size() > 1 && digits[0] == '0')) {
        return bad("the size is no decimal number");
    }
    rest.remove_prefix(space + 1);
    if (rest.size() < 66 || rest[64] != ' ') {
        return bad("SHA-256 and path are missing");
    }
    auto digest = crypto::Sha256Digest::parse(rest.substr(0, 64));
    if (!digest) {
        return bad("the SHA-256 is not 64 lower-case hex digits");
    }
    file.sha256 = *digest;
    file.path = rest.substr(65);
    LOCARA_CHECK(validate_path(file.path));
    return file;
}

/// Takes the bytes of locara.json out of a stream of members.
class ManifestCatcher {
  public:
    void begin(const BundleFile& file) { is_manifest_ = file.path == kManifestName; }

    void write(ByteView bytes) {
        if (is_manifest_) {
            json_ += as_text(bytes);
        }
    }

    std::string take() { return std::move(json_); }

  private:
    bool is_manifest_ = false;
    std::string json_;
};

} // namespace

std::string BundleFileList::render() const {
    std::string out;
    for (const auto& file : files) {
        out += file.executable ? "755 " : "644 ";
        out += std::to_string(file.size) + " " + file.sha256.render() + " " + file.path + "\n";
    }
    return out;
}

Result<BundleFileList> BundleFileList::parse(std::string_view text) {
    BundleFileList list;
    std::vector<std::string> paths;
    const BundleLimits limits;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::string where = "file list, line " + std::to_string(line);
        if (line > limits.members) {
            return Error(ErrorCode::TooLarge,
                         "the file list has more than " + std::to_string(limits.members) +
                             " lines");
        }
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return Error(ErrorCode::InvalidArgument, where + ": has no line end");
        }
        LOCARA_TRY(auto file, parse_line(text.substr(0, end)).context(where));
        text.remove_prefix(end + 1);
        if (!paths.empty() && file.path <= paths.back()) {
            return Error(ErrorCode::InvalidArgument,
                         where + ": is out of order; lines are sorted by path, each path once");
        }
        paths.push_back(file.path);
        list.files.push_back(std::move(file));
    }
    LOCARA_CHECK(validate_path_set(paths));
    return list;
}

crypto::Sha256Digest BundleFileList::id() const {
    return crypto::sha256(as_bytes(render()));
}

Result<PackedBundle>
pack_bundle(const fs::path& folder, const fs::path& archive, const BundleLimits& limits) {
    PackedBundle packed;
    LOCARA_TRY(packed.manifest_json, read_file(folder / kManifestName, kManifestLimitBytes));
    LOCARA_TRY(const auto manifest,
               AppManifest::parse(packed.manifest_json).context((folder / kManifestName).string()));
    LOCARA_TRY(const Fd below, open_folder(folder));
    LOCARA_TRY(packed.list.files, collect(folder, below, manifest, limits));

    const auto parent = archive.parent_path().empty() ? fs::path(".") : archive.parent_path();
    LOCARA_TRY(const auto temporary, TempFolder::create(parent, ".pack-"));
    const auto path = temporary.path() / "bundle";
    Output output;
    LOCARA_TRY(output.fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
    LOCARA_CHECK(write_archive(output, below, packed.list.files));
    if (output.bytes > limits.archive_bytes) {
        return Error(ErrorCode::TooLarge,
                     "the bundle is larger than " + render_size(limits.archive_bytes));
    }
    // Between reading locara.json and packing it, nobody may have changed it.
    for (const auto& file : packed.list.files) {
        if (file.path == kManifestName &&
            file.sha256 != crypto::sha256(as_bytes(packed.manifest_json))) {
            return Error(ErrorCode::Conflict,
                         "locara.json changed while it was packed; pack again");
        }
    }
    LOCARA_CHECK(sync_file(output.fd));
    LOCARA_CHECK(rename_file(path, archive, Replace::Yes));
    LOCARA_CHECK(sync_folder(parent));
    packed.id = packed.list.id();
    packed.archive_bytes = output.bytes;
    packed.archive_sha256 = output.hash.finish();
    return packed;
}

Result<UnpackedBundle> unpack_bundle(const fs::path& path,
                                     const crypto::Sha256Digest& expected,
                                     const fs::path& folder,
                                     const BundleLimits& limits) {
    LOCARA_TRY(const auto fd, open_file(path, O_RDONLY | O_NOFOLLOW));
    LOCARA_TRY(const auto size, regular_file_size(fd, path));
    if (size > limits.archive_bytes) {
        return Error(ErrorCode::TooLarge,
                     "the bundle is larger than " + render_size(limits.archive_bytes));
    }
    LOCARA_TRY(const auto reader, new_reader());
    if (archive_read_open_fd(reader.get(), fd.get(), 256U << 10U) != ARCHIVE_OK) {
        return broken(reader.get(), "opening");
    }

    LOCARA_CHECK(create_folders(folder));
    LOCARA_TRY(const Fd below, open_folder(folder));
    Fd out;
    ManifestCatcher catcher;
    const Sink sink{[&](const BundleFile& file) -> Status {
                        catcher.begin(file);
                        LOCARA_CHECK(create_folders((folder / file.path).parent_path()));
                        LOCARA_TRY(out, create_beneath(below, file.path));
                        return {};
                    },
                    [&](ByteView bytes) -> Status {
                        catcher.write(bytes);
                        return write_all(out, bytes);
                    },
                    [&](const BundleFile& file) -> Status {
                        if (::fchmod(out.get(), file.executable ? 0755 : 0644) != 0) {
                            return Error::from_errno("setting the mode of " + file.path, errno);
                        }
                        LOCARA_CHECK(sync_file(out));
                        out.reset();
                        return {};
                    }};
    UnpackedBundle unpacked;
    LOCARA_TRY(unpacked.list, read_members(reader.get(), size, limits, sink));
    LOCARA_CHECK(check_filters(reader.get()));
    if (const auto id = unpacked.list.id(); id != expected) {
        return Error(ErrorCode::Corrupt,
                     "the bundle is not the one that was signed: its file list has SHA-256 " +
                         id.render() + ", expected " + expected.render());
    }
    unpacked.manifest_json = catcher.take();
    LOCARA_TRY(unpacked.manifest,
               AppManifest::parse(unpacked.manifest_json).context("locara.json"));
    LOCARA_CHECK(check_named_files(unpacked.manifest, unpacked.list));
    return unpacked;
}

Result<BundleFileList> read_bundle_list(ByteView bytes, const BundleLimits& limits) {
    if (bytes.size() > limits.archive_bytes) {
        return Error(ErrorCode::TooLarge,
                     "the bundle is larger than " + render_size(limits.archive_bytes));
    }
    LOCARA_TRY(const auto reader, new_reader());
    if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
        return broken(reader.get(), "opening");
    }
    ManifestCatcher catcher;
    const Sink sink{[&](const BundleFile& file) -> Status {
                        catcher.begin(file);
                        return {};
                    },
                    [&](ByteView block) -> Status {
                        catcher.write(block);
                        return {};
                    },
                    [](const BundleFile&) -> Status { return {}; }};
    LOCARA_TRY(auto list, read_members(reader.get(), bytes.size(), limits, sink));
    LOCARA_CHECK(check_filters(reader.get()));
    LOCARA_TRY(const auto manifest, AppManifest::parse(catcher.take()).context("locara.json"));
    LOCARA_CHECK(check_named_files(manifest, list));
    return list;
}

Status verify_unpacked(const fs::path& folder, const BundleFileList& list) {
    const auto below = open_folder(folder);
    if (!below) {
        return Error(ErrorCode::Corrupt,
                     folder.string() + " is missing or cannot be opened; install the app again");
    }
    std::set<std::string> known;
    for (const auto& file : list.files) {
        known.insert(file.path);
        const auto wrong = [&](const std::string& what) {
            return Error(ErrorCode::Corrupt,
                         (folder / file.path).string() + " " + what + "; install the app again");
        };
        auto fd = open_beneath(*below, file.path);
        if (!fd) {
            const ErrorCode code = fd.error().code();
            return wrong(code == ErrorCode::NotFound          ? "is missing"
                         : code == ErrorCode::InvalidArgument ? "is no regular file any more"
                                                              : "cannot be opened");
        }

        struct stat info {};

        if (::fstat(fd->get(), &info) != 0) {
            return wrong("cannot be looked at");
        }
        if (((info.st_mode & S_IXUSR) != 0) != file.executable) {
            return wrong("has another mode than the one that was signed");
        }
        LOCARA_TRY(const auto found, crypto::sha256_file(*fd));
        if (found != file.sha256) {
            return wrong("has changed: expected SHA-256 " + file.sha256.render() + ", found " +
                         found.render());
        }
    }
    std::error_code failed;
    fs::recursive_directory_iterator it(folder, failed);
    for (; !failed && it != fs::recursive_directory_iterator(); it.increment(failed)) {
        const auto path = it->path().lexically_relative(folder).generic_string();
        if (!fs::is_directory(it->symlink_status()) && !known.contains(path)) {
            return Error(ErrorCode::Corrupt,
                         it->path().string() +
                             " is not part of the app; remove it, or install the app again");
        }
    }
    if (failed) {
        return Error(ErrorCode::Io, "reading " + folder.string() + ": " + failed.message());
    }
    return {};
}

} // namespace locara::manifest
