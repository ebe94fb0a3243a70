// A port of 127.0.0.1 that nobody listened on a moment ago; 0 when there is none.
//
// Below the ports that outgoing connections get: it stays free while its server is down.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

namespace millrace::test {

inline int FreePort() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(12'000, 31'999);
  for (int attempt = 0; attempt < 100; attempt++) {
    const int port = ports(random);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (is_free) return port;
  }
  return 0;
}

}  // namespace millrace::test
