// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/decode/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>
#include <memory>

namespace probed::mod::tls {
namespace {

struct Freer {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* text) const { BIO_free(text); }
};

/// RFC 4514 with a blank behind each comma, and letters as they are.
constexpr unsigned long kNameStyle = (XN_FLAG_RFC2253 & ~static_cast<unsigned long>(XN_FLAG_SEP_MASK) &
                                      ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB)) |
                                     XN_FLAG_SEP_CPLUS_SPC;

template <std::size_t kSize>
void TakeName(const X509_NAME* name, Text<kSize>* out) {
  const std::unique_ptr<BIO, Freer> text(BIO_new(BIO_s_mem()));
  if (text == nullptr || X509_NAME_print_ex(text.get(), name, 0, kNameStyle) < 0) return;
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  if (size > 0) out->Set({data, static_cast<std::size_t>(size)});
}

bool TakeTime(const ASN1_TIME* time, std::int64_t* out) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return false;
  *out = timegm(&parts);
  return true;
}

}  // namespace

bool ParseCertificate(std::string_view der, Certificate* out) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509, Freer> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  bool valid = certificate != nullptr;
  if (valid) {
    TakeName(X509_get_subject_name(certificate.get()), &out->subject);
    TakeName(X509_get_issuer_name(certificate.get()), &out->issuer);
    valid = TakeTime(X509_get0_notBefore(certificate.get()), &out->not_before) &&
            TakeTime(X509_get0_notAfter(certificate.get()), &out->not_after);
  }
  ERR_clear_error();  // the thread's queue is the daemon's too
  return valid;
}

std::string_view TimeText(std::int64_t seconds, sdk::Scratch& scratch) {
  std::array<char, 64> text{};
  std::tm parts{};
  const auto time = static_cast<std::time_t>(seconds);
  scratch.Start();
  if (gmtime_r(&time, &parts) == nullptr) return {};
  scratch.Append({text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts)});
  return scratch.Finish();
}

}  // namespace probed::mod::tls
