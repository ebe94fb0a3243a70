# free_port: prints a loopback port that nothing listens at; sourced by tests.
port_finder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/orders" && pwd)

free_port() {
  PYTHONPATH=$port_finder python3 -B -c 'import servers; print(servers.free_port())'
}
