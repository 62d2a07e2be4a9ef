// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A loopback TCP server whose connections are handled by a function, one thread each. For receivers that misbehave.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace probed::exporter {

class TestTcpServer {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Handler = std::function<void(Socket&)>;

  explicit TestTcpServer(Handler handler)
      : handler_(std::move(handler)), acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {
    port_ = acceptor_.local_endpoint().port();
    accepting_ = std::thread([this] { Accept(); });
  }
  ~TestTcpServer() {
    stopping_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // wakes accept
    accepting_.join();
    for (Socket& socket : sockets_) ::shutdown(socket.native_handle(), SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
  }
  TestTcpServer(const TestTcpServer&) = delete;
  TestTcpServer& operator=(const TestTcpServer&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void Accept() {
    while (!stopping_) {
      Socket socket(io_);
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error) return;
      ++connections_;
      Socket& kept = sockets_.emplace_back(std::move(socket));
      threads_.emplace_back([this, &kept] {
        Handle(kept);
        boost::system::error_code ignored;
        kept.shutdown(Socket::shutdown_both, ignored);
      });
    }
  }

  void Handle(Socket& socket) {
    try {
      handler_(socket);
    } catch (const std::exception&) {
      return;  // the other side went away, or the test is over
    }
  }

  Handler handler_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::list<Socket> sockets_;
  std::list<std::thread> threads_;
  std::thread accepting_;
};

/// A port of the loopback interface where nobody listens: taken and let go.
inline std::uint16_t UnusedPort() {
  boost::asio::io_context io;
  const boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

}  // namespace probed::exporter
