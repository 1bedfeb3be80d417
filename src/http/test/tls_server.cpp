#include "tls_server.hpp"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace locara::test {

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort(); // a test cannot go on without its server
    }
}

void add_extension(X509* certificate, int kind, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

X509* make_certificate(EVP_PKEY* key) {
    constexpr long kDay = 24L * 60 * 60;
    X509* certificate = X509_new();
    require(certificate != nullptr);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate), kDay);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    require(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

} // namespace

struct TlsServer::State {
    std::string answer;
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port = 0;
    std::atomic<std::uint64_t> requests{0};
    std::thread thread;

    void serve() {
        while (true) {
            const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) {
                return;
            }
            SSL* ssl = SSL_new(context);
            SSL_set_fd(ssl, fd);
            if (SSL_accept(ssl) == 1) {
                std::string request;
                std::array<char, 4096> chunk{};
                int got = 0;
                while (request.find("\r\n\r\n") == std::string::npos &&
                       (got = SSL_read(ssl, chunk.data(), static_cast<int>(chunk.size()))) > 0) {
                    request.append(chunk.data(), static_cast<std::size_t>(got));
                }
                if (got > 0) {
                    ++requests;
                    SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
                    SSL_shutdown(ssl);
                }
            }
            SSL_free(ssl);
            ::close(fd);
        }
    }
};

TlsServer::TlsServer(std::string answer, const std::filesystem::path& certificate)
    : state_(std::make_unique<State>()) {
    state_->answer = std::move(answer);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    require(key != nullptr && state_->context != nullptr);
    X509* own = make_certificate(key);
    require(SSL_CTX_use_certificate(state_->context, own) == 1 &&
            SSL_CTX_use_PrivateKey(state_->context, key) == 1);
    std::FILE* out = std::fopen(certificate.c_str(), "we");
    require(out != nullptr && PEM_write_X509(out, own) == 1 && std::fclose(out) == 0);
    X509_free(own);
    EVP_PKEY_free(key);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    require(::bind(state_->listener, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
            ::listen(state_->listener, 16) == 0 &&
            ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    state_->port = ntohs(address.sin_port);
    state_->thread = std::thread([state = state_.get()] { state->serve(); });
}

TlsServer::~TlsServer() {
    ::shutdown(state_->listener, SHUT_RDWR);
    state_->thread.join();
    ::close(state_->listener);
    SSL_CTX_free(state_->context);
}

std::string TlsServer::url() const {
    return "https://127.0.0.1:" + std::to_string(state_->port);
}

std::uint64_t TlsServer::requests() const {
    return state_->requests;
}

} // namespace locara::test
