"""10kGNAD articles and word vectors as the peers read them: files to tokens, tokens to ids."""

import csv
import gzip
import re

UNK = 0

TOKENIZERS = {
    "whitespace": str.split,
    # Splitting punctuation off finds far more words in vectors whose vocabulary was built that way.
    "words": re.compile(r"\w+|[^\w\s]").findall,
}


def read_articles(path, tokenizer):
    """Rows `category;text` without a header, quoted by `'`, as ([tokens, ...], [category, ...])."""
    tokenize = TOKENIZERS[tokenizer]
    documents, categories = [], []
    # newline="" leaves line ends to the csv module: a quoted text may contain some.
    with open(path, encoding="utf-8", newline="") as file:
        for row, (category, text) in enumerate(csv.reader(file, delimiter=";", quotechar="'", strict=True)):
            tokens = tokenize(text)
            if not tokens:
                raise ValueError(f"{path}: article {row} has no token")
            documents.append(tokens)
            categories.append(category)
    return documents, categories


def read_vectors(path, wanted):
    """The wanted words of a word2vec text file, as ({word: id}, [vector, ...]); ids from 1, in file order.

    Leaving the other words out changes no result while the table is frozen, and saves reading their numbers.
    """
    ids, rows = {}, []
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        size = int(file.readline().split()[1])
        for line in file:
            # Bytes, right side, ASCII only: the vocabulary contains words that are Unicode white space.
            word, *numbers = line.rstrip(b" \t\r\n").decode("utf-8").split(" ")
            if word not in wanted or word in ids:
                continue
            if len(numbers) != size:
                raise ValueError(f"{path}: {word!r} has {len(numbers)} numbers instead of {size}")
            ids[word] = len(ids) + 1
            rows.append([float(number) for number in numbers])
    return ids, rows
