// The few MQL5 calls that MikrobotPush.mq5 uses, so that its logic runs where there is no terminal.
// Arrays are a class here (the test rewrites `type name[]`), files live in one directory, the clock is told.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

using string = std::string;
using uchar = unsigned char;
// Some C libraries have names like these, of other widths.
#define ushort uint16_t
#define uint uint32_t
#define ulong uint64_t
using datetime = long long;

template <typename T> struct Array {
  std::vector<T> items;
  T &operator[](int place) { return items.at(place); }
  const T &operator[](int place) const { return items.at(place); }
};

enum { WHOLE_ARRAY = -1, CP_UTF8 = 65001, INVALID_HANDLE = -1, CRYPT_HASH_SHA256 = 4 };
enum { FILE_READ = 1, FILE_WRITE = 2, FILE_BIN = 4, FILE_SHARE_READ = 128, FILE_SHARE_WRITE = 256, FILE_COMMON = 4096 };
enum { FILE_REWRITE = 512, TIME_DATE = 1, TIME_SECONDS = 4 };
enum { INIT_SUCCEEDED = 0, INIT_PARAMETERS_INCORRECT = 32767, ACCOUNT_LOGIN = 0, ACCOUNT_SERVER = 3 };

// What the test tells
inline string directory;
inline datetime utc_now = 0, server_ahead = 0;
inline std::deque<int> statuses;
inline bool is_locked = false;

template <typename T> int ArraySize(const Array<T> &array) { return (int)array.items.size(); }
template <typename T> int ArrayResize(Array<T> &array, int size) {
  array.items.resize(size);
  return size;
}
template <typename T>
int ArrayCopy(Array<T> &target, const Array<T> &source, int to, int from, int count) {
  if (count < 0) count = ArraySize(source) - from;
  if (ArraySize(target) < to + count) ArrayResize(target, to + count);
  for (int i = 0; i < count; i++) target[to + i] = source[from + i];
  return count;
}

inline int StringToCharArray(const string &text, Array<uchar> &bytes, int, int, int) {
  bytes.items.assign(text.begin(), text.end());
  bytes.items.push_back(0);  // as the terminal does
  return ArraySize(bytes);
}
inline string CharArrayToString(const Array<uchar> &bytes, int, int, int) {
  return string(bytes.items.begin(), bytes.items.end());
}
inline string CharToString(uchar letter) { return string(1, (char)letter); }
inline int StringLen(const string &text) { return (int)text.size(); }
inline ushort StringGetCharacter(const string &text, int place) { return (uchar)text.at(place); }
inline string StringSubstr(const string &text, int start, int count) { return text.substr(start, count); }
inline int StringReplace(string &text, const string &old, const string &fresh) {
  int count = 0;
  for (size_t at = 0; (at = text.find(old, at)) != string::npos; at += fresh.size(), count++)
    text.replace(at, old.size(), fresh);
  return count;
}
inline int StringTrimLeft(string &text) {
  size_t start = text.find_first_not_of(" \t\r\n");
  size_t gone = start == string::npos ? text.size() : start;
  text.erase(0, gone);
  return (int)gone;
}
inline int StringTrimRight(string &text) {
  size_t end = text.find_last_not_of(" \t\r\n"), before = text.size();
  text.erase(end == string::npos ? 0 : end + 1);
  return (int)(before - text.size());
}
inline int StringSplit(const string &text, ushort separator, Array<string> &parts) {
  parts.items.clear();
  std::stringstream stream(text);
  for (string part; std::getline(stream, part, (char)separator);) parts.items.push_back(part);
  return ArraySize(parts);
}
inline long long StringToInteger(const string &text) { return atoll(text.c_str()); }
inline string IntegerToString(long long value) { return std::to_string(value); }
inline string StringFormat(const char *shape, ...) {
  char text[256];
  va_list values;
  va_start(values, shape);
  vsnprintf(text, sizeof text, shape, values);
  va_end(values);
  return text;
}

inline datetime TimeGMT() { return utc_now; }
inline datetime TimeLocal() { return utc_now + 3600; }
inline datetime TimeTradeServer() { return utc_now + server_ahead; }
inline string TimeToString(datetime moment, int) {
  time_t seconds = (time_t)moment;
  tm parts;
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y.%m.%d %H:%M:%S", &parts);
  return text;
}
inline ulong GetMicrosecondCount() { return 424242; }  // the worst case: it never moves
inline ulong GetTickCount() { return 1; }
inline void MathSrand(int seed) { srand(seed); }
inline int MathRand() { return rand() & 32767; }
inline bool EventSetMillisecondTimer(int) { return true; }
inline void EventKillTimer() {}
inline long long AccountInfoInteger(int) { return 107000001; }
inline string AccountInfoString(int) { return "Demo \"A\"\\Server"; }
inline void Print(const string &text) { std::cout << "print " << text << std::endl; }

// Files
inline std::vector<string> opened;
inline int FileOpen(const string &name, int flags) {
  if (is_locked && (flags & FILE_COMMON)) return INVALID_HANDLE;
  string path = directory + "/" + name;
  if ((flags & FILE_READ) && !std::ifstream(path)) return INVALID_HANDLE;
  if (flags & FILE_WRITE) std::ofstream(path, std::ios::binary | std::ios::trunc);
  opened.push_back(path);
  return (int)opened.size() - 1;
}
inline void FileClose(int) {}
inline uint FileReadArray(int handle, Array<uchar> &bytes, int, int) {
  std::ifstream file(opened.at(handle), std::ios::binary);
  bytes.items.assign(std::istreambuf_iterator<char>(file), {});
  return (uint)ArraySize(bytes);
}
inline uint FileWriteArray(int handle, const Array<uchar> &bytes, int, int) {
  std::ofstream file(opened.at(handle), std::ios::binary | std::ios::trunc);
  file.write((const char *)bytes.items.data(), ArraySize(bytes));
  return file ? (uint)ArraySize(bytes) : 0;
}
inline bool FileMove(const string &from, int, const string &to, int) {
  return rename((directory + "/" + from).c_str(), (directory + "/" + to).c_str()) == 0;
}

// SHA-256 (FIPS 180-4); the constants are the fractional parts that the standard names, worked out with integers
inline uint32_t root_bits(uint32_t prime, int power) {
  // floor(prime^(1/power) * 2^32) mod 2^32, by bisection over 128-bit integers
  unsigned __int128 low = 0, high = (unsigned __int128)1 << 37;
  while (high - low > 1) {
    unsigned __int128 middle = (low + high) / 2;
    bool is_below;
    if (power == 2) {
      is_below = middle * middle <= ((unsigned __int128)prime << 64);
    } else {
      unsigned __int128 square = middle * middle;            // < 2^74
      unsigned __int128 top = square >> 37, rest = square & (((unsigned __int128)1 << 37) - 1);
      unsigned __int128 cube_top = top * middle + ((rest * middle) >> 37);  // (middle^3) >> 37
      unsigned __int128 cube_rest = (rest * middle) & (((unsigned __int128)1 << 37) - 1);
      unsigned __int128 bound = (unsigned __int128)prime << (96 - 37);
      is_below = cube_top < bound || (cube_top == bound && cube_rest == 0);
    }
    (is_below ? low : high) = middle;
  }
  return (uint32_t)low;
}
inline int CryptEncode(int, const Array<uchar> &data, const Array<uchar> &, Array<uchar> &digest) {
  static uint32_t start[8], k[64];
  if (!k[0])
    for (int prime = 2, count = 0; count < 64; prime++) {
      bool is_prime = true;
      for (int d = 2; d * d <= prime; d++) is_prime = is_prime && prime % d;
      if (!is_prime) continue;
      if (count < 8) start[count] = root_bits(prime, 2);
      k[count++] = root_bits(prime, 3);
    }
  auto turn = [](uint32_t x, int n) { return (x >> n) | (x << (32 - n)); };
  std::vector<uchar> text = data.items;
  uint64_t bits = text.size() * 8;
  text.push_back(0x80);
  while (text.size() % 64 != 56) text.push_back(0);
  for (int i = 7; i >= 0; i--) text.push_back((uchar)(bits >> (8 * i)));
  uint32_t h[8];
  for (int i = 0; i < 8; i++) h[i] = start[i];
  for (size_t block = 0; block < text.size(); block += 64) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
      w[i] = text[block + 4 * i] << 24 | text[block + 4 * i + 1] << 16 | text[block + 4 * i + 2] << 8 | text[block + 4 * i + 3];
    for (int i = 16; i < 64; i++)
      w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
             (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
    for (int i = 0; i < 8; i++) v[i] = h[i];
    for (int i = 0; i < 64; i++) {
      uint32_t one = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      uint32_t two = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      for (int j = 7; j > 0; j--) v[j] = v[j - 1];
      v[4] += one;
      v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
  }
  digest.items.clear();
  for (int i = 0; i < 8; i++)
    for (int j = 3; j >= 0; j--) digest.items.push_back((uchar)(h[i] >> (8 * j)));
  return 32;
}

// The wire: the request is told to the test, the answer was told by it; nothing told means no answer
inline string hex_of(const string &text) {
  string found;
  for (uchar letter : text) found += StringFormat("%02x", letter);
  return found;
}
inline int WebRequest(const string &method, const string &url, const string &headers, int, const Array<char> &data,
                      Array<char> &, string &) {
  std::cout << "request " << method << " " << url << " " << hex_of(headers) << " "
            << hex_of(string(data.items.begin(), data.items.end())) << std::endl;
  if (statuses.empty()) return -1;
  int status = statuses.front();
  statuses.pop_front();
  return status;
}
