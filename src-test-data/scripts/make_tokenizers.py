#!/usr/bin/env python
"""Small tokenizers in the published layouts, and what transformers makes of hard texts with them.

    python make_tokenizers.py [--out DIR]      (default: golden/tokenizers)

llama3: byte-level BPE behind Llama 3's regular expression, ignore_merges, BOS by the post-processor.
llama2: SentencePiece-like BPE, Prepend and Replace as normalizer, byte fallback; BOS by the post-processor.
phi3:   llama2 and Phi-3's added tokens; tokenizer_config.json strips behind some that tokenizer.json does not
        strip behind, and adds one that tokenizer.json lacks.
Each directory: tokenizer.json, tokenizer_config.json and cases.json: texts with ids and decoded texts;
conversations with ids and assistant masks, as transformers gives them for a template with {% generation %}
("marked") and as TRL gives the labels for one without ("plain", absent where TRL has no counterpart).
"""
import argparse, json, os, sys, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import transformers, trl
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from trl.chat_template_utils import get_training_chat_template

transformers.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
REGEX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXT = [line for name in ("heldout", "sft_train", "sft_eval")
        for line in open(os.path.join(RESOURCES, "embedded", name + ".jsonl"), encoding="utf-8").read().split("\n")]
TEXT += ["Zürich, café, naïve. Привет мир! 東京 日本語 🙂 👩‍👩‍👧"] * 3


def llama3():
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(REGEX), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)])
    tok.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    tok.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"]
    tok.add_special_tokens([AddedToken(n, normalized=False, special=True) for n in names])
    bos = "<|begin_of_text|>"
    tok.post_processor = processors.Sequence([
        processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=True),
        processors.TemplateProcessing(single=bos + ":0 $A:0", pair=f"{bos}:0 $A:0 {bos}:1 $B:1", special_tokens=[(bos, tok.token_to_id(bos))])])
    config = {"bos_token": bos, "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>", "clean_up_tokenization_spaces": True,
              "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072, "tokenizer_class": "PreTrainedTokenizerFast",
              "added_tokens_decoder": {str(tok.token_to_id(n)): {"content": n, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for n in names}}
    return tok, config, "llama3", "<|end_of_text|>"


def sentencepiece():
    """Trains with the space as a letter, then takes the published layout."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    trained.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=800, special_tokens=["<unk>", "<s>", "</s>"] + bytes_, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    # a lone space must be a token, and runs of spaces merge as in Llama 2
    for piece in ("▁", "▁▁", "▁▁▁▁"):
        model["vocab"].setdefault(piece, len(model["vocab"]))
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]] + [("▁", "▁"), ("▁▁", "▁▁")]
    tok = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens([AddedToken(n, normalized=False, special=True) for n in ("<unk>", "<s>", "</s>")])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tok


def llama2():
    config = {"add_bos_token": True, "add_eos_token": False, "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False},
              "clean_up_tokenization_spaces": False, "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False},
              "legacy": False, "model_max_length": 1000000000000000019884624838656, "pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast",
              "unk_token": {"__type": "AddedToken", "content": "<unk>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}}
    return sentencepiece(), config, "mixtral_v0.1_new", "</s>"


def phi3():
    tok = sentencepiece()
    names = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
    tok.add_special_tokens([AddedToken(n, normalized=False, special=True, rstrip=False) for n in names])
    added = {str(tok.token_to_id(n)): {"content": n, "lstrip": False, "normalized": False, "rstrip": n not in ("<unk>", "<s>", "<|endoftext|>"), "single_word": False, "special": n != "</s>"}
             for n in ["<unk>", "<s>", "</s>"] + names}
    added[str(tok.get_vocab_size())] = {"content": "<|placeholder1|>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False, "special": True}
    config = {"add_bos_token": False, "added_tokens_decoder": added, "bos_token": "<s>", "clean_up_tokenization_spaces": False, "eos_token": "<|endoftext|>", "legacy": False,
              "model_max_length": 4096, "pad_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
    return tok, config, "phi3", "<|end|>"


HARD = ["", " ", "  ", "\n", "\n\n\n", " \n ", "\t", "Hello, world!", " leading", "trailing ", "  two  spaces  inside  ", "a\tb\r\nc", "     five", "x" * 40, "THE QUICK brown fox's can't won't I'LL",
        "1234567890", "3.14159 and 1,000,000", "naïve café Zürich", "Привет мир", "東京 日本語", "🙂", "👩‍👩‍👧 family", "a🙂b 東c", "e\u0301 combining", "\u200bzero\u200bwidth\ufeff", "\u00a0nbsp\u3000ideographic",
        "<s>inside</s> text", "<|eot_id|> and <|begin_of_text|>x", "<|end|>\n<|user|>\nhi<|end|> there", "<|assistant|>   spaces", "<|placeholder1|> placeholder", "half <|eot_id", "▁literal▁metaspace", "<0x41> literal byte",
        "[INST] q [/INST] a", "def f(x):\n    return x ** 2  # \\n", "{\"json\": [1, 2.5, null]}", "ﷺ ﬁ ½ Å", "\U0001F1E9\U0001F1EA flag", "mixed עברית and العربية", "tab\ttab\t\ttab", "null\u0000char", "\u0085next line\u2028sep"]
TALKS = [[("user", "What is 2+2?"), ("assistant", "It is 4.")],
         [("system", "Be brief."), ("user", "naïve 🙂"), ("assistant", "東京 🙂"), ("user", "and?"), ("assistant", " Two\n\nlines ")],
         [("user", "only a question")]]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "golden", "tokenizers"))
    out = ap.parse_args().out
    templates = {t["name"]: t["template"] for t in json.load(open(os.path.join(RESOURCES, "golden", "chat", "templates.json"), encoding="utf-8"))["templates"]}
    for make in (llama3, llama2, phi3):
        directory = os.path.join(out, make.__name__)
        os.makedirs(directory, exist_ok=True)
        tok, config, template, _ = make()
        config["chat_template"] = templates[template]
        tok.save(os.path.join(directory, "tokenizer.json"))
        json.dump(config, open(os.path.join(directory, "tokenizer_config.json"), "w", encoding="utf-8"), ensure_ascii=False, indent=1)
        auto = AutoTokenizer.from_pretrained(directory)
        size = len(auto)
        texts = []
        for text in HARD:
            ids, bare = auto(text)["input_ids"], auto(text, add_special_tokens=False)["input_ids"]
            texts.append({"text": text, "ids": ids, "ids_no_special": bare, "decoded": auto.decode(ids, skip_special_tokens=True), "decoded_all": auto.decode(ids, skip_special_tokens=False)})
        talks = []
        training = get_training_chat_template(auto) if template in ("llama3", "phi3") else None
        for talk in TALKS:
            messages = [{"role": r, "content": c} for r, c in talk]
            whole = auto.apply_chat_template(messages, tokenize=True)["input_ids"]
            entry = {"messages": messages, "ids": whole}
            if training:
                marked = auto.apply_chat_template(messages, chat_template=training, return_assistant_tokens_mask=True, return_dict=True)
                assert marked["input_ids"] == whole
                entry["mask"] = marked["assistant_masks"]
            talks.append(entry)
        cases = {"size": size, "bos": auto.bos_token_id, "eos": auto.eos_token_id, "pad": auto.pad_token_id, "special_ids": sorted(auto.all_special_ids), "texts": texts, "talks": talks, "training_template": training}
        json.dump(cases, open(os.path.join(directory, "cases.json"), "w", encoding="utf-8"), ensure_ascii=True, indent=0)
        print(make.__name__, size, len(texts))


main()
