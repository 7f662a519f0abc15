// Runs the client by commands on standard input: see trading/tests/test_mql_client.py.
#include "shim.hpp"
#include "client.inc"

int main(int, char **argv) {
  directory = argv[1];
  string command;
  long long value;
  string text;
  while (std::cin >> command) {
    if (command == "init") {
      int answer = OnInit();
      std::cout << "init " << answer << std::endl;
    }
    if (command == "deinit") OnDeinit(0);
    if (command == "tick") OnTimer();
    if (command == "utc" && std::cin >> value) utc_now = value;
    if (command == "ahead" && std::cin >> value) server_ahead = value;
    if (command == "answer" && std::cin >> value) statuses.push_back((int)value);
    if (command == "lock" && std::cin >> value) is_locked = value != 0;
    if (command == "limit" && std::cin >> value) QueueLimit = (int)value;
    if (command == "source" && std::cin >> text) SourceId = text;
    if (command == "secret" && std::cin >> text) Secret = text;
    if (command == "hmac" && std::cin >> text) std::cout << "hmac " << Hmac(Secret, text) << std::endl;
    if (command == "queue") std::cout << "queue " << ArraySize(queue) << std::endl;
  }
  return 0;
}
