/** The text rules of fast.ai's first version, and a tokeniser in the place of spaCy's. */
import { decodeHTML } from 'entities'

/** The specials, in the order of their ids. */
export const fastaiSpecials = [
  ...['xxunk', 'xxpad', 'xxbos', 'xxeos', 'xxfld', 'xxmaj', 'xxup', 'xxrep', 'xxwrep'],
] as const

/** Leftovers of HTML in old data sets, and what stands for them, in this order. */
const leftovers: readonly (readonly [string, string])[] = [
  ...([
    ['#39;', "'"],
    ['amp;', '&'],
    ['#146;', "'"],
    ['nbsp;', ' '],
    ['#36;', '$'],
    ['\\n', '\n'],
  ] as const),
  ...([
    ['quot;', "'"],
    ['<br />', '\n'],
    ['\\"', '"'],
    ['<unk>', 'xxunk'],
    [' @.@ ', '.'],
  ] as const),
  ...([
    [' @-@ ', '-'],
    [' @,@ ', ','],
    ['\\', ' \\ '],
  ] as const),
]

/** The rules before the text is cut, in this order. */
const before: readonly ((text: string) => string)[] = [
  text => {
    const repaired = leftovers.reduce((all, [from, to]) => all.replaceAll(from, to), text)
    return decodeHTML(repaired).replace(/ {2,}/g, ' ')
  },
  // A character four times or more.
  text => text.replace(/(\S)(\1{3,})/gu, (all, one: string) => ` xxrep ${[...all].length} ${one} `),
  // A word four times or more, with what follows it.
  text =>
    text.replace(/(?<![\p{L}\p{N}_])([\p{L}\p{N}_]+[^\p{L}\p{N}_]+)(\1{3,})/gu, (all, one: string) => {
      return ` xxwrep ${all.length / one.length} ${one} `
    }),
  text => text.replace(/[/#\n]/g, ' $& '),
  text => text.replace(/ {2,}/g, ' '),
]

/** A token: a word, a part of a contraction such as n't or 's, a run of dots, a line end, or another sign. */
const token =
  /[\p{L}\p{N}_]+?(?=n['’]t(?![\p{L}\p{N}_]))|n['’]t(?![\p{L}\p{N}_])|['’](?:s|re|ve|ll|d|m)(?![\p{L}\p{N}_])|[\p{L}\p{N}_]+|\.{2,}|\n|[^\s\p{L}\p{N}_]/giu

/** Whether all letters are upper case, and there is one. */
function isUpper(text: string): boolean {
  return text === text.toUpperCase() && text !== text.toLowerCase()
}

/** Whether all letters are lower case, and there is one. */
function isLower(text: string): boolean {
  return text === text.toLowerCase() && text !== text.toUpperCase()
}

/**
 * Cuts a text into tokens as fast.ai's first version does: HTML is decoded, repetitions are counted (`xxrep`, `xxwrep`), and words in
 * capitals or with a capital stand behind `xxup` or `xxmaj`; all words are lower case. fast.ai cuts with spaCy; here a regular expression does, which
 * separates punctuation and English contractions, so some tokens differ.
 *
 * @example
 * ```ts
 * import { fastaiTokens } from 'packed-rnn/text'
 *
 * console.log(fastaiTokens("Don't SHOUT!!!!!").join(' ')) // xxmaj do n't xxup shout xxrep 5 !
 * ```
 */
export function fastaiTokens(text: string): string[] {
  const ruled = before.reduce((all, rule) => rule(all), text)
  return (ruled.match(token) ?? []).flatMap(each => {
    if (isUpper(each) && [...each].length > 1) return ['xxup', each.toLowerCase()]
    const [first = '', ...rest] = each
    const lower = each.toLowerCase()
    return isUpper(first) && isLower(rest.join('')) ? ['xxmaj', lower] : [lower]
  })
}

/** The specials that say something of the tokens behind them. */
const rules: ReadonlySet<string> = new Set(['xxmaj', 'xxup', 'xxrep', 'xxwrep'])
/** A model may write any number behind `xxrep`. */
const MOST_REPEATED = 1000

/**
 * Returns tokens without the specials of `fastaiTokens`: `xxmaj` and `xxup` change the case of the next token; `xxrep` and `xxwrep`
 * repeat the token behind their number. Of two specials in a row the last one counts. A special without its token, or without a number
 * from 1 to 1,000, is left out. Other specials stay.
 *
 * @example
 * ```ts
 * import { withoutSpecials } from 'packed-rnn/text'
 *
 * console.log(withoutSpecials(['xxmaj', 'no', 'xxrep', '4', '!', 'xxwrep', '3', 'bye'])) // ['No', '!!!!', 'bye', 'bye', 'bye']
 * ```
 */
export function withoutSpecials(tokens: readonly string[]): string[] {
  const found: string[] = []
  let rule: string | null = null
  let count: number | null = null
  for (const token of tokens) {
    if (rules.has(token)) [rule, count] = [token, null]
    else if (rule === null) found.push(token)
    else if ((rule === 'xxrep' || rule === 'xxwrep') && count === null) {
      const number = /^\d+$/.test(token) ? Number(token) : 0
      if (number >= 1 && number <= MOST_REPEATED) count = number
      else rule = null
    } else {
      found.push(...undone(rule, count ?? 1, token))
      rule = null
    }
  }
  return found
}

function undone(rule: string, count: number, token: string): string[] {
  if (rule === 'xxup') return [token.toUpperCase()]
  if (rule === 'xxrep') return [token.repeat(count)]
  if (rule === 'xxwrep') return Array.from({ length: count }, () => token)
  const [first = '', ...rest] = token
  return [first.toUpperCase() + rest.join('').toLowerCase()]
}
