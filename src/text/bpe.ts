import { checkInteger, checkList, checkOptions } from '../check.js'
import { badArgument, badFile, ofFile } from '../errors.js'
import { readText } from '../files/read.js'
import { writeWhole } from '../files/write.js'
import { learnMerges, type Merge, symbolsOf, WORD_END } from './bpeLearn.js'
import { lines } from './lines.js'
import { tokenizers } from './tokenize.js'

export type { Merge } from './bpeLearn.js'

/** Options of `Bpe.learn`. */
export interface BpeOptions {
  /** Merges to learn, at most. The vocabulary has about as many tokens, and the characters. */
  merges: number
  /** Stops when no pair occurs so often any more; default 2, as in subword-nmt. */
  minCount?: number
}

const VERSION = '#version: 0.2'
/** Ends a token whose word continues. */
const CONTINUED = '@@'
/** Words whose tokens are remembered, at most. */
const MOST_REMEMBERED = 2 ** 17

/**
 * Byte pair encoding (Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016): a
 * word is cut into frequent parts, so that rare words need no unknown token. The merges, their order and the tokens are those
 * of subword-nmt 0.3. A text is split at white space first; separate punctuation before, with other tools or `words`.
 *
 * A token that ends in `@@` continues in the next one. `decode` joins them; words are then separated by single spaces. A word of
 * the text that ends in `@@` is joined to the next word.
 *
 * @example
 * ```ts
 * import { Bpe } from 'packed-rnn/text'
 *
 * const bpe = Bpe.learn(['low low low lower newest newest widest'], { merges: 6 })
 * console.log(bpe.merges.slice(0, 3)) // [['l', 'o'], ['w', 'e'], ['s', 't</w>']]
 * const tokens = bpe.encode('lowest newer')
 * console.log(tokens) // ['lo@@', 'west', 'ne@@', 'we@@', 'r']
 * console.log(bpe.decode(tokens)) // lowest newer
 * ```
 */
export class Bpe {
  /** The name in JSON. */
  readonly name = 'bpe'
  /** In the order in which they are applied. The last symbol of a word ends in `</w>`. */
  readonly merges: readonly Merge[]
  readonly #ranks: ReadonlyMap<string, number>
  readonly #remembered = new Map<string, readonly string[]>()

  /**
   * Takes merges that were learned before.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a merge that is not two symbols without white space.
   */
  constructor(merges: readonly Merge[]) {
    checkList('Bpe', 'merges', merges, 'pairs')
    for (const [i, merge] of merges.entries()) {
      const isPair = Array.isArray(merge) && merge.length === 2 && merge.every(isSymbol)
      if (!isPair) throw badArgument('Bpe', `merges[${i}]`, 'two symbols', merge)
    }
    this.merges = merges.map(([left, right]) => [left, right])
    // Of a pair that occurs twice, the first counts.
    this.#ranks = new Map(merges.map((merge, rank) => [merge.join(' '), rank] as const).reverse())
  }

  /**
   * Learns merges from texts. Pass the texts of both languages for merges that they share.
   *
   * @throws PackedRnnError ERR_OUT_OF_RANGE if `merges` or `minCount` is not a positive integer; ERR_EMPTY for texts without
   * words; ERR_INVALID_ARGUMENT for an unknown option.
   */
  static learn(texts: Iterable<string>, options: BpeOptions): Bpe {
    checkOptions('Bpe.learn', options, { merges: true, minCount: true })
    const { merges, minCount = 2 } = options
    checkInteger('Bpe.learn', 'merges', merges, 1)
    checkInteger('Bpe.learn', 'minCount', minCount, 1)
    const counts = new Map<string, number>()
    for (const text of texts) {
      for (const word of tokenizers.whitespace(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    if (counts.size === 0) throw badArgument('Bpe.learn', 'texts', 'at least one word', 'none', 'ERR_EMPTY')
    return new Bpe(learnMerges(counts, merges, minCount))
  }

  /** Returns the tokens of a text. */
  encode(text: string): string[] {
    return tokenizers.whitespace(text).flatMap(word => this.#tokensOf(word))
  }

  /** Returns the text of tokens. */
  decode(tokens: readonly string[]): string {
    const text = tokens.map(token =>
      token.endsWith(CONTINUED) ? token.slice(0, -CONTINUED.length) : `${token} `,
    )
    return text.join('').replace(/ $/, '')
  }

  /** Returns what `tokenCodec` takes; `JSON.stringify` calls it. */
  toJSON(): { name: 'bpe'; merges: [string, string][] } {
    return { name: 'bpe', merges: this.merges.map(([left, right]) => [left, right]) }
  }

  #tokensOf(word: string): readonly string[] {
    const remembered = this.#remembered.get(word)
    if (remembered !== undefined) return remembered
    const symbols = this.#merged(symbolsOf(word))
    const last = symbols.pop()!.slice(0, -WORD_END.length)
    const tokens = [...symbols.map(symbol => symbol + CONTINUED), last]
    if (this.#remembered.size === MOST_REMEMBERED) this.#remembered.clear()
    this.#remembered.set(word, tokens)
    return tokens
  }

  /** Applies the merges: of all pairs in a word, the one that was learned first. */
  #merged(symbols: string[]): string[] {
    for (;;) {
      let first = Infinity
      for (let i = 0; i + 1 < symbols.length; i++) {
        first = Math.min(first, this.#ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? Infinity)
      }
      if (first === Infinity) return symbols
      const [left, right] = this.merges[first]!
      const next: string[] = []
      for (let i = 0; i < symbols.length; i++) {
        const isPair = symbols[i] === left && symbols[i + 1] === right
        next.push(isPair ? left + right : symbols[i]!)
        if (isPair) i++
      }
      symbols = next
    }
  }
}

/** Whether a part of a merge is text without white space: JavaScript may pass anything. */
function isSymbol(part: unknown): boolean {
  return typeof part === 'string' && tokenizers.whitespace(part)[0] === part
}

/**
 * Reads merges from a file of subword-nmt (`learn-bpe`): a line `#version: 0.2`, then a merge a line, in their order. The file
 * is decompressed if its name ends in `.gz`.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for another version, or for a line that is not two symbols;
 * ERR_FILE_FORMAT for a damaged `.gz` or invalid UTF-8; ERR_INVALID_ARGUMENT if the file cannot be read.
 *
 * @example
 * ```ts
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { Bpe, readBpe, writeBpe } from 'packed-rnn/text'
 *
 * const file = join(tmpdir(), `merges-${process.pid}.bpe`)
 * await writeBpe(file, new Bpe([['e', 'r</w>']]))
 * console.log((await readBpe(file)).encode('er der')) // ['er', 'd@@', 'er']
 * ```
 */
export async function readBpe(file: string): Promise<Bpe> {
  const merges: Merge[] = []
  let line = 0
  for await (const text of lines(readText(file))) {
    line++
    if (line === 1) {
      if (text.trimEnd() !== VERSION) throw badFile(file, 1, VERSION, text)
      continue
    }
    const [left = '', right = '', ...others] = text.split(' ')
    if (left === '' || right === '' || others.length > 0) throw badFile(file, line, 'two symbols', text)
    merges.push([left, right])
  }
  if (line === 0) throw badFile(file, 1, VERSION, 'an empty file')
  return ofFile(file, () => new Bpe(merges))
}

/**
 * Writes merges in the format that `readBpe` and subword-nmt read.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if the file cannot be written.
 *
 * @example
 * ```ts
 * import { readFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { Bpe, writeBpe } from 'packed-rnn/text'
 *
 * const file = join(tmpdir(), `written-${process.pid}.bpe`)
 * await writeBpe(file, new Bpe([['e', 'r</w>']]))
 * console.log(readFileSync(file, 'utf8').split('\n')) // ['#version: 0.2', 'e r</w>', '']
 * ```
 */
export async function writeBpe(file: string, bpe: Bpe): Promise<void> {
  const text = [VERSION, ...bpe.merges.map(merge => merge.join(' ')), ''].join('\n')
  await writeWhole(file, Buffer.from(text))
}
