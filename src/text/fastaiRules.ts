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

/** n't, 's and their like are tokens; so are runs of dots, line ends, and every other sign. */
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
 * capitals or with a capital are lower case behind `xxup` or `xxmaj`. fast.ai cuts with spaCy; here a regular expression does, which
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
    return isUpper(first) && isLower(rest.join('')) ? ['xxmaj', each.toLowerCase()] : [each]
  })
}

/**
 * Returns tokens without the specials of `fastaiTokens`: `xxmaj` and `xxup` change the next token, `xxrep` and `xxwrep` repeat it.
 * Other specials stay.
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
  for (let i = 0; i < tokens.length; i++) {
    const [special, next, after] = [tokens[i]!, tokens[i + 1], tokens[i + 2]]
    const count = Number(next)
    if (special === 'xxmaj' && next !== undefined) {
      const [first = '', ...rest] = next
      found.push(first.toUpperCase() + rest.join(''))
      i++
    } else if (special === 'xxup' && next !== undefined) {
      found.push(next.toUpperCase())
      i++
    } else if (
      (special === 'xxrep' || special === 'xxwrep') &&
      after !== undefined &&
      Number.isInteger(count) &&
      count > 0 &&
      count <= MOST_REPEATED
    ) {
      if (special === 'xxrep') found.push(after.repeat(count))
      else found.push(...Array.from({ length: count }, () => after))
      i += 2
    } else found.push(special)
  }
  return found
}

/** A model may write any number behind `xxrep`. */
const MOST_REPEATED = 1000
