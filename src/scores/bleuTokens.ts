import { space, tokenizers } from '../text/tokenize.js'

/**
 * How BLEU splits a text, under sacreBLEU's names. `'none'`: at white space, for texts that are tokenized already. `'13a'`: as
 * mteval-v13a.pl, which WMT used. `'intl'`: as mteval-v14.pl, at all punctuation and symbols of Unicode. `'char'`: every
 * character except white space.
 */
export type BleuTokenizer = 'none' | '13a' | 'intl' | 'char'

/** A text with spaces around its tokens. */
const spaced: Readonly<Record<BleuTokenizer, (text: string) => string>> = {
  none: text => text,

  '13a': text =>
    ` ${unescaped(text)} `
      // ASCII punctuation, except the full stop, comma, hyphen and apostrophe.
      .replace(/[{-~[-` -&(-+:-@/]/g, ' $& ')
      // Full stops and commas, unless they are between digits.
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      // A hyphen after a digit.
      .replace(/([0-9])(-)/g, '$1 $2 '),

  // A mark at the end of a text stays attached to a number before it, as in mteval-v14.pl.
  intl: text =>
    text
      .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
      .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
      .replace(/\p{S}/gu, ' $& '),

  char: text => [...text].join(' '),
}

/** The tokens that BLEU counts. White space is Python's, because the definition is sacreBLEU's. */
export function bleuTokens(text: string, tokenizer: BleuTokenizer, lowercase: boolean): string[] {
  const given = lowercase ? text.toLowerCase() : text
  return tokenizers.whitespace(spaced[tokenizer](given.replace(trailingSpace, '')))
}

const trailingSpace = new RegExp(`[${space}]+$`, 'u')

/** What mteval-v13a.pl removes and replaces before it splits. */
function unescaped(text: string): string {
  return text
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
}
