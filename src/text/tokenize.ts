/** Cuts a text into tokens; case is kept. */
export type Tokenizer = (text: string) => string[]

// Python's `str.isspace`. JavaScript's `\s` has U+FEFF besides, and lacks U+001C to U+001F and U+0085.
const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const notSpace = new RegExp(`[^${space}]+`, 'gu')
const wordOrSign = new RegExp(`[\\p{L}\\p{N}_]+|[^\\p{L}\\p{N}_${space}]`, 'gu')

/** The ways to cut a text into tokens, by the name that a configuration gives them. */
export const tokenizers = {
  /** What stands between white space, exactly as Python's `str.split()`; punctuation stays on its word. */
  whitespace: text => text.match(notSpace) ?? [],

  /**
   * Runs of letters, digits and `_` (Python's `\w+`), and every other character that is not white space by itself:
   * for word vectors whose training text had its punctuation split off.
   */
  words: text => text.match(wordOrSign) ?? [],
} satisfies Record<string, Tokenizer>
