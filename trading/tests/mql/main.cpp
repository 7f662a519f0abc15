// Runs the client by commands on standard input: see trading/tests/test_mql_client.py.
#include "shim.hpp"
#include "client.inc"

// A word as it is pasted: its blanks are written _b, _n and _t here, because words are read between blanks.
string pasted(string text) {
  StringReplace(text, "_b", " ");
  StringReplace(text, "_n", "\r\n");
  StringReplace(text, "_t", "\t");
  return text;
}

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
    if (command == "server" && std::cin >> text) ServerUrl = pasted(text);
    if (command == "source" && std::cin >> text) SourceId = pasted(text);
    if (command == "secret" && std::cin >> text) Secret = pasted(text);
    if (command == "hmac" && std::cin >> text) std::cout << "hmac " << Hmac(Secret, text) << std::endl;
    if (command == "queue") std::cout << "queue " << ArraySize(queue) << std::endl;
  }
  return 0;
}
