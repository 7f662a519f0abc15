"""Writes the stored samples: `python -m trading.tests.corpus_writer`; a changed answer is read in review."""

from __future__ import annotations

import json
from collections.abc import Mapping

from trading.rehearsal.messages import (
    BODIES,
    CLIENTS,
    EMBED,
    ENCODINGS,
    MANUAL,
    OWN,
    REST,
    SIGNALS,
    SOURCE,
    TRADERS_POST,
    read,
)
from trading.rehearsal.samples import CORPUS
from trading.sources import Torn, plain
from trading.sources.ea_push import sign

HANDMADE = """{
  "deployment_id": "FERRARI_001",
  "deployment_time": "2025-08-04T11:12:50",
  "signal_data": {
    "timestamp": "2025.08.04 08:10",
    "symbol": "_FERRARI.IT",
    "strategy": "MIKROBOT_FASTVERSION_4PHASE",
    "phase_1_m5_bos": {"time": "2025.08.04 07:15", "price": 376.28, "direction": "BEAR"},
    "phase_2_m1_break": {"time": "2025.08.04 07:18", "price": 376.28},
    "phase_3_m1_retest": {"time": "2025.08.04 08:08", "price": 376.28},
    "phase_4_ylipip": {"target": 376.22, "current": 376.18, "triggered": true},
    "trade_direction": "BEAR",
    "current_price": 376.18,
    "ylipip_trigger": 0.6,
    "confidence": 0.95
  },
  "trade_parameters": {
    "symbol": "_FERRARI.IT", "action": "SELL", "lot_size": 0.01,
    "entry_price": 376.18, "sl_price": 376.68, "tp_price": 375.18
  }
}
"""
BOS_RETEST = (
    '{"ea_name":"MikroBot_BOS","ea_version":"1.04","signal_type":"BOS_RETEST","symbol":"EURUSD","direction":"BUY",'
    '"trigger_price":1.08526,"h1_bos_level":1.08450,"h1_bos_direction":"BULLISH","m15_break_high":1.08520,'
    '"m15_break_low":1.08480,"pip_trigger":0.6,"timestamp":"2025-08-04T10:03:17Z","timeframe":"M15","account":107000001}'
)
CONNECTION_TEST = (
    '{"ea_name":"MikroBot_BOS_M5M1","ea_version":"2.00","signal_type":"CONNECTION_TEST","symbol":"EURUSD",'
    '"direction":"BUY","trigger_price":1.0855,"m5_bos_level":1.085,"m5_bos_direction":"BULLISH","m1_break_high":1.0857,'
    '"m1_break_low":1.0852,"pip_trigger":0.2,"timestamp":"2025-08-04T21:33:32.128866","account":107000001}'
)


def files() -> Mapping[str, bytes]:
    """Name every stored sample."""
    found: dict[str, bytes] = {}
    for name, text in SIGNALS.items():
        found[f"ea_file/{name}.utf16.json"] = ENCODINGS["utf16_marked"](text)
    for encoding, encode in ENCODINGS.items():
        found[f"ea_file/encoding_{encoding}.json"] = encode(SIGNALS["eurjpy_bull"])
    eurjpy = SIGNALS["eurjpy_bull"]
    found |= {
        "ea_file/padded_with_nuls.json": ENCODINGS["utf16"](eurjpy) + b"\0" * 512,
        "ea_file/line_ending.json": eurjpy.encode() + b"\r\n",
        "ea_file/pretty.json": json.dumps(json.loads(eurjpy), indent=2).encode(),
        "ea_file/iso_stamps.json": eurjpy.replace("2025.08.04 08:28", "2025-08-04T08:28:31").encode(),
        "ea_file/words.json": eurjpy.replace("BULL", "BUY").encode(),
        "ea_file/not_triggered.json": eurjpy.replace(":true", ":false").encode(),
        "ea_file/handmade.json": HANDMADE.encode(),
        "ea_file/bos_retest_h1.json": BOS_RETEST.encode(),
        "ea_file/bos_retest_m5.json": BOS_RETEST.replace("h1_", "m5_").replace("m15_", "m1_").encode(),
        "ea_file/connection_test.json": CONNECTION_TEST.encode(),
        "ea_file/terminal_local.json": (
            b'{"phase":"4_PHASE_TRIGGER","symbol":"EURJPY","stop_loss":50,"entry_price":0.0}'
        ),
        "ea_file/trade_record.json": b'{"trade_id":"FERRARI_BULL_08_30","symbol":"_FERRARI.IT","action":"BUY"}',
        "ea_file/answer_to_the_ea.json": b'{"signal_id":"mikrobot_doctrine_1_1754296080","action":"EXECUTE_TRADE"}',
        "ea_file/signal_ea_command.json": b'{"id":17,"action":"PLACE_ORDER","symbol":"EURUSD","volume":0.1}',
        "ea_file/unset_clock.json": eurjpy.replace("2025.08.04 08:28", "1970.01.01 00:00").encode(),
    }
    found |= {f"{kind}/{name}.txt": text.encode() for name, (kind, text) in BODIES.items()}
    tv = "tradingview/"
    found |= {
        tv + "own_nan.txt": OWN.replace("21480", "NaN").replace("21540", '"NaN"').encode(),
        tv + "own_crlf.txt": OWN.replace(",", ",\r\n  ").encode() + b"\r\n",
        tv + "own_flatten.txt": b'{"action":"FLATTEN","symbol":"MNQ1!"}',
        tv + "own_texts.txt": OWN.replace("21500.25", '"21500.25"').encode(),
        tv + "own_short_limit.txt": b'{"action":"SHORT","symbol":"ES1!","type":"limit","price":5600.25,"quantity":1}',
        tv + "own_scores.txt": OWN.replace(
            '"action"', '"power":"82","confluence":"L3","confidence":"C2","action"'
        ).encode(),
        tv + "post_cover.txt": TRADERS_POST.replace("bullish", "flat").encode(),
        tv + "post_exit.txt": b'{"ticker":"NQ1!","action":"exit"}',
        tv + "post_half.txt": b'{"ticker":"NQ1!","action":"exit","quantity":50,"quantityType":"percent_of_position"}',
        tv
        + "post_percent.txt": b'{"ticker":"AAPL","action":"sell","stopLoss":{"percent":2},"takeProfit":{"amount":3}}',
        tv + "pine_close.txt": b"60123456789, closelong , EURUSD",
        tv + "pine_pips.txt": b"60123456789,sell,XAUUSD,vol_lots=0.1,sl_pips=50,tp_pct=1.5,secret=hush\r\n",
        tv + "pine_stop.txt": b"60123456789,buystop,GBPUSD,price=1.2750,risk=0.5,sl=1.2700",
        tv + "embed_stop_out.txt": b'{"embeds":[{"title":"stop_out_short [MES1!]","fields":[]}]}',
        tv + "embed_trim.txt": EMBED.replace("Open Long", "Trim/Close Short").encode(),
        tv + "embed_session.txt": b'{"embeds":[{"title":"Session close [MNQ1!]"}]}',
        tv + "embed_figures.txt": EMBED.replace('"21500.25"', '"$21,500.25"').replace('"21540"', '"null"').encode(),
        "rest/close.txt": b'{"action":"close","symbol":"EURUSD"}',
        "rest/limit_percent.txt": REST.replace('"entry"', '"type":"limit","level_unit":"percent","entry"').encode(),
        "rest/texts.txt": REST.replace("1.085,", '"1.0850",').encode(),
        "manual/empty_fields.txt": MANUAL.replace('"C2"', '""').replace('"1.0870"', '""').encode(),
    }
    return found


# Handed to whoever writes a client: the secret, the headers and the body, byte for byte.
SECRET = "correct-horse-battery-staple-0001"
TIMESTAMP = "1754296111"  # 2025-08-04 08:28:31 UTC


def push_body(**changes: object) -> str:
    """Write a body as the MQL5 client does: the EA's own object goes in unchanged."""
    parts: dict[str, object] = {
        "protocol": "mikrobot-ea/1",
        "source": SOURCE,
        "stream": "9f31c2a0",
        "sequence": 17,
        "id": "9f31c2a0-17",
        "kind": "signal",
        "clock": {"server": "2025.08.04 08:28:31", "utc": "2025-08-04T08:28:31Z"},
        "client": "MikrobotPush 1.0",
        "account": "107000001",
        "broker": "Demo-Server",
        "signal": json.loads(SIGNALS["eurjpy_bull"]),
    }
    parts |= changes
    told = {name: value for name, value in parts.items() if value is not None}
    text = json.dumps(told, separators=(",", ":"))
    if isinstance(told.get("signal"), dict):
        text = text.replace(json.dumps(told["signal"], separators=(",", ":")), SIGNALS["eurjpy_bull"])
    return text


def push_samples() -> Mapping[str, Mapping[str, object]]:
    """Give the golden samples of the protocol: what is sent, and what the server must make of it."""
    good = push_body()
    quoted = push_body(quote={"bid": 171.142, "ask": 171.157, "digits": 3, "point": 0.001}, order={"stop": 171.062})
    alive = push_body(kind="heartbeat", id="9f31c2a0-18", sequence=18, signal=None)
    signed: Mapping[str, tuple[str, Mapping[str, str], str]] = {
        "signal": (good, {}, ""),
        "signal_with_order": (quoted, {}, ""),
        "heartbeat": (alive, {}, "dialect.heartbeat"),
        "other_source": (push_body(source="somebody-else"), {}, "sender.source"),
        "no_sequence": (push_body(sequence=None), {}, "field.missing"),
        "wrong_signature": (good, {"signature": "0" * 64}, "sender.signature_wrong"),
        "upper_case_signature": (good, {"signature": "F" * 64}, "sender.signature_wrong"),
        "unsigned": (good, {"signature": ""}, "sender.signature_missing"),
        "late": (good, {"timestamp": "1754295000"}, "sender.clock"),
        "early": (good, {"timestamp": "1754297000"}, "sender.clock"),
        "short_nonce": (good, {"nonce": "abc"}, "sender.signature_wrong"),
    }
    found: dict[str, Mapping[str, object]] = {}
    for name, (body, changes, refused) in signed.items():
        timestamp, nonce = changes.get("timestamp", TIMESTAMP), changes.get("nonce", "Zm9vYmFyYmF6cXV4MDAwMQ")
        signature = sign(SECRET.encode(), timestamp=timestamp, nonce=nonce, body=body.encode())
        found[name] = {
            "secret": SECRET,
            "now": "2025-08-04T08:28:32Z",
            "headers": {
                "X-Mikrobot-Timestamp": timestamp,
                "X-Mikrobot-Nonce": nonce,
                "X-Mikrobot-Signature": changes.get("signature", signature),
            },
            "body": body,
            "refused": refused,
        }
    return found


def main() -> None:
    """Write every file and what it is read as."""
    for name, sample in push_samples().items():
        path = CLIENTS / "samples" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sample, indent=1) + "\n", encoding="utf-8")
    expected: dict[str, object] = {}
    for name, raw in sorted(files().items()):
        (CORPUS / name).parent.mkdir(parents=True, exist_ok=True)
        (CORPUS / name).write_bytes(raw)
        answer = read(name.partition("/")[0], raw)
        assert not isinstance(answer, Torn), name
        said = plain(answer)
        assert isinstance(said, dict)
        expected[name] = (
            {"refused": said["code"], "sentence": said["sentence"]}
            if "code" in said
            else {key: value for key, value in said.items() if value not in (None, "", [])}
        )
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True)
    (CORPUS / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
