import { byCodePoint } from './codePoints.js'

/** Marks the last symbol of a word, so that a merge within words never applies at their end. */
export const WORD_END = '</w>'

/** Two neighbouring symbols that become one. */
export type Merge = readonly [left: string, right: string]

/** A word's characters; the last one has the end mark. */
export function symbolsOf(word: string): string[] {
  const symbols = Array.from(word)
  symbols.push(symbols.pop()! + WORD_END)
  return symbols
}

/**
 * Learns merges (Sennrich, Haddow and Birch 2016, algorithm 1): the most frequent pair of neighbouring symbols becomes one
 * symbol, again and again. Of equally frequent pairs the last one in code point order is merged, as in subword-nmt.
 *
 * A pair's count falls after the merge that made it, and rises only in the rare case that another merge makes the same symbol.
 * So the heap may hold counts from before: a candidate whose count has fallen goes back with the new one.
 *
 * @param counts the words and how often each occurs.
 * @returns at most `most` merges; fewer if no pair occurs `minCount` times any more.
 */
export function learnMerges(counts: ReadonlyMap<string, number>, most: number, minCount: number): Merge[] {
  const corpus = new Corpus(counts)
  const heap = new Heap()
  for (const pair of corpus.pairs()) heap.push(corpus.candidate(pair))
  const merges: Merge[] = []
  while (merges.length < most) {
    const top = heap.pop()
    if (top === undefined || top.count < minCount) break
    const now = corpus.candidate(top.pair)
    if (now.count < top.count) {
      if (now.count > 0) heap.push(now)
      continue
    }
    merges.push(top.merge)
    for (const pair of corpus.merge(top)) heap.push(corpus.candidate(pair))
  }
  return merges
}

/** Two symbol numbers as one number; a corpus has far fewer symbols than 2²⁴. */
type Pair = number
const PAIR_BASE = 2 ** 24

/** A pair with its symbols and its count when the candidate was made. */
interface Candidate {
  pair: Pair
  merge: Merge
  count: number
}

/** The words as symbol numbers, with the count of each pair and the words that contain it: a merge visits no others. */
class Corpus {
  readonly #symbols: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #words: { symbols: number[]; count: number }[]
  readonly #pairs = new Map<Pair, { count: number; words: Set<number> }>()

  constructor(counts: ReadonlyMap<string, number>) {
    this.#words = Array.from(counts, ([word, count]) => {
      return { symbols: symbolsOf(word).map(symbol => this.#number(symbol)), count }
    })
    for (let w = 0; w < this.#words.length; w++) this.#count(w, 1)
  }

  pairs(): Iterable<Pair> {
    return this.#pairs.keys()
  }

  candidate(pair: Pair): Candidate {
    const merge: Merge = [this.#symbols[Math.floor(pair / PAIR_BASE)]!, this.#symbols[pair % PAIR_BASE]!]
    return { pair, merge, count: this.#pairs.get(pair)?.count ?? 0 }
  }

  /** Merges a pair in all words. Returns the pairs with the new symbol. */
  merge({ pair, merge }: Candidate): Set<Pair> {
    const merged = this.#number(merge.join(''))
    const made = new Set<Pair>()
    for (const w of this.#pairs.get(pair)!.words) {
      const word = this.#words[w]!
      this.#count(w, -1)
      word.symbols = mergePair(word.symbols, pair, merged)
      for (const each of this.#count(w, 1)) {
        if (each % PAIR_BASE === merged || Math.floor(each / PAIR_BASE) === merged) made.add(each)
      }
    }
    return made
  }

  #number(symbol: string): number {
    const known = this.#numbers.get(symbol)
    if (known !== undefined) return known
    this.#numbers.set(symbol, this.#symbols.length)
    return this.#symbols.push(symbol) - 1
  }

  /** Adds a word's pairs to the counts, or takes them out. Returns them. */
  #count(w: number, sign: 1 | -1): Pair[] {
    const { symbols, count } = this.#words[w]!
    const pairs: Pair[] = []
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = symbols[i]! * PAIR_BASE + symbols[i + 1]!
      const known = this.#pairs.get(pair)
      if (known === undefined) this.#pairs.set(pair, { count, words: new Set([w]) })
      else {
        known.count += sign * count
        if (sign > 0) known.words.add(w)
        else known.words.delete(w)
      }
      pairs.push(pair)
    }
    return pairs
  }
}

/** Replaces a pair from left to right. */
function mergePair(symbols: readonly number[], pair: Pair, merged: number): number[] {
  const result: number[] = []
  for (let i = 0; i < symbols.length; i++) {
    const isPair = i + 1 < symbols.length && symbols[i]! * PAIR_BASE + symbols[i + 1]! === pair
    result.push(isPair ? merged : symbols[i]!)
    if (isPair) i++
  }
  return result
}

/** A binary heap with the pair to merge next at its top. */
class Heap {
  readonly #items: Candidate[] = []

  push(item: Candidate): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!precedes(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): Candidate | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && precedes(items[child + 1]!, items[child]!)) child++
      if (!precedes(items[child]!, last)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return top
  }
}

function precedes(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count
  return (byCodePoint(a.merge[0], b.merge[0]) || byCodePoint(a.merge[1], b.merge[1])) > 0
}
