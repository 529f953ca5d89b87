import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Generator } from '../random.js'
import { readArticles } from '../text/gnad.js'
import { LabelEncoder } from '../text/labels.js'
import { tokenizers } from '../text/tokenize.js'

/** Documents as ids below `words`, and their classes. */
export interface Documents {
  documents: Int32Array[]
  labels: Int32Array
  tokens: number
  words: number
  classes: number
  /** Their source. */
  about: string
}

const CLASSES = 9
const SEED = 1
/** The vocabulary size of the invented documents. */
const LANGUAGE = 200_000
/**
 * The exponent of Zipf's law, p ~ 1 / rank^1.02. With it, 94,700 tokens (a batch of 256 documents) have 25,800 distinct words,
 * as in German news.
 */
const ZIPF = 1.02

/** Returns `count` documents of random words with the lengths of bench/gnad-lengths.json. They are the same in every call. */
export function inventDocuments(count: number, words = LANGUAGE): Documents {
  const { about, lengths }: { about: string; lengths: number[] } = JSON.parse(
    readFileSync(new URL('../../bench/gnad-lengths.json', import.meta.url), 'utf8'),
  )
  const generator = new Generator(SEED)
  const cumulative = new Float64Array(words)
  let total = 0
  for (let rank = 1; rank <= words; rank++) {
    total += rank ** -ZIPF
    cumulative[rank - 1] = total
  }
  const word = () => {
    const wanted = generator.uniform(0, total)
    let [low, high] = [0, words - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
  const documents = Array.from({ length: count }, (_, i) =>
    Int32Array.from({ length: lengths[Math.floor((i * lengths.length) / count)]! }, word),
  )
  generator.shuffle(documents)
  const labels = Int32Array.from({ length: count }, () => generator.below(CLASSES))
  return { documents, labels, tokens: tokensOf(documents), words, classes: CLASSES, about }
}

/** Reads the first articles of a file, split at white space. */
export async function readDocuments(file: string, count: number, signal?: AbortSignal): Promise<Documents> {
  const articles = (await readArticles(file, signal && { signal })).slice(0, count)
  const ids = new Map<string, number>()
  const documents = articles.map(({ text }) =>
    Int32Array.from(tokenizers.whitespace(text), word => {
      const id = ids.get(word) ?? ids.size
      ids.set(word, id)
      return id
    }),
  )
  const categories = articles.map(({ category }) => category)
  const encoder = LabelEncoder.fit(categories)
  return {
    ...{ documents, labels: encoder.transform(categories), tokens: tokensOf(documents) },
    ...{ words: ids.size, classes: encoder.classes.length, about: `the first articles of ${file}` },
  }
}

/** The same documents with ids from 0 in the order of first occurrence, so a table needs only rows of words that occur. */
export function renumbered(data: Documents): Documents {
  const ids = new Map<number, number>()
  const documents = data.documents.map(document =>
    document.map(word => {
      const id = ids.get(word) ?? ids.size
      ids.set(word, id)
      return id
    }),
  )
  return { ...data, documents, words: ids.size }
}

function tokensOf(documents: readonly Int32Array[]): number {
  return documents.reduce((sum, { length }) => sum + length, 0)
}

/** Writes ids.i32, lengths.i32 and labels.i32 for the processes of a benchmark. */
export async function writeDocuments(
  folder: string,
  { documents, labels, tokens }: Pick<Documents, 'documents' | 'labels' | 'tokens'>,
): Promise<void> {
  const ids = new Int32Array(tokens)
  let at = 0
  for (const document of documents) {
    ids.set(document, at)
    at += document.length
  }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'ids.i32'), ids)
  await writeFile(join(folder, 'labels.i32'), labels)
  await writeFile(
    join(folder, 'lengths.i32'),
    Int32Array.from(documents, ({ length }) => length),
  )
}

/** Reads the files of `writeDocuments`. */
export async function loadDocuments(
  folder: string,
): Promise<Pick<Documents, 'documents' | 'labels' | 'tokens'>> {
  const ids = await integers(join(folder, 'ids.i32'))
  let at = 0
  const documents = Array.from(await integers(join(folder, 'lengths.i32')), length => {
    at += length
    return ids.subarray(at - length, at)
  })
  return { documents, labels: await integers(join(folder, 'labels.i32')), tokens: ids.length }
}

async function integers(file: string): Promise<Int32Array> {
  const bytes = await readFile(file)
  return new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}
