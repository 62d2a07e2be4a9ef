/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Functions with the names of OpenSSL's, and code that is not what the scan knows; of GnuTLS only one of the two
 * needed.
 */
int SSL_read(void *ssl, void *buffer, int size);
int SSL_write(void *ssl, const void *buffer, int size);
int SSL_do_handshake(void *ssl);
long gnutls_record_recv(void *session, void *buffer, unsigned long size);
int BIO_write(void *bio, const void *data, int size);
void *d2i_X509(void **to, const unsigned char **in, long size);

int SSL_read(void *ssl, void *buffer, int size) { return ssl == buffer ? size : -1; }
int SSL_write(void *ssl, const void *buffer, int size) { return ssl == buffer ? size : -1; }
int SSL_do_handshake(void *ssl) { return ssl != 0; }
long gnutls_record_recv(void *session, void *buffer, unsigned long size) { return session == buffer ? (long)size : -1; }
int BIO_write(void *bio, const void *data, int size) { return bio == data ? size : -1; }
void *d2i_X509(void **to, const unsigned char **in, long size) { return size > 0 ? *to : (void *)*in; }
