import { fileURLToPath } from 'node:url'
import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { readWhole } from '../files/read.js'
import { type Content, html, markup } from '../reports/html.js'
import { page } from '../reports/page.js'
import type { ReadingData } from './browser/data.js'
import type { Connectivity } from './connectivity.js'
import { type DecidingWord, decidingWords, type Reading, WORDS } from './reading.js'
import { style } from './style.js'

/** The page's script, compiled by its own TypeScript configuration with the browser's types. */
const SCRIPT = fileURLToPath(new URL('../../dist/explain/browser/client.js', import.meta.url))

/** The number of classes shown for a prediction. */
const CLASSES = 5

/** Options of `memorisationPage`. */
export interface MemorisationPageOptions {
  /** The title; default 'What a prediction remembers'. */
  title?: string
  /** The number of words listed for the last prediction; default 10. 0 omits the list. */
  words?: number
}

/**
 * Returns an HTML page on which a text is coloured by the connectivity of its predictions. Selecting a token by pointer or
 * keyboard shows the prediction after it and colours the tokens that the prediction depends on. Several readings are shown
 * side by side at the same position of the text. The page is one file without external resources.
 *
 * @param readings results of `readingOf`; at least one
 * @returns HTML
 * @throws PackedRnnError (rejects) ERR_EMPTY without readings; ERR_SHAPE for an inconsistent reading; ERR_OUT_OF_RANGE if
 * `words` is not an integer of at least 0; ERR_INVALID_ARGUMENT for an unknown option, or if the page's script cannot be
 * read.
 * @example
 * ```ts
 * import { memorisationPage } from 'packed-rnn/explain'
 *
 * const prediction = (...strengths: number[]) =>
 *   ({ predicted: 0, probabilities: Float32Array.of(0.7, 0.3), strengths: Float32Array.from(strengths) })
 * const text = { name: 'small', text: 'im Tor', tokens: ['im', 'Tor'], starts: [0, 3] } // usually from readingOf
 * const reading = { ...text, classes: ['Sport', 'Web'], predictions: [prediction(1), prediction(1, 3)] }
 * const html = await memorisationPage([reading], { title: 'Two tokens' })
 * console.log(html.includes('<h1>Two tokens</h1>')) // true
 * ```
 */
export async function memorisationPage(
  readings: readonly Reading[],
  options: MemorisationPageOptions = {},
): Promise<string> {
  checkOptions('memorisationPage', options, { title: true, words: true })
  if (readings.length === 0) {
    throw badArgument('memorisationPage', 'readings', 'at least one', 'none', 'ERR_EMPTY')
  }
  const { title = 'What a prediction remembers', words = WORDS } = options
  checkInteger('memorisationPage', 'words', words, 0)
  for (const [r, reading] of readings.entries()) checkReading(r, reading)
  const script = (await readWhole(SCRIPT)).toString('utf8')
  const body = html`<header><h1>${title}</h1>
<p class="lead">Point at a token, tap it, or move through the text with the arrow keys. The bars show the model’s prediction after that
token. Colour shows how much the prediction depends on each token, relative to the strongest one. If no token is selected, the
page shows the prediction after the last token; Escape returns to it.</p>
<p class="legend"><span>not at all</span><i></i><span>most</span></p></header>
<main class="readings">${readings.map((reading, r) => section(reading, r, words))}</main>
<footer class="quiet"><p class="lead">The dependence on a token is the 2-norm of the gradient of the first class’s logit with respect to the
token’s vector: how much a small change of the vector would change the logit (Madsen, <i>Visualizing memorization in RNNs</i>,
Distill 2019). Each prediction is computed from the text up to its token only, even if the model reads in both directions.</p></footer>
${data(readings)}`
  return page(title, body, { style, script })
}

/** Checks that a reading is consistent, as `readingOf` returns it: one start per token, and predictions of matching lengths. */
function checkReading(r: number, { tokens, starts, classes, predictions }: Reading): void {
  const fits =
    predictions.length > 0 &&
    predictions.length <= tokens.length &&
    starts.length === tokens.length &&
    predictions.every(({ probabilities, strengths }, position) => {
      const read = position === predictions.length - 1 ? tokens.length : position + 1
      return probabilities.length === classes.length && strengths.length === read
    })
  if (!fits) {
    const wanted = 'starts, probabilities and strengths of as many numbers as tokens and classes'
    throw badArgument('memorisationPage', `readings[${r}]`, wanted, 'other lengths', 'ERR_SHAPE')
  }
}

function section(reading: Reading, r: number, words: number): Content {
  const { name, text, tokens, predictions } = reading
  const last = predictions.at(-1)!
  const classes = topClasses(reading, last)
  return html`<section id="reading-${r}" aria-labelledby="name-${r}">
<h2 id="name-${r}">${name}</h2>
${predictions.length < tokens.length ? partNote(predictions.length - 1) : null}
<div class="prediction"><p class="place">After all ${tokens.length} tokens</p>
<ol class="bars">${classes.map(([label, probability]) => bar(label, probability, probability))}</ol></div>
<p class="status" role="status"></p>
<div class="text" lang="" dir="auto" tabindex="0" role="group" aria-label="The text as ${name} reads it">${spans(text, reading, last)}</div>
${words > 0 ? decided(decidingWords(tokens, last.strengths, words)) : null}
</section>`
}

function partNote(positions: number): Content {
  return html`<p class="note">The first ${positions} tokens can be selected. For later tokens, the page shows the prediction at the end of the text.</p>`
}

function decided(words: readonly DecidingWord[]): Content {
  const most = words[0]?.share || 1
  return html`<h3>Words that decided the last prediction</h3>
<ol class="words">${words.map(({ word, share }) => bar(word, share, share / most))}</ol>
<p class="quiet"><small>Shares of the strengths of all tokens; a word’s occurrences are added.</small></p>`
}

/** A list item with a bar behind it. `length` is a share of the list's width. */
function bar(name: string, share: number, length: number): Content {
  return html`<li style="--length: ${length.toFixed(4)}"><span class="name">${name}</span> <span class="value">${percent(share)}</span></li>`
}

/** The text, with each token in a span that is coloured for the last prediction. */
function spans(text: string, { tokens, starts }: Reading, { strengths }: Connectivity): Content {
  const strongest = largest(strengths)
  const last = tokens.length - 1
  let from = 0
  const pieces = tokens.map((token, t) => {
    const between = text.slice(from, starts[t]!)
    from = starts[t]! + token.length
    const share = (strengths[t]! / strongest).toFixed(3)
    return html`${between}<span class="${t === last ? 'token current' : 'token'}" style="--strength: ${share}">${token}</span>`
  })
  return [pieces, text.slice(from)]
}

/** The script's data. Every `<` is escaped, so the data cannot end its element. */
function data(readings: readonly Reading[]): Content {
  const all = readings.map(
    (reading): ReadingData => ({
      starts: reading.starts,
      predictions: reading.predictions.map(prediction => topClasses(reading, prediction)),
      strengths: quantised(reading.predictions).toString('base64'),
    }),
  )
  const json = JSON.stringify(all).replaceAll('<', '\\u003c')
  return markup(`<script type="application/json" id="readings">${json}</script>`)
}

/** The most probable classes of a prediction, in descending order. */
function topClasses({ classes }: Reading, { probabilities }: Connectivity): [string, number][] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!)
  return order.slice(0, CLASSES).map(c => [classes[c]!, Number(probabilities[c]!.toFixed(4))])
}

/** The strengths of all predictions, one after the other, as shares of each prediction's strongest in 255ths. */
function quantised(predictions: readonly Connectivity[]): Buffer {
  return Buffer.concat(
    predictions.map(({ strengths }) => {
      const strongest = largest(strengths)
      return Buffer.from(strengths.map(strength => Math.round((255 * strength) / strongest)))
    }),
  )
}

/** The largest strength, or 1 if all are 0, as a divisor. */
function largest(strengths: Float32Array): number {
  return strengths.reduce((most, strength) => Math.max(most, strength), 0) || 1
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`
}
