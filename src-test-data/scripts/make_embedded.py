"""Cuts the embedded model's data and trains its tokenizer: the same files on every run.

Usage: make_embedded.py SOURCE_DIR OUT_DIR
SOURCE_DIR holds tinyshakespeare.txt, gsm8k/train.jsonl and gsm8k/test.jsonl (see embedded/README.md).
"""
import gzip
import hashlib
import json
import random
import re
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SEED = 20250
VOCAB = 2048
CONTEXT = 256  # tokens of a pretraining row, <s> and </s> included
SFT_CONTEXT = 160
SFT_TRAIN, SFT_EVAL = 640, 96
HELDOUT_PROBLEMS, VALIDATION_PROBLEMS = 120, 60
STRETCH = 5500  # characters of Shakespeare that go into one split together
HELDOUT_STRETCHES, VALIDATION_STRETCHES = 5, 3
SPECIALS = ["<pad>", "<s>", "</s>"]  # ids 0, 1, 2
SHA256 = {
    "tinyshakespeare.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "gsm8k/train.jsonl": "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
    "gsm8k/test.jsonl": "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
}
# Digits stand alone so that a number is copied digit by digit; a newline is always a token of its own.
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "−": "-", "\xa0": " ", "\u2028": " ", "\u200b": None})


def plain(text):
    lines = (re.sub(r" +", " ", line).strip() for line in text.translate(PLAIN).split("\n"))
    return "\n".join(line for line in lines if line)


def prose(answer):
    """The worked answer as prose: no <<48/2=24>> calculator marks, no '#### 72' line."""
    return plain(re.sub(r"<<[^>]*>>", "", answer.split("\n####")[0]))


def read_sources(folder):
    for name, digest in SHA256.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != digest:
            sys.exit(f"{folder / name}: expected SHA-256 {digest} but found {found}")
    rows = {s: [json.loads(line) for line in (folder / "gsm8k" / f"{s}.jsonl").open(encoding="utf-8")] for s in ("train", "test")}
    return (folder / "tinyshakespeare.txt").read_text(encoding="utf-8"), rows["train"], rows["test"]


def split_plays(text, rng):
    """(training, held-out, validation) runs of consecutive speeches; what is kept back ends the run before it."""
    stretches, size = [[]], 0
    for speech in (s.strip() for s in text.split("\n\n")):
        if size > STRETCH:
            stretches.append([])
            size = 0
        stretches[-1].append(speech)
        size += len(speech) + 2
    kept_back = rng.sample(range(len(stretches)), HELDOUT_STRETCHES + VALIDATION_STRETCHES)
    train = [[]]
    for i, stretch in enumerate(stretches):
        if i in kept_back:
            train.append([])
        else:
            train[-1] += stretch
    kept_back = [stretches[i] for i in kept_back]
    return [run for run in train if run], kept_back[:HELDOUT_STRETCHES], kept_back[HELDOUT_STRETCHES:]


def train_tokenizer(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tok.token_to_id("<s>"))])
    return tok


def length(tok, text):
    return len(tok.encode(text, add_special_tokens=False).ids)


def pack_speeches(tok, run):
    """Rows of whole lines in order; a row that is nine tenths full ends at its last speech."""
    room = CONTEXT - 2
    rows, row, used = [], "", 0
    for speech in run:
        glue = "\n\n"
        if row and used + 2 + length(tok, speech) > room and used >= 0.9 * room:
            rows.append(row)
            row, used = "", 0
        for line in speech.split("\n"):
            more = length(tok, line) + (len(glue) if row else 0)
            if used + more > room:
                rows.append(row)
                row, used, more = "", 0, length(tok, line)
            row, used, glue = (row + glue if row else "") + line, used + more, "\n"
    return rows + [row]


def cut_sentences(tok, text):
    """Pieces of at most one row, cut after sentences; pieces after the first are what packing fills rows with."""
    room = CONTEXT - 2
    while (code := tok.encode(text, add_special_tokens=False)) and len(code.ids) > room:
        limit = code.offsets[room][0]
        ends = [m.end() for m in re.finditer(r"[.?!]['\")]*(?=\s)|(?=\n)", text[: limit + 1])]
        cut = max(e for e in ends if e <= limit)
        yield text[:cut]
        text = text[cut:].strip()
    yield text


def pack_problems(tok, problems, rng):
    """Best fit, longest first: a row holds whole problems with an empty line between them."""
    pieces = [(length(tok, p), p) for text in problems for p in cut_sentences(tok, text)]
    rows, by_room = [], {}  # by_room: free tokens -> rows with that much room
    for size, piece in sorted(pieces, key=lambda p: (-p[0], p[1])):
        fits = [free for free, some in by_room.items() if some and free >= size + 2]
        if fits:
            free = min(fits)
            row = by_room[free].pop()
        else:
            free, row = CONTEXT, []  # as if <s>, </s> were the empty line before a first piece
            rows.append(row)
        row.append(piece)
        by_room.setdefault(free - size - 2, []).append(row)
    for row in rows:
        rng.shuffle(row)
    return ["\n\n".join(row) for row in rows]


def instruction(tok, row):
    """A prompt/completion row in GSM8K's own answer format, or None if it is too long."""
    prompt, completion = plain(row["question"]) + "\n", plain(row["answer"])
    whole = tok.encode(prompt + completion + "</s>").ids
    start = tok.encode(prompt).ids
    assert whole[: len(start)] == start, prompt
    return {"prompt": prompt, "completion": completion} if len(whole) <= SFT_CONTEXT else None


def write_rows(path, rows, compress=False):
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
    path.write_bytes(gzip.compress(data, 9, mtime=0) if compress else data)


def report(tok, name, texts):
    codes = [len(c.ids) + 1 for c in tok.encode_batch(texts)]
    tokens, size = sum(codes), sum(len(t.encode("utf-8")) for t in texts)
    print(f"{name}: {len(texts)} rows, {size} bytes, {tokens} tokens, longest {max(codes)}, "
          f"{size / (tokens - len(texts)):.4f} bytes per predicted token, {1 - tokens / (len(texts) * max(codes)):.4f} padding")


def main(source, out):
    plays, train, test = read_sources(source)
    rng = random.Random(SEED)
    runs, held_plays, checked_plays = split_plays(plays, rng)
    rng.shuffle(train)
    # Whatever holds <, > or # outside its calculator marks stays out: pretraining never shows them.
    problems = {plain(r["question"]) + "\n" + prose(r["answer"]): r for r in train}
    problems = {text: r for text, r in problems.items() if not re.search("[<>#]", text)}
    held_problems = list(problems)[:HELDOUT_PROBLEMS]
    checked_problems = list(problems)[HELDOUT_PROBLEMS : HELDOUT_PROBLEMS + VALIDATION_PROBLEMS]
    rest = list(problems)[HELDOUT_PROBLEMS + VALIDATION_PROBLEMS :]

    tok = train_tokenizer([speech for run in runs for speech in run] + rest)
    sft_train, pretrain = [], []
    for text in rest:
        row = instruction(tok, problems[text]) if len(sft_train) < SFT_TRAIN else None
        if row:
            sft_train.append(row)
        else:
            pretrain.append(text)
    sft_eval = [row for row in (instruction(tok, r) for r in test) if row][:SFT_EVAL]
    assert len(sft_train) == SFT_TRAIN and len(sft_eval) == SFT_EVAL

    def rows(runs, problems):
        return [row for run in runs for row in pack_speeches(tok, run)] + pack_problems(tok, problems, rng)

    texts = rows(runs, pretrain)
    rng.shuffle(texts)
    heldout, validation = rows(held_plays, held_problems), rows(checked_plays, checked_problems)

    model = out / "model"
    model.mkdir(parents=True, exist_ok=True)
    tok.save(str(model / "tokenizer.json"))
    (model / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "clean_up_tokenization_spaces": False,
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}, indent=2) + "\n", encoding="utf-8")
    write_rows(out / "pretrain.jsonl.gz", [{"text": t} for t in texts], compress=True)
    write_rows(out / "heldout.jsonl", [{"text": t} for t in heldout])
    write_rows(out / "validation.jsonl", [{"text": t} for t in validation])
    write_rows(out / "sft_train.jsonl", sft_train)
    write_rows(out / "sft_eval.jsonl", sft_eval)
    report(tok, "pretrain", texts)
    report(tok, "heldout", heldout)
    report(tok, "validation", validation)
    report(tok, "sft_train", [r["prompt"] + r["completion"] for r in sft_train])
    report(tok, "sft_eval", [r["prompt"] + r["completion"] for r in sft_eval])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
