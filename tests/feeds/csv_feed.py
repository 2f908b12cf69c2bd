"""What finstream-feed-csv promises."""
import csv
import gzip
import io
import json
import os
import tempfile
import time
import unittest

from feed_process import DEADLINE_SECONDS, SOURCE_DIR, close, events, lines, main, run, start

HEADER = "src_ts,symbol,price,size,seq\n"
DATA_DIR = os.path.join(SOURCE_DIR, "..", "shared", "data")
TIME = "2026-11-21T09:00:00.5Z"


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, text, name="x.csv"):
        path = os.path.join(self.folder.name, name)
        data = text if isinstance(text, bytes) else text.encode()
        with (gzip.open if name.endswith(".gz") else open)(path, "wb") as out:
            out.write(data)
        return path

    def rows(self, text, *arguments, **more):
        code, output, errors = run("--file", self.file(text), *arguments, **more)
        self.assertEqual(code, 0, errors)
        self.assertEqual(lines(output)[-1], {"type": "eof"})
        return events(output), errors


class Rows(Files):
    def test_a_row_becomes_a_line_between_hello_and_eof(self):
        code, output, errors = run("--file", self.file(HEADER + f"{TIME},SPY,167.4100,1400,2\n"), "--provider", "lean")
        self.assertEqual(code, 0)
        self.assertEqual(output.decode().splitlines(), [
            '{"type":"hello","feed":"csv","resumed":false}',
            '{"ver":1,"provider":"lean","symbol":"SPY","kind":"tick","src_ts":"2026-11-21T09:00:00.5Z","price":167.4100,'
            '"size":1400,"seq":2,"resume":"1"}',
            '{"type":"eof"}'])
        self.assertEqual(errors, "info: 1 rows sent, 0 refused\n")

    def test_gzip_line_ends_empty_lines_and_a_byte_order_mark_make_no_difference(self):
        plain = HEADER + f"{TIME},A,1,2,3\n{TIME},B,4,5,6\n"
        want = run("--file", self.file(plain))[1]
        for text, name in ((plain, "x.csv.gz"), (plain.replace("\n", "\r\n"), "x.csv"), ("\ufeff" + plain, "x.csv"),
                           (plain.replace("\n", "\n\n"), "x.csv"), (plain.rstrip("\n"), "x.csv")):
            self.assertEqual(run("--file", self.file(text, name))[1], want, text)

    def test_columns_are_mapped_by_name(self):
        got, _ = self.rows("note;last;when;qty\nx;1.5;1700000000123;7\n", "--delimiter", ";", "--price", "last", "--size", "qty",
                           "--src-ts", "when", "--time-unit", "ms", "--symbol-name", "A B\"C")
        self.assertEqual((got[0]["symbol"], got[0]["price"], got[0]["size"], got[0]["src_ts"], got[0]["seq"]),
                         ('A B"C', "1.5", "7", "2023-11-14T22:13:20.123Z", "1"))

    def test_times_are_counts_of_any_unit_or_rfc_3339(self):
        for unit, cell, want in (("s", "1700000000", "2023-11-14T22:13:20Z"), ("s", "1356998659.486096", "2013-01-01T00:04:19.486096Z"),
                                 ("us", "1700000000000001", "2023-11-14T22:13:20.000001Z"), ("ms", "-1.5", "1969-12-31T23:59:59.998500Z"),
                                 ("ns", "1700000000000000001", "2023-11-14T22:13:20.000000001Z")):
            got, errors = self.rows(HEADER + f"{cell},A,1,1,1\n", "--time-unit", unit)
            self.assertEqual(got and got[0]["src_ts"], want, errors)
        for cell, want in (("2026-11-21 09:00:00+01:00", "2026-11-21T08:00:00Z"), ("2025-11-10T17:23:53.9717445Z",) * 2):
            self.assertEqual(self.rows(HEADER + f"{cell},A,1,1,1\n")[0][0]["src_ts"], want)

    def test_numbers_keep_their_digits_and_take_the_form_of_json(self):
        for cell, want in (("105433.60000", "105433.60000"), ("0.00027625", "0.00027625"), (".5", "0.5"), ("-.5", "-0.5"), ("+1", "1"), ("1.", "1"),
                           ("007.10", "7.10"), (" 1.5 ", "1.5"), ('"2.5"', "2.5"), ("1e-3", "1e-3"), ("000", "0"), ("99999999999999999999", "99999999999999999999")):
            got, errors = self.rows(HEADER + f"{TIME},A,{cell},1,1\n")
            self.assertEqual(got and got[0]["price"], want, errors)

    def test_quoted_cells_hold_delimiters_quotes_and_line_ends(self):
        got, _ = self.rows(HEADER + f'"{TIME}","A,""B""\nC","1","2","3"\r\n{TIME},D,1,2,4\n')
        self.assertEqual([x["symbol"] for x in got], ['A,"B"\nC', "D"])

    def test_rows_around_the_ends_of_reads_are_whole(self):
        text = HEADER + "".join(f'{TIME},"S""{i}",{i}.25,{i},{i}\n' for i in range(1, 40001))
        got, _ = self.rows(text)
        self.assertEqual([(x["symbol"], x["price"], x["seq"]) for x in got], [(f'S"{i}', f"{i}.25", str(i)) for i in range(1, 40001)])

    def test_quotes_leave_out_what_is_empty(self):
        got, errors = self.rows("src_ts,symbol,bid,bid_size,ask,ask_size,seq\n" f"{TIME},E,1.1,,1.2,,1\n{TIME},E,1.1,5,,,2\n{TIME},E,,,,,3\n",
                                "--kind", "quote")
        self.assertEqual([{k: v for k, v in x.items() if "bid" in k or "ask" in k} for x in got],
                         [{"bid": "1.1", "ask": "1.2"}, {"bid": "1.1", "bid_size": "5"}])
        self.assertEqual({x["kind"] for x in got}, {"quote"})
        self.assertIn("row 3 is left out: neither bid nor ask has a value", errors)

    def test_bad_rows_are_named_counted_and_left_out(self):
        bad = {f"{TIME},A,x,1,1": 'price "x"', f"{TIME},A,,1,1": "price is empty", f"{TIME},A,1,NaN,1": 'size "NaN"',
               "yesterday,A,1,1,1": 'src_ts "yesterday"', f"{TIME},,1,1,1": "symbol is empty", f"{TIME},A,1,1,1.5": 'seq "1.5"',
               f"{TIME},A,1,1": "4 cells", f"{TIME},A,1,1,1,1": "6 cells", f'{TIME},"A"x,1,1,1': "after a closing quote",
               f'{TIME},A,"1,000",1,1': 'price "1,000"', f"{TIME},A,--1,1,1": 'price "--1"', f"{TIME},A,.,1,1": 'price "."',
               f"{TIME},A,1e,1,1": 'price "1e"', f"{TIME},A\udcff,1,1,1": "symbol is not UTF-8"}
        text = HEADER + "".join(f"{row}\n{TIME},GOOD,1,1,{i}\n" for i, row in enumerate(bad))
        got, errors = self.rows(text.encode("utf-8", "surrogateescape"))
        self.assertEqual([x["symbol"] for x in got], ["GOOD"] * len(bad))
        said = errors.splitlines()
        for i, why in enumerate(bad.values()):
            self.assertIn(f"warning: row {2 * i + 1} is left out: ", said[i])
            self.assertIn(why, said[i])
        self.assertEqual(said[-1], f"warning: {len(bad)} rows sent, {len(bad)} refused")

    def test_a_flood_of_bad_rows_is_counted_and_not_all_named(self):
        got, errors = self.rows(HEADER + "x,A,1,1,1\n" * 5000)
        self.assertEqual(got, [])
        self.assertLess(len(errors.splitlines()), 1100)
        self.assertIn("0 rows sent, 5000 refused", errors)

    def test_it_goes_on_after_the_row_of_its_token(self):
        text = HEADER + "".join(f"{TIME},A,{i},1,{i + 100}\n" if i % 7 else "bad,A,1,1,1\n" for i in range(1, 1001))
        whole, _ = self.rows(text)
        for token in (0, 1, 6, 7, 8, 500, 999, 1000, 5000):
            rest, _ = self.rows(text, resume=token)
            self.assertEqual(rest, [x for x in whole if int(x["resume"]) > token])
        self.assertEqual(lines(run("--file", self.file(text), resume=3)[1])[0]["resumed"], True)


class Faults(Files):
    def refused(self, code, *arguments):
        got, output, errors = run(*arguments)
        self.assertEqual((got, output), (code, b""))
        return errors

    def test_a_missing_file_is_refused_for_good(self):
        self.assertIn("No such file", self.refused(125, "--file", "/no/such.csv"))
        self.assertIn("is a directory", self.refused(125, "--file", self.folder.name))
        self.assertIn("--file is required", self.refused(125))

    def test_a_missing_column_is_refused_for_good_with_those_there_are(self):
        path = self.file("when,price,volume\n")
        self.assertIn("no column src_ts, symbol, size; its columns are: when, price, volume", self.refused(125, "--file", path))
        self.assertIn("no column trade_id;", self.refused(125, "--file", path, "--src-ts", "when", "--size", "volume",
                                                          "--symbol-name", "A", "--seq", "trade_id"))
        self.assertIn("is empty", self.refused(125, "--file", self.file("")))

    def test_a_truncated_gzip_file_is_an_error_after_the_rows_that_are_whole(self):
        text = HEADER + "".join(f"{TIME},A,{i},{i * 7919 % 1000},{i}\n" for i in range(1, 50001))
        whole = gzip.compress(text.encode())
        path = os.path.join(self.folder.name, "cut.csv.gz")
        for share in (0.3, 0.9, 0.9999):
            with open(path, "wb") as out:
                out.write(whole[:int(len(whole) * share)])
            code, output, errors = run("--file", path)
            self.assertEqual(code, 1)
            self.assertIn("is truncated", errors)
            got = lines(output)
            self.assertNotEqual(got[-1], {"type": "eof"})
            self.assertGreater(len(got), 1000)
            self.assertEqual([x["price"] for x in got[1:]], [str(i) for i in range(1, len(got))])

    def test_a_damaged_gzip_file_is_an_error(self):
        data = bytearray(gzip.compress((HEADER + f"{TIME},A,1,1,1\n" * 1000).encode()))
        data[-5] ^= 0xFF  # the checksum
        path = os.path.join(self.folder.name, "bad.csv.gz")
        with open(path, "wb") as out:
            out.write(data)
        code, output, errors = run("--file", path)
        self.assertEqual(code, 1)
        self.assertIn("is damaged", errors)
        self.assertNotIn(b"eof", output)

    def test_a_file_named_gz_that_is_not_is_an_error(self):
        path = os.path.join(self.folder.name, "plain.csv.gz")
        with open(path, "w") as out:
            out.write(HEADER)
        self.assertIn("is not gzip data", self.refused(1, "--file", path))

    def test_a_quote_that_is_never_closed_is_an_error_or_a_bad_row(self):
        _, errors = self.rows(HEADER + f'{TIME},A,1,1,1\n{TIME},"A,1,1,1\n{TIME},A,1,1,1\n')
        self.assertIn("row 2 is left out: a quote is not closed", errors)
        code, _, errors = run("--file", self.file(HEADER + f'{TIME},"A,1,1,1\n' + f"{TIME},A,1,1,1\n" * 60000))
        self.assertEqual(code, 1)
        self.assertIn("row 1 is longer than 1 MiB", errors)


class Pace(Files):
    def test_recorded_pace_is_kept_with_heartbeats_in_playback_time(self):
        path = self.file(HEADER + "2026-11-21T09:00:00Z,A,1,1,1\n2026-11-21T09:00:05Z,A,2,1,2\n2026-11-21T09:00:04Z,A,3,1,3\n")
        before = time.monotonic()
        code, output, _ = run("--file", path, "--speed", 5)
        self.assertGreaterEqual(time.monotonic() - before, 1.0)  # 5 s at 5 times the pace
        self.assertEqual(code, 0)
        said = lines(output)
        self.assertEqual([x["price"] for x in said if "kind" in x], ["1", "2", "3"])
        beats = [x["src_ts"] for x in said if x.get("type") == "heartbeat"]
        self.assertGreaterEqual(len(beats), 1)
        self.assertEqual(beats, sorted(beats))
        self.assertTrue(all("2026-11-21T09:00:00" < x <= "2026-11-21T09:00:05Z" for x in beats))

    def test_as_fast_as_possible_ignores_the_recorded_times(self):
        text = HEADER + "2000-01-01T00:00:00Z,A,1,1,1\n2026-11-21T09:00:05Z,A,2,1,2\n"
        self.assertEqual([x["price"] for x in self.rows(text)[0]], ["1", "2"])

    def test_it_ends_on_a_signal_or_a_closed_input_while_it_waits(self):
        path = self.file(HEADER + "2026-11-21T09:00:00Z,A,1,1,1\n2026-11-22T09:00:00Z,A,2,1,2\n")
        for end in (lambda p: p.terminate(), lambda p: p.stdin.close()):
            process = start("--file", path, "--speed", 1)
            process.stdout.readline(), process.stdout.readline()
            end(process)
            self.assertEqual(process.wait(DEADLINE_SECONDS), 0)
            rest = process.stdout.read()
            self.assertNotIn(b"eof", rest)
            close(process)


class RecordedData(unittest.TestCase):
    """Every recorded set comes out cell by cell as it is in the file."""

    def compare(self, path, *arguments):
        code, output, errors = run("--file", path, *arguments)
        self.assertEqual(code, 0, errors)
        got = [json.loads(x, parse_float=str, parse_int=str) for x in output.splitlines()[1:-1]]
        with gzip.open(path, "rt", newline="") as file:
            for i, (want, event) in enumerate(zip(csv.DictReader(file), got)):
                self.assertEqual({k: v for k, v in want.items() if v != ""}, {k: event[k] for k in want if k in event})
        self.assertEqual(i + 1, len(got))
        self.assertTrue(errors.startswith(f"info: {len(got)} rows sent, 0 refused"), errors)

    def test_recorded_trades_and_quotes(self):
        if not os.path.isdir(DATA_DIR):
            self.skipTest(f"there is no recorded data at {os.path.normpath(DATA_DIR)}")
        for name in ("kraken-xbtusdt-20251110", "databento-esh4-20231225", "mtgox-usd-20130101", "binance-spot-20240808"):
            self.compare(os.path.join(DATA_DIR, name + ".csv.gz"))
        self.compare(os.path.join(DATA_DIR, "lean-fxcm-eurusd-20140508.quotes.csv.gz"), "--kind", "quote")


class Usage(unittest.TestCase):
    def test_help_names_every_group(self):
        code, output, _ = run("--help")
        self.assertEqual(code, 0)
        for word in ("What:", "When:", "Columns", "--speed", "FINSTREAM_RESUME_TOKEN"):
            self.assertIn(word, output.decode())


if __name__ == "__main__":
    main()
