import { checkList } from '../check.js'
import { badArgument } from '../errors.js'
import { Bpe, type Merge } from './bpe.js'
import { tokenizers } from './tokenize.js'

/** Cuts a text into tokens and joins tokens to a text. It can be saved as JSON; `tokenCodec` restores it. */
export interface TokenCodec {
  /** Says which one it is, in JSON too. */
  readonly name: string
  /** Returns the tokens of a text. */
  encode(text: string): string[]
  /** Returns the text of tokens. */
  decode(tokens: readonly string[]): string
  /** Returns what `tokenCodec` takes. */
  toJSON(): TokenCodecJson
}

/** A codec in JSON. */
export type TokenCodecJson = { name: 'whitespace' | 'words' | 'characters' } | ReturnType<Bpe['toJSON']>

/** The codecs that have nothing to learn. */
const plain = {
  whitespace: { encode: tokenizers.whitespace, between: ' ' },
  words: { encode: tokenizers.words, between: ' ' },
  // Code points, so that no surrogate pair is cut.
  characters: { encode: (text: string) => Array.from(text), between: '' },
}

/**
 * Returns a codec by its name or its JSON:
 *
 * - `whitespace`: as `tokenizers.whitespace`. Tokens are joined by single spaces.
 * - `words`: as `tokenizers.words`. Tokens are joined by single spaces, so punctuation stays separate.
 * - `characters`: Unicode code points; spaces are tokens like others. `decode` restores every text.
 * - `bpe`: a `Bpe`, with its merges.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name, and for merges that are not pairs of symbols.
 *
 * @example
 * ```ts
 * import { Bpe, tokenCodec } from 'packed-rnn/text'
 *
 * const characters = tokenCodec('characters')
 * console.log(characters.encode('da 😀')) // ['d', 'a', ' ', '😀']
 * const saved = JSON.stringify(new Bpe([['d', 'a</w>']]))
 * console.log(saved) // {"name":"bpe","merges":[["d","a</w>"]]}
 * const restored = tokenCodec(JSON.parse(saved))
 * console.log(restored.name, restored.encode('da dada')) // bpe ['da', 'd@@', 'a@@', 'da']
 * ```
 */
export function tokenCodec(given: TokenCodecJson | TokenCodecJson['name']): TokenCodec {
  const json: { name: string; merges?: unknown } = typeof given === 'string' ? { name: given } : given
  const name = json?.name
  if (name === 'whitespace' || name === 'words' || name === 'characters') return plainCodec(name)
  if (name !== 'bpe') {
    throw badArgument('tokenCodec', 'name', `one of ${[...Object.keys(plain), 'bpe'].join(', ')}`, name)
  }
  return new Bpe(mergesOf(json.merges))
}

function plainCodec(name: keyof typeof plain): TokenCodec {
  const { encode, between } = plain[name]
  return { name, encode, decode: tokens => tokens.join(between), toJSON: () => ({ name }) }
}

function mergesOf(merges: unknown): Merge[] {
  checkList('tokenCodec', 'merges', merges, 'pairs')
  return (merges as readonly unknown[]).map((merge, i): Merge => {
    const [left, right, ...others]: unknown[] = Array.isArray(merge) ? merge : []
    if (typeof left === 'string' && typeof right === 'string' && others.length === 0) return [left, right]
    throw badArgument('tokenCodec', `merges[${i}]`, 'two strings', merge)
  })
}
