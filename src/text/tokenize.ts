/** Splits a text into tokens. Case is kept. */
export type Tokenizer = (text: string) => string[]

/**
 * The characters of Python's `str.isspace`, for a class of a regular expression. JavaScript's `\s` also contains U+FEFF, and
 * lacks U+001C to U+001F and U+0085.
 */
export const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const notSpace = new RegExp(`[^${space}]+`, 'gu')
const wordOrSign = new RegExp(`[\\p{L}\\p{N}_]+|[^\\p{L}\\p{N}_${space}]`, 'gu')

/**
 * The tokenizers by name.
 * @example
 * ```ts
 * import { tokenizers } from 'packed-rnn/text'
 *
 * console.log(tokenizers.whitespace('Wien, am Ring')) // ['Wien,', 'am', 'Ring']
 * console.log(tokenizers.words('Wien, am Ring')) // ['Wien', ',', 'am', 'Ring']
 * ```
 */
export const tokenizers = {
  /** Splits at white space, exactly like Python's `str.split()`. Punctuation stays attached to its word. */
  whitespace: text => text.match(notSpace) ?? [],

  /**
   * Returns runs of letters, digits and `_` (Python's `\w+`), and every other character except white space as its own token.
   * Use it with word vectors whose training text had punctuation separated.
   */
  words: text => text.match(wordOrSign) ?? [],
} satisfies Record<string, Tokenizer>
