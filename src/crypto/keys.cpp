#include <locara/base/file.hpp>
#include <locara/base/secret.hpp>
#include <locara/crypto/canonical_json.hpp>
#include <locara/crypto/keys.hpp>
#include <locara/crypto/sha256.hpp>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::crypto {

namespace {

constexpr std::size_t kSeedBytes = 32;             // RFC 8032, section 5.1.5
constexpr std::size_t kPublicBytes = 32;           // the same
constexpr std::size_t kSignatureBytes = 64;        // RFC 8032, section 5.1.6
constexpr std::size_t kKeyTextLimitBytes = 16'384; // a 16384-bit RSA key in PEM is below 4 KiB
constexpr std::size_t kLeastPassphraseBytes = 8;
constexpr std::size_t kMostPassphraseBytes = 1024; // PEM_BUFSIZE of OpenSSL
constexpr std::string_view kEncryptedPem = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
constexpr std::size_t kSaltBytes = 16;
constexpr std::uint64_t kScryptN = 16'384; // with kScryptR: 16 MiB, half of what OpenSSL allows
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 5;
constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 16'384; // what OpenSSL verifies at all; bounds the work per signature

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
};

using KeyPointer = std::unique_ptr<EVP_PKEY, FreeKey>;
using ContextPointer = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using BioPointer = std::unique_ptr<BIO, FreeBio>;

const unsigned char* to_openssl(const std::byte* bytes) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL wants unsigned char
    return reinterpret_cast<const unsigned char*>(bytes);
}

unsigned char* to_openssl(std::byte* bytes) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL wants unsigned char
    return reinterpret_cast<unsigned char*>(bytes);
}

BioPointer bio_of(std::string_view text) {
    return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// For PEM readers: never ask a terminal for a pass phrase.
int no_pass_phrase(char*, int, int, void*) {
    return 0;
}

/// The same with a pass phrase to hand: `secret` is a Secret.
int give_pass_phrase(char* buffer, int size, int /*writing*/, void* secret) {
    const std::string& text = static_cast<const Secret*>(secret)->reveal();
    if (size < 0 || text.size() > static_cast<std::size_t>(size)) {
        return 0;
    }
    text.copy(buffer, text.size());
    return static_cast<int>(text.size());
}

Result<BioPointer> encrypted_pem(EVP_PKEY* key, const Secret& passphrase) {
    const std::size_t length = passphrase.reveal().size();
    if (length < kLeastPassphraseBytes || length > kMostPassphraseBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "a passphrase has " + std::to_string(kLeastPassphraseBytes) + " to " +
                         std::to_string(kMostPassphraseBytes) + " bytes, not " +
                         std::to_string(length));
    }

    struct FreeInfo {
        void operator()(PKCS8_PRIV_KEY_INFO* info) const { PKCS8_PRIV_KEY_INFO_free(info); }

        void operator()(X509_SIG* encrypted) const { X509_SIG_free(encrypted); }
    };

    const std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeInfo> info(EVP_PKEY2PKCS8(key));
    LOCARA_ASSERT(info != nullptr);
    std::array<std::byte, kSaltBytes> salt{};
    LOCARA_ASSERT(RAND_bytes(to_openssl(salt.data()), static_cast<int>(salt.size())) == 1);
    X509_ALGOR* const algorithm = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(),
                                                        to_openssl(salt.data()),
                                                        static_cast<int>(salt.size()),
                                                        nullptr,
                                                        kScryptN,
                                                        kScryptR,
                                                        kScryptP);
    LOCARA_ASSERT(algorithm != nullptr);
    // Takes the algorithm over when it succeeds.
    const std::unique_ptr<X509_SIG, FreeInfo> encrypted(PKCS8_set0_pbe(
        passphrase.reveal().data(), static_cast<int>(length), info.get(), algorithm));
    if (encrypted == nullptr) {
        X509_ALGOR_free(algorithm);
        ERR_clear_error();
        return Error(ErrorCode::NoSpace, "OpenSSL could not encrypt the private key");
    }
    BioPointer bio(BIO_new(BIO_s_secmem()));
    LOCARA_ASSERT(PEM_write_bio_PKCS8(bio.get(), encrypted.get()) == 1);
    return bio;
}

std::string der_of(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key, &der);
    LOCARA_ASSERT(length > 0);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return text;
}

std::string public_hex(EVP_PKEY* key) {
    std::array<std::byte, kPublicBytes> bytes{};
    std::size_t length = bytes.size();
    LOCARA_ASSERT(EVP_PKEY_get_raw_public_key(key, to_openssl(bytes.data()), &length) == 1);
    return render_hex(bytes);
}

Error not_a_key(std::string_view scheme, std::string_view why) {
    ERR_clear_error();
    return Error(ErrorCode::InvalidArgument,
                 "the public key is no " + std::string(scheme) + " key: " + std::string(why));
}

Result<KeyPointer> parse_ed25519(std::string_view value) {
    const auto bytes = parse_hex(value);
    if (!bytes || bytes->size() != kPublicBytes) {
        return not_a_key("ed25519", "64 digits 0-9 a-f are wanted");
    }
    KeyPointer key(EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, nullptr, to_openssl(bytes->data()), bytes->size()));
    if (key == nullptr) {
        return not_a_key("ed25519", "OpenSSL does not take it");
    }
    return key;
}

Result<KeyPointer> parse_pem(std::string_view scheme, std::string_view value) {
    if (value.size() > kKeyTextLimitBytes) {
        return not_a_key(scheme, "longer than " + std::to_string(kKeyTextLimitBytes) + " bytes");
    }
    const BioPointer bio = bio_of(value);
    KeyPointer key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (key == nullptr) {
        return not_a_key(scheme, "a PEM SubjectPublicKeyInfo is wanted");
    }
    return key;
}

Result<KeyPointer> parse_ecdsa(std::string_view value) {
    LOCARA_TRY(KeyPointer key, parse_pem("ecdsa-sha2-nistp256", value));
    std::array<char, 64> group{};
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC ||
        EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr) != 1 ||
        std::string_view(group.data()) != "prime256v1") {
        return not_a_key("ecdsa-sha2-nistp256", "another algorithm or curve");
    }
    return key;
}

Result<KeyPointer> parse_rsa(std::string_view value) {
    LOCARA_TRY(KeyPointer key, parse_pem("rsassa-pss-sha256", value));
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
        return not_a_key("rsassa-pss-sha256", "another algorithm");
    }
    const int bits = EVP_PKEY_get_bits(key.get());
    if (bits < kLeastRsaBits || bits > kMostRsaBits) {
        return not_a_key("rsassa-pss-sha256",
                         std::to_string(bits) + " bits; " + std::to_string(kLeastRsaBits) + " to " +
                             std::to_string(kMostRsaBits) + " are taken");
    }
    return key;
}

} // namespace

struct PublicKey::Handle {
    KeyPointer key;
};

Result<PublicKey>
PublicKey::parse(std::string_view key_type, std::string_view scheme, std::string_view value) {
    KeyPointer handle;
    if (key_type == "ed25519" && scheme == "ed25519") {
        LOCARA_TRY(handle, parse_ed25519(value));
    } else if ((key_type == "ecdsa" || key_type == "ecdsa-sha2-nistp256") &&
               scheme == "ecdsa-sha2-nistp256") {
        LOCARA_TRY(handle, parse_ecdsa(value));
    } else if (key_type == "rsa" && scheme == "rsassa-pss-sha256") {
        LOCARA_TRY(handle, parse_rsa(value));
    } else {
        return Error(ErrorCode::Unsupported,
                     "a key of type '" + std::string(key_type.substr(0, 40)) + "' and scheme '" +
                         std::string(scheme.substr(0, 40)) +
                         "': ed25519, ecdsa-sha2-nistp256 and rsassa-pss-sha256 are verified");
    }
    PublicKey key;
    key.key_type_ = key_type;
    key.scheme_ = scheme;
    key.value_ = value;
    key.identity_ = der_of(handle.get());
    key.handle_ = std::make_shared<const Handle>(Handle{std::move(handle)});
    return key;
}

std::string PublicKey::id() const {
    const Json object = {
        {"keytype", key_type_}, {"scheme", scheme_}, {"keyval", {{"public", value_}}}};
    return sha256(as_bytes(render_canonical_json(object).value())).render();
}

bool PublicKey::verify(ByteView message, ByteView signature) const {
    const ContextPointer context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* options = nullptr; // owned by the context
    const bool is_ed25519 = key_type_ == "ed25519";
    bool good = EVP_DigestVerifyInit(context.get(),
                                     &options,
                                     is_ed25519 ? nullptr : EVP_sha256(),
                                     nullptr,
                                     handle_->key.get()) == 1;
    if (good && key_type_ == "rsa") {
        good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(options, EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) == 1;
    }
    good = good && EVP_DigestVerify(context.get(),
                                    to_openssl(signature.data()),
                                    signature.size(),
                                    to_openssl(message.data()),
                                    message.size()) == 1;
    if (!good) {
        ERR_clear_error(); // a bad signature is an answer here, not a failure of OpenSSL
    }
    return good;
}

struct SigningKey::Handle {
    KeyPointer key;
};

SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() {
    KeyPointer key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    LOCARA_ASSERT(key != nullptr);
    SigningKey result;
    result.public_key_ = PublicKey::parse("ed25519", "ed25519", public_hex(key.get())).value();
    result.handle_ = std::make_unique<Handle>(Handle{std::move(key)});
    return result;
}

Result<SigningKey> SigningKey::from_seed(ByteView seed) {
    if (seed.size() != kSeedBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "an Ed25519 seed has " + std::to_string(kSeedBytes) + " bytes, not " +
                         std::to_string(seed.size()));
    }
    KeyPointer key(EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr, to_openssl(seed.data()), seed.size()));
    LOCARA_ASSERT(key != nullptr); // every 32 bytes are a seed
    SigningKey result;
    LOCARA_TRY(result.public_key_, PublicKey::parse("ed25519", "ed25519", public_hex(key.get())));
    result.handle_ = std::make_unique<Handle>(Handle{std::move(key)});
    return result;
}

Result<SigningKey> SigningKey::load(const std::filesystem::path& path, const Secret* passphrase) {
    // O_NONBLOCK: opening a FIFO that somebody put there must not hang.
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_NONBLOCK));
    LOCARA_TRY(const auto size, regular_file_size(fd, path));

    struct stat info {};

    if (::fstat(fd.get(), &info) != 0) {
        return Error::from_errno("cannot stat " + path.string(), errno);
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return Error(ErrorCode::Refused,
                     "the private key " + path.string() +
                         " may be read by others; run `chmod 600` on it, and rotate the key if "
                         "others had access");
    }
    if (size > kKeyTextLimitBytes) {
        return Error(ErrorCode::InvalidArgument, path.string() + " is too long for a private key");
    }
    std::string text(size, '\0');
    LOCARA_CHECK(read_exactly_at(fd, 0, std::as_writable_bytes(std::span(text))));
    const Secret secret(std::move(text));

    std::string_view hex = secret.reveal();
    while (hex.ends_with('\n') || hex.ends_with('\r')) {
        hex.remove_suffix(1);
    }
    if (hex.size() == 2 * kSeedBytes) {
        if (auto seed = parse_hex(hex)) {
            auto key = from_seed(*seed);
            OPENSSL_cleanse(seed->data(), seed->size());
            return key;
        }
    }
    const bool encrypted = secret.reveal().find(kEncryptedPem) != std::string::npos;
    if (encrypted && passphrase == nullptr) {
        return Error(ErrorCode::Unauthorized,
                     "the private key " + path.string() +
                         " is encrypted; its passphrase is wanted");
    }
    const BioPointer bio = bio_of(secret.reveal());
    KeyPointer key(PEM_read_bio_PrivateKey(bio.get(),
                                           nullptr,
                                           encrypted ? give_pass_phrase : no_pass_phrase,
                                           // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
                                           const_cast<Secret*>(passphrase))); // only read
    if (key == nullptr && encrypted) {
        ERR_clear_error();
        return Error(ErrorCode::Unauthorized,
                     "the private key " + path.string() +
                         " does not open: the passphrase is wrong, or the file is damaged");
    }
    if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
        ERR_clear_error();
        return Error(
            ErrorCode::InvalidArgument,
            path.string() +
                " holds no Ed25519 private key: PEM (PKCS #8) or 64 hex digits are wanted");
    }
    SigningKey result;
    LOCARA_TRY(result.public_key_, PublicKey::parse("ed25519", "ed25519", public_hex(key.get())));
    result.handle_ = std::make_unique<Handle>(Handle{std::move(key)});
    return result;
}

Status SigningKey::save(const std::filesystem::path& path, const Secret* passphrase) const {
    BioPointer bio;
    if (passphrase != nullptr) {
        LOCARA_TRY(bio, encrypted_pem(handle_->key.get(), *passphrase));
    } else {
        bio.reset(BIO_new(BIO_s_secmem()));
        LOCARA_ASSERT(PEM_write_bio_PKCS8PrivateKey(
                          bio.get(), handle_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
                      1);
    }
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio.get(), &data);
    LOCARA_ASSERT(length > 0);
    const Secret pem(std::string(data, static_cast<std::size_t>(length)));

    // Written whole beside its place first, so that a crash never leaves half a key under its name.
    const std::filesystem::path fresh = path.string() + ".new";
    LOCARA_CHECK(write_file_atomically(fresh, as_bytes(pem.reveal()), 0600));
    auto renamed = rename_file(fresh, path, Replace::No);
    if (!renamed) {
        ::unlink(fresh.c_str());
        return renamed;
    }
    return sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

Bytes SigningKey::sign(ByteView message) const {
    const ContextPointer context(EVP_MD_CTX_new());
    Bytes signature(kSignatureBytes);
    std::size_t length = signature.size();
    LOCARA_ASSERT(
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_->key.get()) == 1);
    LOCARA_ASSERT(EVP_DigestSign(context.get(),
                                 to_openssl(signature.data()),
                                 &length,
                                 to_openssl(message.data()),
                                 message.size()) == 1);
    LOCARA_ASSERT(length == kSignatureBytes);
    return signature;
}

} // namespace locara::crypto
