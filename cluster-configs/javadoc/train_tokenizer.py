"""Trains a byte-level BPE tokenizer on JSON lines with a field "text", with the Python package tokenizers.

    python train_tokenizer.py VOCABULARY EVERY OUT.json FILE.jsonl...

Takes every EVERY-th document. The words are split as GPT-2 splits them; the special tokens are those of ChatML.
"""

import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def documents(every, files):
    number = 0
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                number += 1
                if number % every == 0:
                    yield json.loads(line)["text"]


vocabulary, every, out, files = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sorted(sys.argv[4:])
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=vocabulary,
    special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
tokenizer.train_from_iterator(documents(every, files), trainer)
tokenizer.save(out)
print(out, tokenizer.get_vocab_size())
