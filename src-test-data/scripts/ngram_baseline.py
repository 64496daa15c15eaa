"""Bits per byte of an interpolated modified Kneser-Ney byte n-gram (Chen and Goodman, 1999) on the held-out text.

Usage: ngram_baseline.py EMBEDDED_DIR
Counts the bytes of every row of pretrain.jsonl.gz, with a start and an end symbol per row, as the model sees
<s> and </s>; the order is the best of ORDERS on validation.jsonl.
Writes EMBEDDED_DIR/baseline.json. The end symbol's bits count, as </s> counts in the model's loss.
"""
import gzip
import json
import sys
from pathlib import Path

import numpy as np

END, START, SYMBOLS = 256, 257, 258
ORDERS = (4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24)


def symbols(texts):
    """All rows end to end, and each symbol's position in its row (0 is START)."""
    rows = [np.concatenate(([START], np.frombuffer(t.encode("utf-8"), np.uint8), [END])).astype(np.int64) for t in texts]
    return np.concatenate(rows), np.concatenate([np.arange(len(r)) for r in rows])


def grams_ending_at(ids, flat):
    """Keys of the grams that extend, by one symbol, the gram (an id, -1 for none) ending one place before."""
    before = np.concatenate(([-1], ids[:-1]))
    return np.where(before >= 0, before * SYMBOLS + flat, -1)


class KneserNey:
    """A gram of n symbols is a number: (number of its first n-1 symbols, last symbol), ranked per order."""

    def __init__(self, texts, order):
        flat, place = symbols(texts)
        ids, tables = flat, []
        keys, raw, first = np.arange(SYMBOLS), np.bincount(flat, minlength=SYMBOLS), np.zeros(SYMBOLS, np.int64)
        first[flat[::-1]] = np.arange(len(flat))[::-1]
        for n in range(1, order + 1):
            if n == order:
                tables.append((keys, raw))
                break
            longer = grams_ending_at(ids, flat)
            longer[place < n] = -1
            valid = np.flatnonzero(longer >= 0)
            next_keys, next_first, inverse, next_raw = np.unique(
                longer[valid], return_index=True, return_inverse=True, return_counts=True)
            # Below the top order a gram counts the distinct symbols before it; at a row's start, its occurrences.
            count = np.bincount(ids[valid[next_first]], minlength=len(keys))
            starts = place[first] == n - 1
            count[starts] = raw[starts]
            tables.append((keys, count))
            ids = np.full(len(flat), -1, np.int64)
            ids[valid] = inverse
            keys, raw, first = next_keys, next_raw, valid[next_first]
        self.orders, contexts = [], 1
        for n, (keys, count) in enumerate(tables, start=1):
            context = np.zeros(len(keys), np.int64) if n == 1 else keys // SYMBOLS
            if n == 1:
                count = np.where(np.arange(SYMBOLS) == START, 0, count)  # START is never predicted
            self.orders.append((keys, *discounted(context, count, contexts)))
            contexts = len(keys)

    def bits(self, texts):
        """Total bits of the rows' bytes and end symbols."""
        flat, place = symbols(texts)
        p = np.full(len(flat), 1 / (END + 1))
        context = np.zeros(len(flat), np.int64)
        ids = np.full(len(flat), -1, np.int64)
        for n, (keys, mass, total, backoff) in enumerate(self.orders, start=1):
            wanted = flat if n == 1 else grams_ending_at(ids, flat)
            wanted = np.where(place >= n - 1, wanted, -1)
            if n > 1:
                context = np.where(place >= n - 1, np.concatenate(([-1], ids[:-1])), -1)
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            ids = np.where(keys[at] == wanted, at, -1)
            seen = (context >= 0) & (total[context] > 0)
            here = np.where(ids >= 0, mass[at], 0)
            p = np.where(seen, (here + backoff[context] * p) / np.where(seen, total[context], 1), p)
        return -np.log2(p[place > 0]).sum()


def discounted(context, count, contexts):
    """(discounted count per gram, total per context, mass left for the lower order per context)."""
    n1, n2, n3, n4 = (max(1, np.count_nonzero(count == k)) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    off = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]).clip(0, None)
    off = np.minimum(off, [0, 1, 2, 3])[np.minimum(count, 3)]
    return count - off, np.bincount(context, count, contexts), np.bincount(context, off, contexts)


def rows(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def per_byte(bits, texts):
    return float(bits / sum(len(t.encode("utf-8")) for t in texts))


def main(folder):
    train, checked, heldout = (rows(folder / name) for name in ("pretrain.jsonl.gz", "validation.jsonl", "heldout.jsonl"))
    tuned = {n: round(per_byte(KneserNey(train, n).bits(checked), checked), 4) for n in ORDERS}
    order = min(tuned, key=tuned.get)
    result = {
        "model": "interpolated modified Kneser-Ney, bytes",
        "order": order,
        "validation_bits_per_byte": tuned,
        "heldout_bytes": sum(len(t.encode("utf-8")) for t in heldout),
        "heldout_bits_per_byte": round(per_byte(KneserNey(train, order).bits(heldout), heldout), 4),
    }
    (folder / "baseline.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
