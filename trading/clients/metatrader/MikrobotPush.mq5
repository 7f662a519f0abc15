//+------------------------------------------------------------------+
//| MikrobotPush: carries the v8 EA's signals to MikroBot over HTTPS. |
//|                                                                   |
//| NOT COMPILED HERE. No MetaEditor was at hand where this was       |
//| written. Its logic is executed by trading/tests/test_mql_client.py|
//| through a C++ shim of the MQL5 calls it uses; compile it in       |
//| MetaEditor and try it on a demo account before relying on it.     |
//|                                                                   |
//| Protocol: trading/clients/PROTOCOL.md (mikrobot-ea/1).            |
//| Set up: put it on one chart, allow WebRequest for ServerUrl in    |
//| Tools > Options > Expert Advisors, enter SourceId and Secret.     |
//| It places no orders and reads no account data but login and       |
//| server name.                                                      |
//+------------------------------------------------------------------+
#property copyright "MikroBot"
#property version   "1.10"

input string ServerUrl        = "https://example.com";
input string SourceId         = "";
input string Secret           = "";
input string SignalFile       = "mikrobot_4phase_signal.json"; // in Common\Files
input string StateFile        = "mikrobot_push_state.txt";
input int    PollMilliseconds = 100;
input int    HeartbeatSeconds = 30;
input int    QueueLimit       = 1000;
input int    TimeoutMs        = 5000;

string client_name = "MikrobotPush 1.1";
string server = "";           // the three inputs as they were meant: what is pasted brings blanks and line ends along
string source_id = "";
string secret_text = "";
string stream = "";           // made once per installation
ulong  sequence = 0;          // last number given; kept across restarts
string queue[];               // bodies that the server has not acknowledged, oldest first
string last_text = "";
datetime next_try = 0;
int    wait_seconds = 0;
datetime last_sent = 0;

//--- bytes and digests ---------------------------------------------

void TextToBytes(const string text, uchar &bytes[])
  {
   StringToCharArray(text, bytes, 0, WHOLE_ARRAY, CP_UTF8);
   int size = ArraySize(bytes);
   if(size > 0 && bytes[size - 1] == 0)
      ArrayResize(bytes, size - 1);   // the call appends a zero that is not part of the text
  }

void Append(uchar &target[], const uchar &more[])
  {
   ArrayCopy(target, more, ArraySize(target), 0, WHOLE_ARRAY);
  }

string Hex(const uchar &bytes[])
  {
   string text = "";
   for(int i = 0; i < ArraySize(bytes); i++)
      text += StringFormat("%02x", (int)bytes[i]);
   return text;
  }

bool Sha256(const uchar &data[], uchar &digest[])
  {
   uchar no_key[];
   return CryptEncode(CRYPT_HASH_SHA256, data, no_key, digest) > 0;
  }

//--- HMAC-SHA256 (RFC 2104), empty when the terminal refuses to hash
string Hmac(const string secret, const string text)
  {
   uchar key[];
   uchar message[];
   uchar inner[];
   uchar outer[];
   uchar digest[];
   TextToBytes(secret, key);
   TextToBytes(text, message);
   if(ArraySize(key) > 64)
     {
      if(!Sha256(key, digest))
         return "";
      ArrayResize(key, 0);
      Append(key, digest);
     }
   int size = ArraySize(key);
   ArrayResize(key, 64);
   for(int i = size; i < 64; i++)
      key[i] = 0;
   ArrayResize(inner, 64);
   ArrayResize(outer, 64);
   for(int i = 0; i < 64; i++)
     {
      inner[i] = (uchar)(key[i] ^ 0x36);
      outer[i] = (uchar)(key[i] ^ 0x5c);
     }
   Append(inner, message);
   if(!Sha256(inner, digest))
      return "";
   Append(outer, digest);
   if(!Sha256(outer, digest))
      return "";
   return Hex(digest);
  }

//--- never the same twice: clock, microseconds and chance, hashed
string Nonce()
  {
   uchar seed[];
   uchar digest[];
   string text = stream + IntegerToString((long)GetMicrosecondCount()) + "." + IntegerToString((long)TimeLocal());
   text += "." + IntegerToString(MathRand()) + "." + IntegerToString(MathRand());
   TextToBytes(text, seed);
   if(!Sha256(seed, digest))
      return "";
   return StringSubstr(Hex(digest), 0, 32);
  }

string Escaped(const string text)
  {
   string safe = text;
   StringReplace(safe, "\\", "\\\\");
   StringReplace(safe, "\"", "\\\"");
   return safe;
  }

//--- state: written before anything is sent, so a crash loses nothing

bool SaveState()
  {
   string text = stream + "\n" + IntegerToString((long)sequence) + "\n";
   for(int i = 0; i < ArraySize(queue); i++)
      text += queue[i] + "\n";
   uchar bytes[];
   TextToBytes(text, bytes);
   string fresh = StateFile + ".new";
   int handle = FileOpen(fresh, FILE_WRITE | FILE_BIN);
   if(handle == INVALID_HANDLE)
      return false;
   bool written = FileWriteArray(handle, bytes, 0, WHOLE_ARRAY) == (uint)ArraySize(bytes);
   FileClose(handle);
   return written && FileMove(fresh, 0, StateFile, FILE_REWRITE);
  }

void LoadState()
  {
   ArrayResize(queue, 0);
   int handle = FileOpen(StateFile, FILE_READ | FILE_BIN);
   if(handle != INVALID_HANDLE)
     {
      uchar bytes[];
      FileReadArray(handle, bytes, 0, WHOLE_ARRAY);
      FileClose(handle);
      string lines[];
      int count = StringSplit(CharArrayToString(bytes, 0, WHOLE_ARRAY, CP_UTF8), '\n', lines);
      if(count >= 2)
        {
         stream = lines[0];
         sequence = (ulong)StringToInteger(lines[1]);
         for(int i = 2; i < count; i++)
            if(StringLen(lines[i]) > 0)
              {
               ArrayResize(queue, ArraySize(queue) + 1);
               queue[ArraySize(queue) - 1] = lines[i];
              }
        }
     }
   if(StringLen(stream) == 0)
      stream = StringSubstr(Nonce(), 0, 16);
  }

//--- the signal file -----------------------------------------------

//--- UTF-16LE as the EA writes it, or single bytes; every honest character of it is ASCII
string Decoded(const uchar &bytes[])
  {
   string text = "";
   int size = ArraySize(bytes);
   int start = 0;
   int step = 1;
   if(size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xFE)
     {
      start = 2;
      step = 2;
     }
   else
      if(size >= 2 && bytes[1] == 0)
         step = 2;
   for(int i = start; i + step <= size; i += step)
     {
      if((step == 2 && bytes[i + 1] != 0) || bytes[i] > 126)
         return "";
      if(bytes[i] >= 32)
         text += CharToString(bytes[i]);
     }
   return text;
  }

//--- whole: one object, every brace closed, nothing open at the end
bool IsWhole(const string text)
  {
   int length = StringLen(text);
   if(length < 2 || StringGetCharacter(text, 0) != '{' || StringGetCharacter(text, length - 1) != '}')
      return false;
   int depth = 0;
   for(int i = 0; i < length; i++)
     {
      if(StringGetCharacter(text, i) == '{')
         depth++;
      if(StringGetCharacter(text, i) == '}')
         depth--;
      if(depth == 0 && i < length - 1)
         return false;
     }
   return depth == 0;
  }

//--- open for as short as can be: the EA cannot write while anybody reads
string ReadSignal()
  {
   int handle = FileOpen(SignalFile, FILE_READ | FILE_BIN | FILE_COMMON | FILE_SHARE_READ | FILE_SHARE_WRITE);
   if(handle == INVALID_HANDLE)
      return "";
   uchar bytes[];
   FileReadArray(handle, bytes, 0, WHOLE_ARRAY);
   FileClose(handle);
   string text = Decoded(bytes);
   return IsWhole(text) ? text : "";
  }

//--- messages ------------------------------------------------------

string Utc()
  {
   string text = TimeToString(TimeGMT(), TIME_DATE | TIME_SECONDS);
   StringReplace(text, ".", "-");
   StringReplace(text, " ", "T");
   return text + "Z";
  }

string Body(const string kind, const string signal)
  {
   string number = IntegerToString((long)sequence);
   string body = "{\"protocol\":\"mikrobot-ea/1\",\"source\":\"" + Escaped(source_id) + "\"";
   body += ",\"stream\":\"" + stream + "\",\"sequence\":" + number + ",\"id\":\"" + stream + "-" + number + "\"";
   body += ",\"kind\":\"" + kind + "\"";
   body += ",\"clock\":{\"server\":\"" + TimeToString(TimeTradeServer(), TIME_DATE | TIME_SECONDS) + "\"";
   body += ",\"utc\":\"" + Utc() + "\"}";
   body += ",\"client\":\"" + client_name + "\"";
   body += ",\"account\":\"" + IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)) + "\"";
   body += ",\"broker\":\"" + Escaped(AccountInfoString(ACCOUNT_SERVER)) + "\"";
   if(StringLen(signal) > 0)
      body += ",\"signal\":" + signal;   // the EA's own object, unchanged
   return body + "}";
  }

//--- number it, keep it, and only then let it be sent; when too many wait, the oldest goes and the server sees the gap
void Enqueue(const string kind, const string signal)
  {
   sequence++;
   int size = ArraySize(queue);
   if(size >= QueueLimit)
     {
      for(int i = 1; i < size; i++)
         queue[i - 1] = queue[i];
      size--;
      Print("MikrobotPush: the queue is full; the oldest message was dropped");
     }
   ArrayResize(queue, size + 1);
   queue[size] = Body(kind, signal);
   if(!SaveState())
      Print("MikrobotPush: the queue could not be written to disk");
  }

int Post(const string body)
  {
   string timestamp = IntegerToString((long)TimeGMT());
   string nonce = Nonce();
   string signature = Hmac(secret_text, timestamp + "." + nonce + "." + body);
   if(StringLen(signature) != 64 || StringLen(nonce) != 32)
      return -1;
   string headers = "Content-Type: application/json\r\n";
   headers += "X-Mikrobot-Timestamp: " + timestamp + "\r\n";
   headers += "X-Mikrobot-Nonce: " + nonce + "\r\n";
   headers += "X-Mikrobot-Signature: " + signature + "\r\n";
   uchar bytes[];
   char data[];                  // WebRequest wants char where the other calls want uchar
   char result[];
   string result_headers = "";
   TextToBytes(body, bytes);
   ArrayResize(data, ArraySize(bytes));
   for(int i = 0; i < ArraySize(bytes); i++)
      data[i] = (char)bytes[i];
   return WebRequest("POST", server + "/hooks/ea/" + source_id + "/", headers, TimeoutMs, data, result, result_headers);
  }

//--- what a person can do about an answer; empty where there is nothing to do but wait
string Advice(const int status)
  {
   if(status == 401)
      return ": Secret is not that of this source, or this computer's clock is more than five minutes off";
   if(status == 403)
      return ": the source is switched off, does not take messages from this address, or ServerUrl lacks https";
   if(status == 404)
      return ": nothing answers at " + server + "/hooks/ea/" + source_id + "/; compare ServerUrl and SourceId with the source's page";
   if(status == -1)
      return ": the request did not leave; allow WebRequest for " + server + " in Tools > Options > Expert Advisors";
   return "";
  }

//--- 200: taken, or known already. 413, 422: read and refused for good. Everything else is tried again, the same
//--- message under a new timestamp and nonce.
bool IsFinal(const int status)
  {
   return status == 200 || status == 413 || status == 422;
  }

void SendQueue()
  {
   while(ArraySize(queue) > 0 && TimeLocal() >= next_try)
     {
      int status = Post(queue[0]);
      if(!IsFinal(status))
        {
         wait_seconds = wait_seconds == 0 ? 1 : (wait_seconds >= 30 ? 60 : wait_seconds * 2);
         next_try = TimeLocal() + wait_seconds;
         Print("MikrobotPush: not acknowledged, status " + IntegerToString(status) + Advice(status));
         return;
        }
      if(status != 200)
         Print("MikrobotPush: refused, status " + IntegerToString(status));
      wait_seconds = 0;
      next_try = 0;
      last_sent = TimeLocal();
      for(int i = 1; i < ArraySize(queue); i++)
         queue[i - 1] = queue[i];
      ArrayResize(queue, ArraySize(queue) - 1);
      SaveState();
     }
  }

//--- events --------------------------------------------------------

string Trimmed(const string text)
  {
   string inner = text;
   StringTrimLeft(inner);
   StringTrimRight(inner);
   return inner;
  }

int OnInit()
  {
   server = Trimmed(ServerUrl);
   while(StringLen(server) > 0 && StringGetCharacter(server, StringLen(server) - 1) == '/')
      server = Trimmed(StringSubstr(server, 0, StringLen(server) - 1));
   source_id = Trimmed(SourceId);
   secret_text = Trimmed(Secret);
   if(StringLen(server) == 0 || StringLen(source_id) == 0 || StringLen(secret_text) < 32)
     {
      Print("MikrobotPush: ServerUrl, SourceId and a Secret of at least 32 characters are needed");
      return INIT_PARAMETERS_INCORRECT;
     }
   MathSrand((int)GetTickCount());
   LoadState();
   last_text = ReadSignal();   // what lies there from before we came is not news
   last_sent = TimeLocal();
   EventSetMillisecondTimer(PollMilliseconds);
   return INIT_SUCCEEDED;
  }

void OnDeinit(const int reason)
  {
   EventKillTimer();
   SaveState();
  }

void OnTimer()
  {
   string text = ReadSignal();
   if(StringLen(text) > 0 && text != last_text)
     {
      last_text = text;
      Enqueue("signal", text);
     }
   if(ArraySize(queue) == 0 && TimeLocal() - last_sent >= HeartbeatSeconds)
      Enqueue("heartbeat", "");
   SendQueue();
  }
//+------------------------------------------------------------------+
